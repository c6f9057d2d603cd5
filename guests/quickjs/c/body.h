/*
 * Bodies of requests and responses. https://fetch.spec.whatwg.org/#body-mixin
 *
 * Streams, Blob, FormData and AbortSignal are JavaScript classes. The bootstrap
 * hands over what is needed of them, once, by
 *
 *   native.setBodyHooks({
 *     isStream(v) → boolean               v is a ReadableStream
 *     isDisturbed(stream), isLocked(stream) → boolean
 *     streamFrom(source) → ReadableStream of bytes; source is a Uint8Array, which
 *                                         becomes the stream's own, or the number
 *                                         of a host's body (body_read, body_cancel)
 *     readAll(stream) → Promise<Uint8Array>   locks the stream for ever; rejects
 *                                         with a TypeError where a chunk is no Uint8Array
 *     readHandle(number) → Promise<Uint8Array>   optional: a host's body without a stream
 *     tee(stream) → [a, b]
 *     proxy(stream) → ReadableStream      optional: stream piped through an identity
 *                                         transform, so that it is locked and used
 *     isBlob(v), blobParts(v) → {bytes, type}, makeBlob(bytes, type) → Blob
 *     isFormData(v), encodeFormData(v) → {bytes, type}
 *     parseFormData(bytes, type) → FormData   throws a TypeError; type is the
 *                                         serialized MIME type, maybe ""
 *     isSignal(v), followSignal(signal or undefined) → AbortSignal that follows it
 *     isSocket(v)                         a WebSocket
 *     hold(handle)                        the host has a Response's body
 *   })
 *
 * bytes are Uint8Arrays. Hooks are called without a receiver. What fetch() needs
 * is in fetch.h.
 */
#ifndef BODY_H
#define BODY_H

#include "mime.h"
#include "url.h"
#include "utf8.h"

enum {
    HOOK_IS_STREAM,
    HOOK_IS_DISTURBED,
    HOOK_IS_LOCKED,
    HOOK_STREAM_FROM,
    HOOK_READ_ALL,
    HOOK_READ_HANDLE,
    HOOK_TEE,
    HOOK_PROXY,
    HOOK_IS_BLOB,
    HOOK_BLOB_PARTS,
    HOOK_MAKE_BLOB,
    HOOK_IS_FORM_DATA,
    HOOK_ENCODE_FORM_DATA,
    HOOK_PARSE_FORM_DATA,
    HOOK_IS_SIGNAL,
    HOOK_FOLLOW_SIGNAL,
    HOOK_IS_SOCKET,
    HOOK_HOLD,
    HOOK_COUNT
};

static const char *const body_hook_names[HOOK_COUNT] = {
    "isStream", "isDisturbed", "isLocked",   "streamFrom", "readAll",        "readHandle",    "tee",      "proxy",
    "isBlob",   "blobParts",   "makeBlob",   "isFormData", "encodeFormData", "parseFormData", "isSignal", "followSignal",
    "isSocket", "hold",
};

static struct {
    JSValue hooks[HOOK_COUNT]; /* functions, or undefined */
    JSString *text_type;       /* content types of texts and of URLSearchParams */
    JSString *params_type;
    JSString *json_type;
    JSString *content_type;    /* the name */
    JSAtom bytes;              /* names of properties */
    JSAtom type;
    JSAtom headers;
    JSAtom status;
    JSAtom status_text;
    JSAtom web_socket;
} bodies;

static JSValue body_hook(JSContext *ctx, int hook, int argc, JSValueConst *argv)
{
    if (!JS_IsFunction(ctx, bodies.hooks[hook]))
        return JS_ThrowTypeError(ctx, "%s is not available", body_hook_names[hook]);
    return JS_Call(ctx, bodies.hooks[hook], JS_UNDEFINED, argc, argv);
}

/* Asks a predicate: 1, 0, or -1 with an exception pending. */
static int body_ask(JSContext *ctx, int hook, JSValueConst v)
{
    if (!JS_IsFunction(ctx, bodies.hooks[hook]))
        return 0;
    JSValue r = JS_Call(ctx, bodies.hooks[hook], JS_UNDEFINED, 1, &v);
    return JS_IsException(r) ? -1 : JS_ToBoolFree(ctx, r) != 0;
}

/* Bytes that bodies share; never changed while more than one has them. */
typedef struct ByteStore {
    uint32_t references;
    uint32_t length;
    uint8_t *bytes;
} ByteStore;

static void byte_store_free(JSRuntime *rt, ByteStore *s)
{
    if (s && --s->references == 0) {
        js_free_rt(rt, s->bytes);
        js_free_rt(rt, s);
    }
}

static ByteStore *byte_store_copy(JSContext *ctx, const uint8_t *p, size_t n)
{
    if (n > INT32_MAX) {
        JS_ThrowRangeError(ctx, "too many bytes");
        return NULL;
    }
    ByteStore *s = js_malloc(ctx, sizeof *s);
    if (!s)
        return NULL;
    *s = (ByteStore){ 1, (uint32_t)n, js_malloc(ctx, n ? n : 1) };
    if (!s->bytes) {
        js_free(ctx, s);
        return NULL;
    }
    memcpy(s->bytes, p, n);
    return s;
}

typedef enum {
    BODY_NULL,
    BODY_TEXT,   /* a well-formed string */
    BODY_BYTES,  /* a range of a store */
    BODY_STREAM, /* a ReadableStream */
    BODY_HANDLE, /* a stream of the host that has no object yet */
    BODY_SPENT,  /* read without a stream: its object, if asked for, is a used one */
} BodyKind;

typedef struct Body {
    uint8_t kind;
    uint32_t offset; /* of BODY_BYTES */
    uint32_t length;
    union {
        JSString *text;
        ByteStore *store;
        uint32_t handle;
    } u;
    JSValue stream;
} Body;

#define BODY_EMPTY ((Body){ .kind = BODY_NULL, .stream = JS_UNDEFINED })

static void body_clear(JSRuntime *rt, Body *b)
{
    if (b->kind == BODY_TEXT)
        js_free_string(rt, b->u.text);
    else if (b->kind == BODY_BYTES)
        byte_store_free(rt, b->u.store);
    JSValue stream = b->stream;
    *b = BODY_EMPTY;
    JS_FreeValueRT(rt, stream);
}

/* ---- extracting ---- */

typedef enum {
    INIT_NULL,
    INIT_STRING,
    INIT_BUFFER,
    INIT_PARAMS,
    INIT_STREAM,
    INIT_BLOB,
    INIT_FORM_DATA,
} BodyInitKind;

/* A BodyInit that is converted but not extracted yet: conversions come first. */
typedef struct BodyInit {
    BodyInitKind kind;
    JSValue value;
} BodyInit;

static int body_init_convert(JSContext *ctx, JSValueConst v, BodyInit *init)
{
    *init = (BodyInit){ INIT_NULL, JS_UNDEFINED };
    if (JS_IsUndefined(v) || JS_IsNull(v))
        return 0;
    if (JS_IsObject(v)) {
        static const struct {
            uint8_t hook, kind;
        } kinds[] = { { HOOK_IS_STREAM, INIT_STREAM }, { HOOK_IS_BLOB, INIT_BLOB }, { HOOK_IS_FORM_DATA, INIT_FORM_DATA } };
        const uint8_t *p;
        size_t n;
        int found = idl_buffer_source(ctx, v, &p, &n);
        if (found < 0)
            return -1;
        if (found)
            init->kind = INIT_BUFFER;
        else if (JS_GetOpaque(v, search_params_class))
            init->kind = INIT_PARAMS;
        for (size_t i = 0; i < countof(kinds) && init->kind == INIT_NULL; i++) {
            found = body_ask(ctx, kinds[i].hook, v);
            if (found < 0)
                return -1;
            if (found)
                init->kind = (BodyInitKind)kinds[i].kind;
        }
        if (init->kind != INIT_NULL) {
            init->value = js_dup(v);
            return 0;
        }
    }
    JSString *s = idl_usv_string(ctx, v);
    if (!s)
        return -1;
    *init = (BodyInit){ INIT_STRING, string_value(s) };
    return 0;
}

static int body_from_bytes(JSContext *ctx, Body *b, const uint8_t *p, size_t n)
{
    ByteStore *s = byte_store_copy(ctx, p, n);
    if (!s)
        return -1;
    b->kind = BODY_BYTES;
    b->offset = 0;
    b->length = s->length;
    b->u.store = s;
    return 0;
}

/* The bytes and the type of a Blob or FormData. */
static int body_from_parts(JSContext *ctx, int hook, JSValueConst v, Body *b, JSString **type)
{
    JSValue parts = body_hook(ctx, hook, 1, &v);
    JSValue bytes = JS_IsException(parts) ? JS_EXCEPTION : JS_GetProperty(ctx, parts, bodies.bytes);
    JSValue kind = JS_IsException(bytes) ? JS_EXCEPTION : JS_GetProperty(ctx, parts, bodies.type);
    JSString *name = JS_IsException(kind) ? NULL : idl_usv_string(ctx, kind);
    const uint8_t *p;
    size_t n;
    int result = -1;
    if (name && idl_buffer_source(ctx, bytes, &p, &n) >= 0)
        result = body_from_bytes(ctx, b, p, n);
    JS_FreeValue(ctx, parts);
    JS_FreeValue(ctx, bytes);
    JS_FreeValue(ctx, kind);
    if (name && (result || name->len == 0)) {
        js_free_string(ctx->rt, name);
        name = NULL;
    }
    *type = name;
    return result;
}

/* "Extract a body": fills an empty body and tells its content type, NULL if it
 * has none. Takes what init holds. */
static int body_extract(JSContext *ctx, BodyInit *init, Body *b, JSString **type)
{
    JSValue v = init->value;
    const uint8_t *p;
    size_t n;
    int result = 0;
    *type = NULL;
    init->value = JS_UNDEFINED;
    switch (init->kind) {
    case INIT_NULL:
        break;
    case INIT_STRING:
        b->kind = BODY_TEXT;
        b->u.text = string_of(v);
        *type = string_dup(bodies.text_type);
        return 0;
    case INIT_BUFFER:
        result = idl_buffer_source(ctx, v, &p, &n) < 0 ? -1 : body_from_bytes(ctx, b, p, n);
        break;
    case INIT_PARAMS: {
        SearchParams *params = JS_GetOpaque(v, search_params_class);
        b->u.text = form_serialize(ctx, &params->list);
        if (b->u.text) {
            b->kind = BODY_TEXT;
            *type = string_dup(bodies.params_type);
        } else {
            result = -1;
        }
        break;
    }
    case INIT_STREAM: {
        int disturbed = body_ask(ctx, HOOK_IS_DISTURBED, v);
        int locked = disturbed ? disturbed : body_ask(ctx, HOOK_IS_LOCKED, v);
        if (locked == 0) {
            b->kind = BODY_STREAM;
            b->stream = v;
            return 0;
        }
        if (locked > 0)
            JS_ThrowTypeError(ctx, "the stream is locked or has been read from");
        result = -1;
        break;
    }
    case INIT_BLOB:
        result = body_from_parts(ctx, HOOK_BLOB_PARTS, v, b, type);
        break;
    case INIT_FORM_DATA:
        result = body_from_parts(ctx, HOOK_ENCODE_FORM_DATA, v, b, type);
        break;
    }
    JS_FreeValue(ctx, v);
    return result;
}

/* ---- taking a body apart ---- */

/* The bytes of a text or a range of bytes as a Uint8Array; the body is spent. */
static JSValue body_take_bytes(JSContext *ctx, Body *b)
{
    uint8_t *bytes;
    size_t n;
    if (b->kind == BODY_TEXT) {
        JSString *s = b->u.text;
        uint32_t read, written;
        n = string_utf8_length(s);
        bytes = js_malloc(ctx, n ? n : 1);
        if (!bytes)
            return JS_EXCEPTION;
        if (!s->is_wide_char && n == s->len)
            memcpy(bytes, str8(s), n);
        else
            string_encode_into(s, bytes, n, &read, &written);
    } else {
        ByteStore *s = b->u.store;
        n = b->length;
        if (s->references == 1 && b->offset == 0 && n == s->length) {
            bytes = s->bytes;
            s->bytes = NULL;
        } else {
            bytes = js_malloc(ctx, n ? n : 1);
            if (!bytes)
                return JS_EXCEPTION;
            memcpy(bytes, s->bytes + b->offset, n);
        }
    }
    body_clear(ctx->rt, b);
    b->kind = BODY_SPENT;
    return uint8_array_take(ctx, bytes, n);
}

/* Makes the body's ReadableStream, if it has none yet. */
static int body_make_stream(JSContext *ctx, Body *b)
{
    JSValue source, stream;
    bool spent = b->kind == BODY_SPENT;
    switch (b->kind) {
    case BODY_NULL:
    case BODY_STREAM:
        return 0;
    case BODY_HANDLE:
        source = js_uint32(b->u.handle);
        break;
    case BODY_SPENT:
        source = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)"", 0);
        break;
    default:
        source = body_take_bytes(ctx, b);
    }
    if (JS_IsException(source))
        return -1;
    stream = body_hook(ctx, HOOK_STREAM_FROM, 1, vc(&source));
    JS_FreeValue(ctx, source);
    if (JS_IsException(stream))
        return -1;
    if (spent) {
        JSValue read = body_hook(ctx, HOOK_READ_ALL, 1, vc(&stream));
        if (JS_IsException(read)) {
            JS_FreeValue(ctx, stream);
            return -1;
        }
        JS_FreeValue(ctx, read);
    }
    if (b->kind == BODY_STREAM) {
        JS_FreeValue(ctx, stream); /* a hook came back here and made it already */
        return 0;
    }
    b->kind = BODY_STREAM;
    b->stream = stream;
    return 0;
}

/* bodyUsed: 1, 0, or -1 with an exception pending. */
static int body_used(JSContext *ctx, Body *b)
{
    if (b->kind == BODY_STREAM)
        return body_ask(ctx, HOOK_IS_DISTURBED, b->stream);
    return b->kind == BODY_SPENT;
}

/* Throws where the body is disturbed or locked. */
static int body_require_usable(JSContext *ctx, Body *b)
{
    int unusable = body_used(ctx, b);
    if (unusable == 0 && b->kind == BODY_STREAM)
        unusable = body_ask(ctx, HOOK_IS_LOCKED, b->stream);
    if (unusable > 0)
        JS_ThrowTypeError(ctx, "the body is locked or has been used already");
    return unusable ? -1 : 0;
}

/* Makes a second body of the same content, for clone(). The body is usable. */
static int body_clone(JSContext *ctx, Body *b, Body *copy)
{
    *copy = BODY_EMPTY;
    if (b->kind == BODY_HANDLE && body_make_stream(ctx, b))
        return -1;
    switch (b->kind) {
    case BODY_TEXT:
        *copy = *b;
        string_dup(b->u.text);
        break;
    case BODY_BYTES:
        *copy = *b;
        b->u.store->references++;
        break;
    case BODY_STREAM: {
        JSValue whole = js_dup(b->stream);
        JSValue pair = body_hook(ctx, HOOK_TEE, 1, vc(&whole));
        JS_FreeValue(ctx, whole);
        JSValue first = JS_IsException(pair) ? JS_EXCEPTION : JS_GetPropertyUint32(ctx, pair, 0);
        JSValue second = JS_IsException(first) ? JS_EXCEPTION : JS_GetPropertyUint32(ctx, pair, 1);
        JS_FreeValue(ctx, pair);
        if (JS_IsException(second)) {
            JS_FreeValue(ctx, first);
            return -1;
        }
        JSValue old = b->stream;
        b->stream = first;
        copy->kind = BODY_STREAM;
        copy->stream = second;
        JS_FreeValue(ctx, old);
        break;
    }
    }
    return 0;
}

/* Moves a usable body into a new one and leaves the old one used ("create a
 * proxy" for a body). */
static int body_move(JSContext *ctx, Body *from, Body *to)
{
    if (from->kind == BODY_STREAM && JS_IsFunction(ctx, bodies.hooks[HOOK_PROXY])) {
        JSValue whole = js_dup(from->stream);
        JSValue proxy = body_hook(ctx, HOOK_PROXY, 1, vc(&whole));
        JS_FreeValue(ctx, whole);
        if (JS_IsException(proxy))
            return -1;
        to->kind = BODY_STREAM;
        to->stream = proxy;
        return 0;
    }
    bool had_body = from->kind != BODY_NULL;
    *to = *from;
    *from = BODY_EMPTY;
    if (had_body)
        from->kind = BODY_SPENT;
    return 0;
}

/* ---- consuming ---- */

enum { CONSUME_ARRAY_BUFFER, CONSUME_BLOB, CONSUME_BYTES, CONSUME_FORM_DATA, CONSUME_JSON, CONSUME_TEXT };

static JSValue parse_json_string(JSContext *ctx, JSValue text)
{
    size_t n;
    const char *s = JS_ToCStringLen(ctx, &n, text);
    JSValue v = s ? JS_ParseJSON(ctx, s, n, "<json>") : JS_EXCEPTION;
    JS_FreeCString(ctx, s);
    JS_FreeValue(ctx, text);
    return v;
}

/* A text without its byte order mark. */
static JSValue body_decoded_text(JSContext *ctx, JSString *s)
{
    if (s->is_wide_char && s->len && str16(s)[0] == 0xFEFF)
        return js_sub_string(ctx, s, 1, (int)s->len);
    return string_value(string_dup(s));
}

/* The ArrayBuffer of a Uint8Array: its own where that holds nothing else. */
static JSValue uint8_array_buffer(JSContext *ctx, JSValueConst bytes)
{
    const uint8_t *p;
    size_t n;
    JSTypedArray *view = JS_VALUE_GET_OBJ(bytes)->u.typed_array;
    if (idl_buffer_source(ctx, bytes, &p, &n) < 0)
        return JS_EXCEPTION;
    if (view->offset == 0 && n == (size_t)view->buffer->u.array_buffer->byte_length)
        return js_dup(JS_MKPTR(JS_TAG_OBJECT, view->buffer));
    return JS_NewArrayBufferCopy(ctx, p, n);
}

/* What a method answers for all the bytes of a body, a Uint8Array that is
 * nobody else's. mime is a serialized MIME type. */
static JSValue body_package(JSContext *ctx, int what, JSValueConst bytes, JSString *mime)
{
    const uint8_t *p;
    size_t n;
    if (JS_GetTypedArrayType(bytes) != JS_TYPED_ARRAY_UINT8)
        return JS_ThrowTypeError(ctx, "the body is not made of bytes");
    JSValueConst args[2] = { bytes, mime ? string_value(mime) : JS_UNDEFINED };
    switch (what) {
    case CONSUME_ARRAY_BUFFER:
        return uint8_array_buffer(ctx, bytes);
    case CONSUME_BYTES: {
        JSValue buffer = uint8_array_buffer(ctx, bytes);
        if (same_object(buffer, JS_MKPTR(JS_TAG_OBJECT, JS_VALUE_GET_OBJ(bytes)->u.typed_array->buffer))) {
            JS_FreeValue(ctx, buffer);
            return js_dup(bytes);
        }
        return JS_IsException(buffer) ? buffer : js_new_uint8array(ctx, buffer);
    }
    case CONSUME_BLOB:
        return body_hook(ctx, HOOK_MAKE_BLOB, 2, args);
    case CONSUME_FORM_DATA:
        return body_hook(ctx, HOOK_PARSE_FORM_DATA, 2, args);
    }
    if (idl_buffer_source(ctx, bytes, &p, &n) < 0)
        return JS_EXCEPTION;
    JSValue text = utf8_decode_string(ctx, p, n);
    return what == CONSUME_JSON && !JS_IsException(text) ? parse_json_string(ctx, text) : text;
}

static JSValue body_set_hooks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    for (int i = 0; i < HOOK_COUNT; i++) {
        JSValue hook = JS_GetPropertyStr(ctx, argv[0], body_hook_names[i]);
        if (JS_IsException(hook))
            return hook;
        JS_FreeValue(ctx, bodies.hooks[i]);
        bodies.hooks[i] = hook;
    }
    return JS_UNDEFINED;
}

#include "message.h"
#include "response.h"
#include "request.h"
#include "fetch.h"
#include "worker_http.h"

static int body_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    static const char text_type[] = "text/plain;charset=UTF-8";
    static const char params_type[] = "application/x-www-form-urlencoded;charset=UTF-8";
    static const char json_type[] = "application/json";
    for (int i = 0; i < HOOK_COUNT; i++)
        bodies.hooks[i] = JS_UNDEFINED;
    bodies.text_type = string_latin1(ctx, text_type, sizeof text_type - 1);
    bodies.params_type = string_latin1(ctx, params_type, sizeof params_type - 1);
    bodies.json_type = string_latin1(ctx, json_type, sizeof json_type - 1);
    bodies.content_type = string_latin1(ctx, "content-type", 12);
    bodies.bytes = JS_NewAtom(ctx, "bytes");
    bodies.type = JS_NewAtom(ctx, "type");
    bodies.headers = JS_NewAtom(ctx, "headers");
    bodies.status = JS_NewAtom(ctx, "status");
    bodies.status_text = JS_NewAtom(ctx, "statusText");
    bodies.web_socket = JS_NewAtom(ctx, "webSocket");
    if (!bodies.text_type || !bodies.params_type || !bodies.json_type || !bodies.content_type || !bodies.bytes ||
        !bodies.type || !bodies.headers || !bodies.status || !bodies.status_text || !bodies.web_socket)
        return -1;
    if (response_init(ctx, global) || request_init(ctx, global))
        return -1;
    static const JSCFunctionListEntry services[] = {
        JS_CFUNC_DEF("setBodyHooks", 1, body_set_hooks),
        JS_CFUNC_DEF("fetchMessage", 1, fetch_message),
        JS_CFUNC_DEF("fetchResponse", 1, fetch_response),
        JS_CFUNC_DEF("fetchPlain", 3, fetch_plain),
    };
    return JS_SetPropertyFunctionList(ctx, native, services, countof(services)) ||
           JS_SetPropertyFunctionList(ctx, native, worker_http_functions, countof(worker_http_functions));
}

#endif
