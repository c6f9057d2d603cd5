/*
 * Leases: objects that hold something of the host's, a stub or a dynamic worker,
 * and give it back when nothing in this isolate holds them.
 *
 *   native.newLease(handle) → lease        of a stub
 *   native.leased(lease) → handle          0 once it is over; a TypeError for
 *                                          anything else
 *   native.endLease(lease)
 *   native.setWorkerPrototype(object)      that of leases of dynamic workers
 *   native.findWorker(loader, id or null) → lease    the operation loader_get
 *   native.codeOfWorker(lease) → u8        what its answer said of the code
 *   native.entrypointOfWorker(lease) → handle of a stub, the operation
 *       loader_entrypoint for the default one, without props or limits
 */
#ifndef LEASE_H
#define LEASE_H

typedef struct Lease {
    uint32_t handle;
    uint8_t code;
} Lease;

static JSClassID lease_class;
static JSValue lease_worker_prototype = JS_UNDEFINED;

static void lease_end(Lease *l)
{
    uint32_t handle = l->handle;
    l->handle = 0;
    if (handle)
        env_call(OP_STUB_RELEASE, &handle, sizeof handle, NULL, 0);
}

static void lease_finalizer(JSRuntime *rt, JSValueConst v)
{
    Lease *l = JS_GetOpaque(v, lease_class);
    if (!l)
        return;
    lease_end(l);
    js_free_rt(rt, l);
}

/* Makes the lease of a handle, which is given back if there is no memory. */
static JSValue lease_new(JSContext *ctx, JSValueConst prototype, uint32_t handle, uint8_t code)
{
    Lease l = { handle, code }, *kept = js_malloc(ctx, sizeof *kept);
    JSValue o = kept ? JS_NewObjectProtoClass(ctx, prototype, lease_class) : JS_EXCEPTION;
    if (JS_IsException(o)) {
        js_free(ctx, kept);
        lease_end(&l);
        return o;
    }
    *kept = l;
    JS_SetOpaque(o, kept);
    return o;
}

static Lease *lease_of(JSContext *ctx, JSValueConst v)
{
    Lease *l = JS_GetOpaque(v, lease_class);
    if (!l)
        JS_ThrowTypeError(ctx, "Illegal invocation");
    return l;
}

static JSValue lease_make(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t handle;
    return JS_ToUint32(ctx, &handle, argv[0]) ? JS_EXCEPTION : lease_new(ctx, JS_NULL, handle, 0);
}

enum { LEASE_HANDLE, LEASE_CODE, LEASE_END };

static JSValue lease_about(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    Lease *l = lease_of(ctx, argv[0]);
    if (!l)
        return JS_EXCEPTION;
    if (magic == LEASE_END) {
        lease_end(l);
        return JS_UNDEFINED;
    }
    return JS_NewUint32(ctx, magic == LEASE_CODE ? l->code : l->handle);
}

static JSValue lease_set_worker_prototype(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JS_FreeValue(ctx, lease_worker_prototype);
    lease_worker_prototype = js_dup(argv[0]);
    return JS_UNDEFINED;
}

static JSValue lease_find_worker(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t loader;
    if (JS_ToUint32(ctx, &loader, argv[0]))
        return JS_EXCEPTION;
    uint8_t buffer[256];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u32(&w, loader);
    bool named = JS_IsString(argv[1]);
    writer_u8(&w, named);
    JSValue o = JS_EXCEPTION;
    if (named ? writer_value(&w, ctx, argv[1]) == 0 : (writer_u32(&w, 0), true)) {
        Answer a;
        if (w.failed) {
            JS_ThrowOutOfMemory(ctx);
        } else if (call_or_throw(ctx, OP_LOADER_GET, w.bytes, w.length, &a) == 0) {
            Reader r;
            reader_init(&r, a.bytes, a.length);
            uint32_t worker = reader_u32(&r);
            uint8_t code = reader_u8(&r);
            answer_free(&a);
            o = lease_new(ctx, lease_worker_prototype, worker, code);
        }
    }
    writer_free(&w);
    return o;
}

static JSValue lease_entrypoint(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Lease *l = lease_of(ctx, argv[0]);
    if (!l)
        return JS_EXCEPTION;
    /* u32 worker, u8 named, str name, value props, four limits: all but the first
     * are none. */
    uint8_t message[4 + 1 + 4 + 8 + 4 * 8] = { 0 };
    memcpy(message, &l->handle, 4);
    Answer a;
    if (call_or_throw(ctx, OP_LOADER_ENTRYPOINT, message, sizeof message, &a))
        return JS_EXCEPTION;
    Reader r;
    reader_init(&r, a.bytes, a.length);
    uint32_t stub = reader_u32(&r);
    answer_free(&a);
    return JS_NewUint32(ctx, stub);
}

static int lease_init(JSContext *ctx, JSValueConst native)
{
    static const JSClassDef class = { "WorkerStub", .finalizer = lease_finalizer };
    static const JSCFunctionListEntry services[] = {
        JS_CFUNC_DEF("newLease", 1, lease_make),
        JS_CFUNC_MAGIC_DEF("leased", 1, lease_about, LEASE_HANDLE),
        JS_CFUNC_MAGIC_DEF("codeOfWorker", 1, lease_about, LEASE_CODE),
        JS_CFUNC_MAGIC_DEF("endLease", 1, lease_about, LEASE_END),
        JS_CFUNC_DEF("setWorkerPrototype", 1, lease_set_worker_prototype),
        JS_CFUNC_DEF("findWorker", 2, lease_find_worker),
        JS_CFUNC_DEF("entrypointOfWorker", 1, lease_entrypoint),
    };
    JS_NewClassID(JS_GetRuntime(ctx), &lease_class);
    if (JS_NewClass(JS_GetRuntime(ctx), lease_class, &class))
        return -1;
    return JS_SetPropertyFunctionList(ctx, native, services, countof(services));
}

#endif
