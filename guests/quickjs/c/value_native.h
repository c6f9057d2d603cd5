/*
 * Values as the bootstrap has them: services on the object "native". Part of
 * value.h. The hooks are described there.
 *
 *   capability(kind, handle) → index      within encode
 *   capabilityAt(index) → [kind, handle]  within decode
 *   encodeValue(value) → Uint8Array       "value" of the wire
 *   decodeValue(bytes, at) → value        what is there at this place; undefined
 *                                         where the value is absent
 *   callStub(stub, kind, path, arguments, resolve, reject) → id    the operation
 *                                         stub_call, settled by bytes; arguments are
 *                                         an array, or what encodeValue made of it
 *   answerCall(event, value)              the operation answer
 *   readCall(bytes, at) → [target, entrypoint, place of props, export, kind, path,
 *                          place of arguments]    of a dispatched call
 *   takeBody(request or response) → null, Uint8Array or ReadableStream; the body
 *                                         is used by this, unless it is a stream
 *   isProxy(value) → boolean
 *   member(object, name, own) → value     a TypeError if others can't see one
 *   setDisposer(object, f)                f is its Symbol.dispose, which doesn't
 *                                         enumerate; stubs and primitives stay as they are
 */
#ifndef VALUE_NATIVE_H
#define VALUE_NATIVE_H

static JSValue value_set_hooks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue encode = JS_GetPropertyStr(ctx, argv[0], "encode"), decode = JS_GetPropertyStr(ctx, argv[0], "decode");
    JS_FreeValue(ctx, values.encode_hook);
    JS_FreeValue(ctx, values.decode_hook);
    values.encode_hook = encode;
    values.decode_hook = decode;
    return JS_IsException(encode) || JS_IsException(decode) ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue value_capability(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t kind, handle;
    ValueWriter *w = value_writer;
    if (JS_ToUint32(ctx, &kind, argv[0]) || JS_ToUint32(ctx, &handle, argv[1]))
        return JS_EXCEPTION;
    if (!w)
        return JS_ThrowTypeError(ctx, "no message is being written");
    if (w->capability_count == VALUE_CAPABILITIES)
        return JS_ThrowRangeError(ctx, "a value has too many stubs and streams");
    writer_u8(&w->capabilities, (uint8_t)kind);
    writer_u32(&w->capabilities, handle);
    return JS_NewUint32(ctx, w->capability_count++);
}

static JSValue value_capability_at(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t index, kind = 0;
    if (JS_ToUint32(ctx, &index, argv[0]))
        return JS_EXCEPTION;
    if (!value_reader)
        return JS_ThrowTypeError(ctx, "no message is being read");
    uint32_t handle = read_capability(value_reader, index, &kind);
    if (!handle)
        return JS_EXCEPTION;
    JSValue pair[2] = { JS_NewUint32(ctx, kind), JS_NewUint32(ctx, handle) };
    return JS_NewArrayFrom(ctx, 2, pair);
}

static JSValue value_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint8_t buffer[1024];
    Writer out;
    writer_init(&out, buffer, sizeof buffer);
    JSValue v = write_value(ctx, &out, argv[0]) ? JS_EXCEPTION : JS_NewUint8ArrayCopy(ctx, out.bytes, out.length);
    writer_free(&out);
    return v;
}

/* The bytes from a place on, of a Uint8Array that nobody else has. */
static int value_source(JSContext *ctx, JSValueConst bytes, JSValueConst place, Reader *in)
{
    const uint8_t *p;
    size_t n;
    uint32_t at;
    int found = idl_buffer_source(ctx, bytes, &p, &n);
    if (found < 0 || JS_ToUint32(ctx, &at, place))
        return -1;
    if (found == 0 || at > n) {
        JS_ThrowTypeError(ctx, "there is no message");
        return -1;
    }
    reader_init(in, p + at, n - at);
    return 0;
}

static JSValue value_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Reader in;
    return value_source(ctx, argv[0], argv[1], &in) ? JS_EXCEPTION : read_value(ctx, &in);
}

/* Writes a list of strings. */
static int write_path(JSContext *ctx, Writer *out, JSValueConst path)
{
    uint32_t length;
    if (js_get_length32(ctx, &length, path))
        return -1;
    writer_u32(out, length);
    for (uint32_t i = 0; i < length; i++) {
        JSValue name = JS_GetPropertyUint32(ctx, path, i);
        int result = JS_IsException(name) ? -1 : writer_value(out, ctx, name);
        JS_FreeValue(ctx, name);
        if (result)
            return result;
    }
    return 0;
}

/* The arguments of a call: an array, or the bytes that encodeValue made of one. */
static int write_arguments(JSContext *ctx, Writer *out, JSValueConst v)
{
    const uint8_t *p;
    size_t n;
    if (JS_IsArray(v))
        return write_value(ctx, out, v);
    if (idl_buffer_source(ctx, v, &p, &n) <= 0) {
        JS_ThrowTypeError(ctx, "no arguments");
        return -1;
    }
    writer_raw(out, p, n);
    return 0;
}

static JSValue value_call_stub(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t stub, kind;
    if (JS_ToUint32(ctx, &stub, argv[0]) || JS_ToUint32(ctx, &kind, argv[1]))
        return JS_EXCEPTION;
    uint8_t buffer[1024];
    Writer out;
    writer_init(&out, buffer, sizeof buffer);
    writer_u32(&out, stub);
    writer_u8(&out, (uint8_t)kind);
    JSValue id = JS_EXCEPTION;
    if (write_path(ctx, &out, argv[2]) == 0 && write_arguments(ctx, &out, argv[3]) == 0) {
        Operation *o = operation_new(ctx, js_dup(argv[4]), js_dup(argv[5]));
        if (o) {
            uint32_t n = operation_id(o);
            env_start(OP_STUB_CALL, n, out.bytes, out.length);
            id = JS_NewUint32(ctx, n);
        }
    }
    writer_free(&out);
    return id;
}

static JSValue value_answer_call(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    if (JS_ToUint32(ctx, &event, argv[0]))
        return JS_EXCEPTION;
    uint8_t buffer[1024];
    Writer out;
    Answer a;
    writer_init(&out, buffer, sizeof buffer);
    writer_u32(&out, event);
    int result = write_value(ctx, &out, argv[1]);
    if (result == 0 && (result = call_or_throw(ctx, OP_ANSWER, out.bytes, out.length, &a)) == 0)
        answer_free(&a);
    writer_free(&out);
    return result ? JS_EXCEPTION : JS_UNDEFINED;
}

/* Passes over "value" of the wire; its place, from the start of the message. */
static uint32_t skip_value(Reader *in, const uint8_t *start)
{
    uint32_t at = (uint32_t)(in->at - start), n;
    reader_bytes(in, &n);
    reader_raw(in, (size_t)reader_u32(in) * 5);
    return at;
}

static JSValue value_read_call(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Reader in;
    if (value_source(ctx, argv[0], argv[1], &in))
        return JS_EXCEPTION;
    uint32_t at;
    JS_ToUint32(ctx, &at, argv[1]);
    const uint8_t *start = in.at - at;
    JSValue parts[7];
    parts[0] = JS_NewUint32(ctx, reader_u8(&in));
    parts[1] = reader_string(&in, ctx);
    parts[2] = JS_NewUint32(ctx, skip_value(&in, start));
    parts[3] = JS_NewUint32(ctx, reader_u32(&in));
    parts[4] = JS_NewUint32(ctx, reader_u8(&in));
    parts[5] = JS_NewArray(ctx);
    uint32_t n = reader_u32(&in);
    for (uint32_t i = 0; i < n && !in.failed && !JS_IsException(parts[5]); i++) {
        JSValue name = reader_string(&in, ctx);
        if (JS_IsException(name) || JS_CreateDataPropertyUint32(ctx, parts[5], i, name, JS_PROP_THROW) < 0) {
            JS_FreeValue(ctx, parts[5]);
            parts[5] = JS_EXCEPTION;
        }
    }
    parts[6] = JS_NewUint32(ctx, skip_value(&in, start));
    if (!in.failed && !JS_IsException(parts[1]) && !JS_IsException(parts[5]))
        return JS_NewArrayFrom(ctx, countof(parts), parts);
    JS_FreeValue(ctx, parts[1]);
    JS_FreeValue(ctx, parts[5]);
    return JS_HasException(ctx) ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "the message of a call is malformed");
}

static JSValue value_take_body(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Message *m = JS_GetOpaque(argv[0], request_class);
    if (!m)
        m = JS_GetOpaque(argv[0], response_class);
    if (!m)
        return JS_ThrowTypeError(ctx, "neither a Request nor a Response");
    if (m->body.kind == BODY_NULL)
        return JS_NULL;
    if (body_require_usable(ctx, &m->body))
        return JS_EXCEPTION;
    if (m->body.kind == BODY_TEXT || m->body.kind == BODY_BYTES)
        return body_take_bytes(ctx, &m->body);
    return body_make_stream(ctx, &m->body) ? JS_EXCEPTION : js_dup(m->body.stream);
}

static JSValue value_is_proxy(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_NewBool(ctx, JS_IsProxy(argv[0]));
}

/* A member of an object that can be called from elsewhere: of its own, or of its
 * class but not of Object.prototype. */
static JSValue value_member(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSAtom name = JS_ValueToAtom(ctx, argv[1]);
    if (name == JS_ATOM_NULL)
        return JS_EXCEPTION;
    bool own = JS_ToBool(ctx, argv[2]) > 0;
    JSValue v = JS_EXCEPTION;
    int has = JS_GetOwnPropertyInternal(ctx, NULL, JS_VALUE_GET_OBJ(argv[0]), name);
    bool visible = has == own;
    if (has >= 0 && visible) {
        v = JS_GetProperty(ctx, argv[0], name);
        if (!own && !JS_IsException(v)) {
            JSValue base = JS_GetProperty(ctx, ctx->class_proto[JS_CLASS_OBJECT], name);
            visible = !JS_IsException(base) && !js_strict_eq(ctx, v, base);
            JS_FreeValue(ctx, base);
        }
    }
    JS_FreeAtom(ctx, name);
    if (has < 0 || visible)
        return v;
    JS_FreeValue(ctx, v);
    if (JS_HasException(ctx))
        return JS_EXCEPTION;
    const char *s = JS_ToCString(ctx, argv[1]);
    if (s)
        JS_ThrowTypeError(ctx, "The RPC receiver does not implement the method \"%s\".", s);
    JS_FreeCString(ctx, s);
    return JS_EXCEPTION;
}

/* Gives an object what is called at its disposal; a primitive has none. */
static JSValue value_set_disposer(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsObject(argv[0]) || stub_of(argv[0]))
        return JS_UNDEFINED;
    int defined = JS_DefinePropertyValue(ctx, argv[0], JS_ATOM_Symbol_dispose, js_dup(argv[1]), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    return defined < 0 ? JS_EXCEPTION : JS_UNDEFINED;
}

static int value_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    static const JSCFunctionListEntry services[] = {
        JS_CFUNC_DEF("setValueHooks", 1, value_set_hooks),
        JS_CFUNC_DEF("capability", 2, value_capability),
        JS_CFUNC_DEF("capabilityAt", 1, value_capability_at),
        JS_CFUNC_DEF("encodeValue", 1, value_encode),
        JS_CFUNC_DEF("decodeValue", 2, value_decode),
        JS_CFUNC_DEF("callStub", 6, value_call_stub),
        JS_CFUNC_DEF("answerCall", 2, value_answer_call),
        JS_CFUNC_DEF("readCall", 2, value_read_call),
        JS_CFUNC_DEF("takeBody", 1, value_take_body),
        JS_CFUNC_DEF("isProxy", 1, value_is_proxy),
        JS_CFUNC_DEF("member", 3, value_member),
        JS_CFUNC_DEF("setDisposer", 2, value_set_disposer),
    };
    values.encode_hook = values.decode_hook = JS_UNDEFINED;
    values.begin_hook = JS_UNDEFINED;
    return stub_init(ctx, native) || call_init(ctx, native) ? -1 : JS_SetPropertyFunctionList(ctx, native, services, countof(services));
}

#endif
