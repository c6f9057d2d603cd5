/*
 * The memories of WebAssembly instances: blocks of this heap, which the host
 * lets modules use, and over which JavaScript has its buffers. Part of wasm.h.
 */
#ifndef WASM_MEMORY_H
#define WASM_MEMORY_H

#define WASM_PAGE 65536u

/* A memory's bytes. It lives as long as the instance or its buffer does. */
typedef struct WasmMemory {
    uint8_t *data;
    uint32_t size, capacity; /* bytes */
    int references;
    JSObject *buffer; /* the ArrayBuffer over it, or NULL; not counted */
} WasmMemory;

static struct {
    WasmMemory **list; /* by id; NULL where one was freed */
    uint32_t count;
} wasm_memories;

/* Allocates n zeroed bytes. Where they come from beyond the heap's end they
 * have never been touched, and stay so. */
static uint8_t *wasm_block(uint32_t n)
{
    uint32_t end = heap.break_at;
    bool refused = heap.refused;
    uint8_t *p = malloc(n ? n : 1);
    if (!p) {
        heap.refused = refused; /* a module is told, and can do without */
        return NULL;
    }
    uint32_t at = (uint32_t)(uintptr_t)p;
    if (at < end)
        memset(p, 0, end - at < n ? end - at : n);
    return p;
}

static void wasm_account(JSRuntime *rt, int32_t bytes) { rt->malloc_state.malloc_size += (size_t)bytes; }

static void wasm_memory_release(JSRuntime *rt, WasmMemory *m)
{
    if (--m->references > 0)
        return;
    wasm_account(rt, -(int32_t)m->capacity);
    free(m->data);
    free(m);
}

/* What an ArrayBuffer calls when it is finalized or detached. */
static void *wasm_buffer_realloc(JSRuntime *rt, void *opaque, void *data, size_t size)
{
    WasmMemory *m = opaque;
    if (size == 0) {
        m->buffer = NULL;
        wasm_memory_release(rt, m);
    }
    return NULL; /* it is nobody's to resize */
}

static void wasm_detach(JSContext *ctx, WasmMemory *m)
{
    if (m->buffer)
        JS_DetachArrayBuffer(ctx, JS_MKPTR(JS_TAG_OBJECT, m->buffer));
}

/* Room for growth that is set aside when a block has to move. */
static uint32_t wasm_headroom(uint32_t size)
{
    uint32_t more = size / 2 > 4u << 20 ? 4u << 20 : size / 2;
    return (size + more + WASM_PAGE - 1) & ~(WASM_PAGE - 1);
}

/* Makes a memory of a size, or grows it. False if there is no room. */
static bool wasm_memory_grow(JSContext *ctx, WasmMemory *m, uint32_t size)
{
    JSRuntime *rt = ctx->rt;
    if (size > BLOCK_MAX)
        return false;
    if (size > m->capacity || !m->data) {
        uint32_t capacity = m->data ? wasm_headroom(size) : size;
        uint8_t *data = wasm_block(capacity);
        if (!data && capacity > size) {
            capacity = size;
            data = wasm_block(capacity);
        }
        if (!data)
            return false;
        if (m->data) {
            memcpy(data, m->data, m->size);
            free(m->data);
        }
        wasm_account(rt, (int32_t)capacity - (int32_t)m->capacity);
        m->data = data;
        m->capacity = capacity;
    }
    m->size = size;
    return true;
}

#define WASM_NEW_MEMORY UINT32_MAX /* as an id */
#define WASM_NO_MEMORY UINT32_MAX  /* as a size */

/* The nested function that makes, grows and frees memories: u32 id, u32 size
 * → u32 id, u32 address. */
static uint32_t wasm_nested_memory(JSContext *ctx, uint8_t *message, uint32_t length)
{
    uint32_t id = get_u32(message), size = get_u32(message + 4), address = 0;
    WasmMemory *m = id < wasm_memories.count ? wasm_memories.list[id] : NULL;
    if (id == WASM_NEW_MEMORY) {
        m = calloc(1, sizeof *m);
        for (id = 0; id < wasm_memories.count && wasm_memories.list[id]; id++)
            ;
        WasmMemory **list = id < wasm_memories.count ? wasm_memories.list : realloc(wasm_memories.list, (id + 1) * sizeof *list);
        if (list)
            wasm_memories.list = list;
        if (m && list && wasm_memory_grow(ctx, m, size)) {
            m->references = 1;
            if (id == wasm_memories.count)
                wasm_memories.count++;
            wasm_memories.list[id] = m;
            address = (uint32_t)(uintptr_t)m->data;
        } else {
            free(m);
        }
    } else if (m && size == WASM_NO_MEMORY) {
        wasm_memories.list[id] = NULL;
        wasm_memory_release(ctx->rt, m);
    } else if (m && size >= m->size) {
        /* The old buffer goes first: it must not see a block that was freed. */
        uint32_t old = m->size;
        wasm_detach(ctx, m);
        if (wasm_memory_grow(ctx, m, size))
            address = (uint32_t)(uintptr_t)m->data;
        else
            m->size = old;
    }
    put_u32(message, id);
    put_u32(message + 4, address);
    return 8;
}

/* wasmBuffer(id) → ArrayBuffer over a memory, the same until it grows. */
static JSValue wasm_buffer(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t id;
    if (JS_ToUint32(ctx, &id, argv[0]))
        return JS_EXCEPTION;
    WasmMemory *m = id < wasm_memories.count ? wasm_memories.list[id] : NULL;
    if (!m)
        return JS_ThrowTypeError(ctx, "the memory is gone");
    if (m->buffer)
        return js_dup(JS_MKPTR(JS_TAG_OBJECT, m->buffer));
    JSValue buffer = JS_NewArrayBuffer(ctx, m->data, m->size, 0, wasm_buffer_realloc, m, false);
    if (JS_IsException(buffer))
        return buffer;
    m->buffer = JS_VALUE_GET_OBJ(buffer);
    m->references++;
    return buffer;
}

/* wasmRefresh(id): the buffer is another from now on, as after growing by 0. */
static JSValue wasm_refresh(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t id;
    if (JS_ToUint32(ctx, &id, argv[0]))
        return JS_EXCEPTION;
    if (id < wasm_memories.count && wasm_memories.list[id])
        wasm_detach(ctx, wasm_memories.list[id]);
    return JS_UNDEFINED;
}

/* True of a memory's buffer, which can't be detached by anyone else
 * (WebAssembly JavaScript Interface, [[ArrayBufferDetachKey]]). */
static bool wasm_owns_buffer(const JSArrayBuffer *buffer)
{
    return buffer->realloc_func == wasm_buffer_realloc;
}

static JSCFunctionMagic *wasm_transfer;

static JSValue wasm_guarded_transfer(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    JSArrayBuffer *buffer = JS_GetOpaque(this_val, JS_CLASS_ARRAY_BUFFER);
    if (buffer && wasm_owns_buffer(buffer))
        return JS_ThrowTypeError(ctx, "the buffer of a WebAssembly.Memory can't be transferred");
    return wasm_transfer(ctx, this_val, argc, argv, magic);
}

static int wasm_guard_transfers(JSContext *ctx)
{
    static const char *const names[] = {"transfer", "transferToImmutable", "transferToFixedLength"};
    for (size_t i = 0; i < countof(names); i++) {
        JSValue f = JS_GetPropertyStr(ctx, ctx->class_proto[JS_CLASS_ARRAY_BUFFER], names[i]);
        if (JS_VALUE_GET_TAG(f) != JS_TAG_OBJECT || JS_VALUE_GET_OBJ(f)->class_id != JS_CLASS_C_FUNCTION)
            return -1;
        JSObject *o = JS_VALUE_GET_OBJ(f);
        wasm_transfer = o->u.cfunc.c_function.generic_magic;
        o->u.cfunc.c_function.generic_magic = wasm_guarded_transfer;
        JS_FreeValue(ctx, f);
    }
    return 0;
}

#endif
