/*
 * WebAssembly: what of it is in the guest. Modules are compiled and instances
 * live at the host; here are the functions that call theirs, the imports that
 * they call, and the memory of instances, which is blocks of this heap.
 * JavaScript's side is js/webassembly.js, the host's host/webassembly.
 */
#ifndef WASM_H
#define WASM_H

#include "wasm_memory.h"

/* Value types, as in the binary format. */
enum {
    WASM_I32 = 0x7f, WASM_I64 = 0x7e, WASM_F32 = 0x7d, WASM_F64 = 0x7c, WASM_V128 = 0x7b,
    WASM_FUNCREF = 0x70, WASM_EXTERNREF = 0x6f,
};

#define WASM_VALUES_MAX 1000 /* parameters or results of a function */

typedef struct WasmType {
    uint32_t params, results;
    uint8_t types[]; /* of both */
} WasmType;

/* An import is a function that an instance may call. The object is the
 * instance's to keep alive (its keep, in js/webassembly.js): here it is not
 * counted, so that a cycle through both can be collected. */
typedef struct WasmImport {
    JSValue function; /* undefined if the place is free */
    JSValue keep;     /* not counted, either */
    uint32_t type;
    int32_t next;     /* free place after this one */
} WasmImport;

static struct {
    WasmType **types;
    uint32_t type_count;
    WasmImport *imports;
    int32_t import_count, free_import;
    bool threw; /* an import has thrown: what is to be thrown on */
    JSValue thrown;
    /* Functions of the bootstrap. */
    JSValue to_extern;     /* value → id */
    JSValue from_extern;   /* id → value */
    JSValue to_function;   /* keep, value → handle; throws TypeError */
    JSValue from_function; /* handle → function */
    JSValue to_list;       /* value, n → array of n values; throws TypeError */
} wasm = {.free_import = -1};

/* Values. */

static JSValue wasm_hook(JSContext *ctx, JSValueConst hook, int argc, JSValueConst *argv)
{
    JSValue f = js_dup(hook);
    JSValue v = JS_Call(ctx, f, JS_UNDEFINED, argc, argv);
    JS_FreeValue(ctx, f);
    return v;
}

/* ToWebAssemblyValue. */
static int wasm_from_js(JSContext *ctx, JSValueConst keep, uint8_t type, JSValueConst v, uint64_t *out)
{
    *out = 0;
    switch (type) {
    case WASM_I32: {
        int32_t n;
        if (JS_ToInt32(ctx, &n, v))
            return -1;
        *out = (uint32_t)n;
        return 0;
    }
    case WASM_I64: {
        int64_t n;
        if (JS_ToBigInt64(ctx, &n, v))
            return -1;
        *out = (uint64_t)n;
        return 0;
    }
    case WASM_F32: {
        double d;
        if (JS_ToFloat64(ctx, &d, v))
            return -1;
        float f = (float)d;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        *out = bits;
        return 0;
    }
    case WASM_F64: {
        double d;
        if (JS_ToFloat64(ctx, &d, v))
            return -1;
        memcpy(out, &d, sizeof d);
        return 0;
    }
    case WASM_FUNCREF:
    case WASM_EXTERNREF: {
        if (JS_IsNull(v))
            return 0;
        JSValueConst args[2] = {keep, v};
        JSValue id = type == WASM_FUNCREF ? wasm_hook(ctx, wasm.to_function, 2, args)
                                          : wasm_hook(ctx, wasm.to_extern, 1, args + 1);
        double d;
        if (JS_IsException(id) || JS_ToFloat64(ctx, &d, id))
            return -1;
        *out = (uint64_t)d;
        return 0;
    }
    default:
        JS_ThrowTypeError(ctx, "type incompatibility when transforming from/to JS");
        return -1;
    }
}

/* ToJSValue. */
static JSValue wasm_to_js(JSContext *ctx, uint8_t type, uint64_t bits)
{
    switch (type) {
    case WASM_I32:
        return JS_NewInt32(ctx, (int32_t)bits);
    case WASM_I64:
        return JS_NewBigInt64(ctx, (int64_t)bits);
    case WASM_F32: {
        uint32_t low = (uint32_t)bits;
        float f;
        memcpy(&f, &low, sizeof f);
        return JS_NewFloat64(ctx, (double)f);
    }
    case WASM_F64: {
        double d;
        memcpy(&d, &bits, sizeof d);
        return JS_NewFloat64(ctx, d);
    }
    case WASM_FUNCREF:
    case WASM_EXTERNREF: {
        if (bits == 0)
            return JS_NULL;
        JSValue id = JS_NewFloat64(ctx, (double)bits);
        return wasm_hook(ctx, type == WASM_FUNCREF ? wasm.from_function : wasm.from_extern, 1, vc(&id));
    }
    default:
        return JS_ThrowTypeError(ctx, "type incompatibility when transforming from/to JS");
    }
}

static void wasm_free_values(JSContext *ctx, JSValue *values, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        JS_FreeValue(ctx, values[i]);
}

/* Operations. */

/* Performs an operation that may run a module. 0, or -1 with its error thrown:
 * what an import threw, if one did. */
static int wasm_operation(JSContext *ctx, uint32_t op, const void *in, uint32_t length, Answer *a)
{
    *a = host_call(op, in, length);
    if (a->ok)
        return 0;
    if (wasm.threw) {
        answer_free(a);
        wasm.threw = false;
        JS_Throw(ctx, wasm.thrown);
        wasm.thrown = JS_UNDEFINED;
        return -1;
    }
    throw_answer(ctx, a);
    return -1;
}

/* wasmCall(op, payload) → Uint8Array */
static JSValue wasm_perform(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t op;
    Payload in;
    Answer a;
    if (JS_ToUint32(ctx, &op, argv[0]) || get_payload(ctx, &in, argv[1]))
        return JS_EXCEPTION;
    int failed = js_check_stack_overflow(ctx->rt, 16 << 10);
    if (failed)
        JS_ThrowStackOverflow(ctx);
    else
        failed = wasm_operation(ctx, op, in.bytes, (uint32_t)in.length, &a);
    free_payload(ctx, &in);
    if (failed)
        return JS_EXCEPTION;
    JSValue v = JS_NewUint8ArrayCopy(ctx, a.bytes, a.length);
    answer_free(&a);
    return v;
}

/* wasmType(params, results) → number of the type; both are Uint8Arrays. */
static JSValue wasm_type(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t params, results;
    uint8_t *p = JS_GetUint8Array(ctx, &params, argv[0]), *r = JS_GetUint8Array(ctx, &results, argv[1]);
    if (!p || !r)
        return JS_EXCEPTION;
    if (params > WASM_VALUES_MAX || results > WASM_VALUES_MAX)
        return JS_ThrowRangeError(ctx, "a function with too many parameters or results");
    for (uint32_t i = 0; i < wasm.type_count; i++) {
        WasmType *t = wasm.types[i];
        if (t->params == params && t->results == results && memcmp(t->types, p, params) == 0 &&
            memcmp(t->types + params, r, results) == 0)
            return JS_NewUint32(ctx, i);
    }
    WasmType *t = malloc(sizeof *t + params + results);
    WasmType **list = realloc(wasm.types, (wasm.type_count + 1) * sizeof *list);
    if (list)
        wasm.types = list;
    if (!t || !list) {
        free(t);
        return JS_ThrowOutOfMemory(ctx);
    }
    t->params = (uint32_t)params;
    t->results = (uint32_t)results;
    memcpy(t->types, p, params);
    memcpy(t->types + params, r, results);
    wasm.types[wasm.type_count] = t;
    return JS_NewUint32(ctx, wasm.type_count++);
}

enum { WASM_KEEP, WASM_HANDLE, WASM_TYPE };

/* An exported function is called. */
static JSValue wasm_exported(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic,
                             JSValueConst *data)
{
    uint32_t number;
    double handle;
    if (JS_ToUint32(ctx, &number, data[WASM_TYPE]) || JS_ToFloat64(ctx, &handle, data[WASM_HANDLE]))
        return JS_EXCEPTION;
    const WasmType *t = wasm.types[number];
    if (js_check_stack_overflow(ctx->rt, 16 << 10))
        return JS_ThrowStackOverflow(ctx);
    uint64_t few[9], *values = few;
    uint32_t most = t->params > t->results ? t->params : t->results;
    if (most + 1 > countof(few)) {
        values = malloc((most + 1) * sizeof *values);
        if (!values)
            return JS_ThrowOutOfMemory(ctx);
    }
    JSValue result = JS_EXCEPTION;
    memcpy(values, &handle, sizeof handle);
    for (uint32_t i = 0; i < t->params; i++)
        if (wasm_from_js(ctx, data[WASM_KEEP], t->types[i], (int)i < argc ? argv[i] : JS_UNDEFINED, &values[i + 1]))
            goto done;
    Answer a;
    if (wasm_operation(ctx, OP_WASM_CALL, values, (t->params + 1) * sizeof *values, &a))
        goto done;
    /* Making values may call the host, whose mailbox this is. */
    uint32_t n = a.length / sizeof *values;
    if (n > t->results)
        n = t->results;
    memcpy(values, a.bytes, n * sizeof *values);
    answer_free(&a);
    const uint8_t *types = t->types + t->params;
    if (t->results == 0) {
        result = JS_UNDEFINED;
    } else if (t->results == 1) {
        result = wasm_to_js(ctx, types[0], values[0]);
    } else {
        result = JS_NewArray(ctx);
        for (uint32_t i = 0; i < n && !JS_IsException(result); i++) {
            JSValue v = wasm_to_js(ctx, types[i], values[i]);
            if (JS_IsException(v) || JS_CreateDataPropertyUint32(ctx, result, i, v, JS_PROP_THROW) < 0) {
                JS_FreeValue(ctx, result);
                result = JS_EXCEPTION;
            }
        }
    }
done:
    if (values != few)
        free(values);
    return result;
}

/* wasmFunction(keep, handle, type, name) → the function that calls it. */
static JSValue wasm_function(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t number;
    if (JS_ToUint32(ctx, &number, argv[2]))
        return JS_EXCEPTION;
    if (number >= wasm.type_count)
        return JS_ThrowRangeError(ctx, "no such type");
    const char *name = JS_ToCString(ctx, argv[3]);
    if (!name)
        return JS_EXCEPTION;
    JSValueConst data[3] = {argv[0], argv[1], argv[2]};
    JSValue f = JS_NewCFunctionData2(ctx, wasm_exported, name, (int)wasm.types[number]->params, 0, 3, data);
    JS_FreeCString(ctx, name);
    return f;
}

/* wasmImport(keep, function, type) → id. Keep has to keep the function. */
static JSValue wasm_import(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t number;
    if (JS_ToUint32(ctx, &number, argv[2]))
        return JS_EXCEPTION;
    if (number >= wasm.type_count || !JS_IsObject(argv[0]) || !JS_IsFunction(ctx, argv[1]))
        return JS_ThrowTypeError(ctx, "no import");
    if (wasm.free_import < 0) {
        int32_t count = wasm.import_count ? wasm.import_count * 2 : 16;
        WasmImport *list = realloc(wasm.imports, (size_t)count * sizeof *list);
        if (!list)
            return JS_ThrowOutOfMemory(ctx);
        for (int32_t i = count - 1; i >= wasm.import_count; i--) {
            list[i] = (WasmImport){.function = JS_UNDEFINED, .keep = JS_UNDEFINED, .next = wasm.free_import};
            wasm.free_import = i;
        }
        wasm.imports = list;
        wasm.import_count = count;
    }
    int32_t id = wasm.free_import;
    WasmImport *i = &wasm.imports[id];
    wasm.free_import = i->next;
    i->function = (JSValue)argv[1];
    i->keep = (JSValue)argv[0];
    i->type = number;
    return JS_NewInt32(ctx, id);
}

/* wasmForget(id): nothing can call the import any more. */
static JSValue wasm_forget(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    int32_t id;
    if (JS_ToInt32(ctx, &id, argv[0]))
        return JS_EXCEPTION;
    if (id >= 0 && id < wasm.import_count && !JS_IsUndefined(wasm.imports[id].function)) {
        wasm.imports[id] = (WasmImport){.function = JS_UNDEFINED, .keep = JS_UNDEFINED, .next = wasm.free_import};
        wasm.free_import = id;
    }
    return JS_UNDEFINED;
}

/* Calls an import with the values in the message; leaves the results there. 0,
 * or -1 with an exception pending. */
static int wasm_call_import(JSContext *ctx, const WasmImport *import, uint8_t *message)
{
    const WasmType *t = wasm.types[import->type];
    JSValue keep = js_dup(import->keep), function = js_dup(import->function);
    JSValue few[8], *values = few, result = JS_EXCEPTION;
    int failed = -1;
    uint32_t made = 0;
    uint64_t *bits = NULL;
    uint32_t most = t->params > t->results ? t->params : t->results;
    if (js_check_stack_overflow(ctx->rt, 16 << 10)) {
        JS_ThrowStackOverflow(ctx);
        goto done;
    }
    bits = malloc((most + 1) * sizeof *bits); /* making values may call the host */
    if (bits && t->params > countof(few))
        values = malloc(t->params * sizeof *values);
    if (!bits || !values) {
        values = few;
        JS_ThrowOutOfMemory(ctx);
        goto done;
    }
    memcpy(bits, message + 8, t->params * sizeof *bits);
    for (; made < t->params; made++) {
        values[made] = wasm_to_js(ctx, t->types[made], bits[made]);
        if (JS_IsException(values[made]))
            goto done;
    }
    result = JS_Call(ctx, function, JS_UNDEFINED, (int)t->params, vc(values));
    if (JS_IsException(result))
        goto done;
    const uint8_t *types = t->types + t->params;
    if (t->results == 1) {
        if (wasm_from_js(ctx, keep, types[0], result, &bits[0]))
            goto done;
    } else if (t->results > 1) {
        JSValueConst args[2] = {result, JS_NewUint32(ctx, t->results)};
        JSValue list = wasm_hook(ctx, wasm.to_list, 2, args);
        JS_FreeValue(ctx, result);
        result = list;
        if (JS_IsException(list))
            goto done;
        for (uint32_t i = 0; i < t->results; i++) {
            JSValue v = JS_GetPropertyUint32(ctx, list, i);
            int bad = JS_IsException(v) || wasm_from_js(ctx, keep, types[i], v, &bits[i]);
            JS_FreeValue(ctx, v);
            if (bad)
                goto done;
        }
    }
    memcpy(message + 8, bits, t->results * sizeof *bits);
    failed = 0;
done:
    wasm_free_values(ctx, values, made);
    if (values != few)
        free(values);
    free(bits);
    JS_FreeValue(ctx, result);
    JS_FreeValue(ctx, function);
    JS_FreeValue(ctx, keep);
    return failed;
}

/* The nested function that calls an import: f64 id, values → u64 thrown, values. */
static uint32_t wasm_nested_import(JSContext *ctx, uint8_t *message, uint32_t length)
{
    double id;
    memcpy(&id, message, sizeof id);
    uint32_t results = 0;
    int failed = -1;
    if (id >= 0 && id < wasm.import_count && !JS_IsUndefined(wasm.imports[(int32_t)id].function)) {
        WasmImport import = wasm.imports[(int32_t)id];
        results = wasm.types[import.type]->results;
        failed = wasm_call_import(ctx, &import, message);
    } else {
        JS_ThrowTypeError(ctx, "the import is gone");
    }
    uint64_t thrown = failed != 0;
    memcpy(message, &thrown, sizeof thrown);
    if (failed) {
        JS_FreeValue(ctx, wasm.thrown);
        wasm.thrown = JS_GetException(ctx);
        wasm.threw = true;
        results = 0;
    }
    return 8 + results * 8;
}

/* Enters the guest in the middle of an operation that it waits for. Message
 * and answer are in the mailbox. */
HOST_EXPORT("nested") uint32_t guest_nested(uint32_t function, uint32_t length)
{
    switch (function) {
    case 1:
        return wasm_nested_import(guest.context, mailbox, length);
    case 2:
        return wasm_nested_memory(guest.context, mailbox, length);
    }
    return 0;
}

/* wasmValue(keep, type, value) → 8 bytes, wasmNumber(type, bytes) → value: as
 * globals have them. */
static JSValue wasm_value(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t type;
    uint64_t bits;
    if (JS_ToUint32(ctx, &type, argv[1]) || wasm_from_js(ctx, argv[0], (uint8_t)type, argv[2], &bits))
        return JS_EXCEPTION;
    return JS_NewUint8ArrayCopy(ctx, (const uint8_t *)&bits, sizeof bits);
}

static JSValue wasm_number(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t type;
    size_t n;
    uint64_t bits;
    if (JS_ToUint32(ctx, &type, argv[0]))
        return JS_EXCEPTION;
    const uint8_t *p = JS_GetUint8Array(ctx, &n, argv[1]);
    if (!p || n < sizeof bits)
        return JS_ThrowTypeError(ctx, "no value");
    memcpy(&bits, p, sizeof bits);
    return wasm_to_js(ctx, (uint8_t)type, bits);
}

/* wasmHooks(toExtern, fromExtern, toFunction, fromFunction, toList) */
static JSValue wasm_set_hooks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue *hooks[] = {&wasm.to_extern, &wasm.from_extern, &wasm.to_function, &wasm.from_function, &wasm.to_list};
    for (int i = 0; i < (int)countof(hooks); i++) {
        JS_FreeValue(ctx, *hooks[i]);
        *hooks[i] = js_dup(argv[i]);
    }
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry wasm_functions[] = {
    JS_CFUNC_DEF("wasmPerform", 2, wasm_perform),
    JS_CFUNC_DEF("wasmType", 2, wasm_type),
    JS_CFUNC_DEF("wasmFunction", 4, wasm_function),
    JS_CFUNC_DEF("wasmImport", 3, wasm_import),
    JS_CFUNC_DEF("wasmForget", 1, wasm_forget),
    JS_CFUNC_DEF("wasmBuffer", 1, wasm_buffer),
    JS_CFUNC_DEF("wasmRefresh", 1, wasm_refresh),
    JS_CFUNC_DEF("wasmValue", 3, wasm_value),
    JS_CFUNC_DEF("wasmNumber", 2, wasm_number),
    JS_CFUNC_DEF("wasmHooks", 5, wasm_set_hooks),
};

static int wasm_init(JSContext *ctx)
{
    wasm.thrown = wasm.to_extern = wasm.from_extern = wasm.to_function = wasm.from_function = wasm.to_list = JS_UNDEFINED;
    if (wasm_guard_transfers(ctx))
        return -1;
    return JS_SetPropertyFunctionList(ctx, guest.native, wasm_functions, countof(wasm_functions));
}

#endif
