/*
 * Writer and Reader as JavaScript has them (js/host.js): messages to and from
 * the host are made and taken apart in C, as most operations need one.
 *
 *   new native.Writer(capacity = 64)   u8, u32, f64, bytes, raw, str, pairs: each
 *       answers the writer; done() → Uint8Array, which is the last call
 *   new native.Reader(bytes)           u8, u32, f64, bytes (a view), str, pairs:
 *       undefined where the message is too short
 */
#ifndef MESSAGES_H
#define MESSAGES_H

static JSClassID message_writer_class, message_reader_class;

typedef struct MessageWriter {
    uint8_t *bytes; /* of js_malloc */
    uint32_t length, capacity;
} MessageWriter;

typedef struct MessageReader {
    JSValue bytes; /* a Uint8Array */
    uint32_t at;
} MessageReader;

static void message_writer_finalizer(JSRuntime *rt, JSValueConst v)
{
    MessageWriter *w = JS_GetOpaque(v, message_writer_class);
    if (w) {
        js_free_rt(rt, w->bytes);
        js_free_rt(rt, w);
    }
}

static void message_reader_finalizer(JSRuntime *rt, JSValueConst v)
{
    MessageReader *r = JS_GetOpaque(v, message_reader_class);
    if (r) {
        JS_FreeValueRT(rt, r->bytes);
        js_free_rt(rt, r);
    }
}

static void message_reader_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark)
{
    MessageReader *r = JS_GetOpaque(v, message_reader_class);
    if (r)
        JS_MarkValue(rt, r->bytes, mark);
}

static JSValue message_writer_new(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv)
{
    uint32_t capacity = 64;
    if (argc > 0 && !JS_IsUndefined(argv[0]) && JS_ToUint32(ctx, &capacity, argv[0]))
        return JS_EXCEPTION;
    JSValue o = JS_NewObjectClass(ctx, message_writer_class);
    if (JS_IsException(o))
        return o;
    MessageWriter *w = js_malloc(ctx, sizeof *w);
    if (!w)
        goto fail;
    *w = (MessageWriter){ .capacity = capacity < 16 ? 16 : capacity };
    JS_SetOpaque(o, w);
    w->bytes = js_malloc(ctx, w->capacity);
    if (!w->bytes)
        goto fail;
    return o;
fail:
    JS_FreeValue(ctx, o);
    return JS_EXCEPTION;
}

/* Where n more bytes go; NULL with an exception pending. */
static uint8_t *message_room(JSContext *ctx, JSValueConst writer, size_t n)
{
    MessageWriter *w = JS_GetOpaque2(ctx, writer, message_writer_class);
    if (!w)
        return NULL;
    if (!w->bytes || n > INT32_MAX - w->length) {
        JS_ThrowRangeError(ctx, w->bytes ? "the message is too large" : "the message is done");
        return NULL;
    }
    if (n > w->capacity - w->length) {
        size_t want = w->length + n, twice = (size_t)w->capacity * 2;
        if (want < twice)
            want = twice;
        uint8_t *grown = js_realloc(ctx, w->bytes, want);
        if (!grown)
            return NULL;
        w->bytes = grown;
        w->capacity = (uint32_t)want;
    }
    uint8_t *at = w->bytes + w->length;
    w->length += (uint32_t)n;
    return at;
}

static JSValue message_u8(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t v;
    if (JS_ToUint32(ctx, &v, argv[0]))
        return JS_EXCEPTION;
    uint8_t *at = message_room(ctx, this_val, 1);
    if (!at)
        return JS_EXCEPTION;
    *at = (uint8_t)v;
    return js_dup(this_val);
}

static JSValue message_u32(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t v;
    if (JS_ToUint32(ctx, &v, argv[0]))
        return JS_EXCEPTION;
    uint8_t *at = message_room(ctx, this_val, 4);
    if (!at)
        return JS_EXCEPTION;
    memcpy(at, &v, 4);
    return js_dup(this_val);
}

static JSValue message_f64(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    double v;
    if (JS_ToFloat64(ctx, &v, argv[0]))
        return JS_EXCEPTION;
    uint8_t *at = message_room(ctx, this_val, 8);
    if (!at)
        return JS_EXCEPTION;
    memcpy(at, &v, 8);
    return js_dup(this_val);
}

/* bytes, with their length before them, and raw. */
static JSValue message_bytes(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int with_length)
{
    Payload in; /* which may be of a shared buffer, or a resizable one */
    if (!JS_IsArrayBuffer(argv[0]) && JS_GetTypedArrayType(argv[0]) < 0 && !JS_IsDataView(argv[0]))
        return JS_ThrowTypeError(ctx, "not bytes");
    if (get_payload(ctx, &in, argv[0]))
        return JS_EXCEPTION;
    size_t n = in.length;
    if (n > INT32_MAX - 4)
        return JS_ThrowRangeError(ctx, "the message is too large");
    uint8_t *at = message_room(ctx, this_val, n + (with_length ? 4 : 0));
    if (!at)
        return JS_EXCEPTION;
    if (with_length) {
        uint32_t length = (uint32_t)n;
        memcpy(at, &length, 4);
        at += 4;
    }
    if (n)
        memcpy(at, in.bytes, n);
    return js_dup(this_val);
}

static int message_write_string(JSContext *ctx, JSValueConst writer, JSValueConst v)
{
    size_t n;
    const char *s = utf8_of(ctx, &n, v);
    if (!s)
        return -1;
    uint8_t *at = n > INT32_MAX - 4 ? NULL : message_room(ctx, writer, n + 4);
    if (at) {
        uint32_t length = (uint32_t)n;
        memcpy(at, &length, 4);
        memcpy(at + 4, s, n);
    }
    JS_FreeCString(ctx, s);
    return at ? 0 : -1;
}

static JSValue message_str(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return message_write_string(ctx, this_val, argv[0]) ? JS_EXCEPTION : js_dup(this_val);
}

/* pairs: a list of [name, value]. */
static JSValue message_pairs(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t n;
    if (js_get_length32(ctx, &n, argv[0]))
        return JS_EXCEPTION;
    uint8_t *at = message_room(ctx, this_val, 4);
    if (!at)
        return JS_EXCEPTION;
    memcpy(at, &n, 4);
    for (uint32_t i = 0; i < n; i++) {
        JSValue pair = JS_GetPropertyUint32(ctx, argv[0], i);
        int failed = JS_IsException(pair);
        for (uint32_t k = 0; k < 2 && !failed; k++) {
            JSValue part = JS_GetPropertyUint32(ctx, pair, k);
            failed = JS_IsException(part) || message_write_string(ctx, this_val, part);
            JS_FreeValue(ctx, part);
        }
        JS_FreeValue(ctx, pair);
        if (failed)
            return JS_EXCEPTION;
    }
    return js_dup(this_val);
}

#define MESSAGE_COPIED 4096 /* bytes up to which a message gets a block of its own size */

static JSValue message_done(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageWriter *w = JS_GetOpaque2(ctx, this_val, message_writer_class);
    if (!w)
        return JS_EXCEPTION;
    if (!w->bytes)
        return JS_ThrowTypeError(ctx, "the message is done");
    if (w->length <= MESSAGE_COPIED)
        return JS_NewUint8ArrayCopy(ctx, w->bytes, w->length);
    uint8_t *bytes = w->bytes;
    w->bytes = NULL;
    return JS_NewUint8Array(ctx, bytes, w->length, js_array_buffer_realloc, NULL, false);
}

static JSValue message_reader_new(JSContext *ctx, JSValueConst target, int argc, JSValueConst *argv)
{
    if (!JS_IsObject(argv[0]) || JS_VALUE_GET_OBJ(argv[0])->class_id != JS_CLASS_UINT8_ARRAY)
        return JS_ThrowTypeError(ctx, "a message is a Uint8Array");
    JSValue o = JS_NewObjectClass(ctx, message_reader_class);
    if (JS_IsException(o))
        return o;
    MessageReader *r = js_malloc(ctx, sizeof *r);
    if (!r) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    *r = (MessageReader){ .bytes = js_dup(argv[0]) };
    JS_SetOpaque(o, r);
    return o;
}

/* The next n bytes; NULL where there are fewer. *r is NULL with an exception
 * pending if this is no reader. */
static const uint8_t *message_next(JSContext *ctx, JSValueConst this_val, size_t n, MessageReader **r)
{
    *r = JS_GetOpaque2(ctx, this_val, message_reader_class);
    if (!*r)
        return NULL;
    JSObject *o = JS_VALUE_GET_OBJ((*r)->bytes);
    size_t length = o->u.array.count;
    if ((*r)->at > length || n > length - (*r)->at)
        return NULL;
    const uint8_t *p = o->u.array.u.uint8_ptr + (*r)->at;
    (*r)->at += (uint32_t)n;
    return p;
}

#define MESSAGE_SHORT(r) ((r) ? JS_UNDEFINED : JS_EXCEPTION)

static JSValue message_get_u8(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageReader *r;
    const uint8_t *p = message_next(ctx, this_val, 1, &r);
    return p ? JS_NewInt32(ctx, *p) : MESSAGE_SHORT(r);
}

static JSValue message_get_u32(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageReader *r;
    const uint8_t *p = message_next(ctx, this_val, 4, &r);
    if (!p)
        return MESSAGE_SHORT(r);
    uint32_t v;
    memcpy(&v, p, 4);
    return JS_NewUint32(ctx, v);
}

static JSValue message_get_f64(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageReader *r;
    const uint8_t *p = message_next(ctx, this_val, 8, &r);
    if (!p)
        return MESSAGE_SHORT(r);
    double v;
    memcpy(&v, p, 8);
    return JS_NewNumber(ctx, v);
}

/* A length and that many bytes, of which it answers the first. */
static const uint8_t *message_range(JSContext *ctx, JSValueConst this_val, uint32_t *n, MessageReader **r)
{
    const uint8_t *p = message_next(ctx, this_val, 4, r);
    if (!p)
        return NULL;
    memcpy(n, p, 4);
    return message_next(ctx, this_val, *n, r);
}

static JSValue message_get_bytes(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageReader *r;
    uint32_t n;
    const uint8_t *p = message_range(ctx, this_val, &n, &r);
    if (!p)
        return MESSAGE_SHORT(r);
    JSTypedArray *whole = JS_VALUE_GET_OBJ(r->bytes)->u.typed_array;
    JSValue view = js_create_from_ctor(ctx, JS_UNDEFINED, JS_CLASS_UINT8_ARRAY);
    if (JS_IsException(view))
        return view;
    JSValue buffer = js_dup(JS_MKPTR(JS_TAG_OBJECT, whole->buffer));
    if (typed_array_init(ctx, view, buffer, whole->offset + r->at - n, n, false)) {
        JS_FreeValue(ctx, view);
        return JS_EXCEPTION;
    }
    return view;
}

static JSValue message_get_str(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageReader *r;
    uint32_t n;
    const uint8_t *p = message_range(ctx, this_val, &n, &r);
    return p ? JS_NewStringLen(ctx, (const char *)p, n) : MESSAGE_SHORT(r);
}

static JSValue message_get_pairs(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    MessageReader *r;
    const uint8_t *p = message_next(ctx, this_val, 4, &r);
    if (!p)
        return MESSAGE_SHORT(r);
    uint32_t n;
    memcpy(&n, p, 4);
    JSValue list = JS_NewArray(ctx);
    for (uint32_t i = 0; i < n && !JS_IsException(list); i++) {
        JSValue parts[2] = { message_get_str(ctx, this_val, 0, NULL), JS_UNDEFINED };
        if (JS_IsString(parts[0]))
            parts[1] = message_get_str(ctx, this_val, 0, NULL);
        bool cut = !JS_IsString(parts[1]);
        JSValue pair = cut ? JS_UNDEFINED : JS_NewArrayFrom(ctx, 2, parts);
        if (cut) {
            JS_FreeValue(ctx, parts[0]);
            if (JS_IsException(parts[0]) || JS_IsException(parts[1])) {
                JS_FreeValue(ctx, list);
                return JS_EXCEPTION;
            }
            break;
        }
        if (JS_IsException(pair) || JS_CreateDataPropertyUint32(ctx, list, i, pair, JS_PROP_THROW) < 0) {
            JS_FreeValue(ctx, list);
            list = JS_EXCEPTION;
        }
    }
    return list;
}

static const JSCFunctionListEntry message_writer_methods[] = {
    JS_CFUNC_DEF("u8", 1, message_u8),
    JS_CFUNC_DEF("u32", 1, message_u32),
    JS_CFUNC_DEF("f64", 1, message_f64),
    JS_CFUNC_MAGIC_DEF("bytes", 1, message_bytes, 1),
    JS_CFUNC_MAGIC_DEF("raw", 1, message_bytes, 0),
    JS_CFUNC_DEF("str", 1, message_str),
    JS_CFUNC_DEF("pairs", 1, message_pairs),
    JS_CFUNC_DEF("done", 0, message_done),
};

static const JSCFunctionListEntry message_reader_methods[] = {
    JS_CFUNC_DEF("u8", 0, message_get_u8),
    JS_CFUNC_DEF("u32", 0, message_get_u32),
    JS_CFUNC_DEF("f64", 0, message_get_f64),
    JS_CFUNC_DEF("bytes", 0, message_get_bytes),
    JS_CFUNC_DEF("str", 0, message_get_str),
    JS_CFUNC_DEF("pairs", 0, message_get_pairs),
};

static int message_define(JSContext *ctx, JSValueConst native, JSClassID *id, const JSClassDef *def, JSCFunction *make,
                          const JSCFunctionListEntry *methods, int count)
{
    JSRuntime *rt = JS_GetRuntime(ctx);
    JS_NewClassID(rt, id);
    if (JS_NewClass(rt, *id, def))
        return -1;
    JSValue proto = JS_NewObject(ctx);
    JSValue constructor = JS_NewCFunction2(ctx, make, def->class_name, 1, JS_CFUNC_constructor, 0);
    if (JS_IsException(proto) || JS_IsException(constructor) || JS_SetPropertyFunctionList(ctx, proto, methods, count))
        return -1;
    JS_SetConstructor(ctx, constructor, proto);
    JS_SetClassProto(ctx, *id, proto);
    return JS_DefinePropertyValueStr(ctx, native, def->class_name, constructor, JS_PROP_C_W_E) < 0 ? -1 : 0;
}

static int messages_init(JSContext *ctx, JSValueConst native)
{
    static const JSClassDef writer = { "Writer", .finalizer = message_writer_finalizer };
    static const JSClassDef reader = { "Reader", .finalizer = message_reader_finalizer, .gc_mark = message_reader_mark };
    return message_define(ctx, native, &message_writer_class, &writer, message_writer_new, message_writer_methods,
                          countof(message_writer_methods)) ||
           message_define(ctx, native, &message_reader_class, &reader, message_reader_new, message_reader_methods,
                          countof(message_reader_methods));
}

#endif
