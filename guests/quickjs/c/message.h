/*
 * What Request and Response have in common: headers that become an object when
 * they are asked for, a body, and the methods that read it.
 */
#ifndef MESSAGE_H
#define MESSAGE_H

static JSClassID request_class;
static JSClassID response_class;

typedef struct Message {
    Body body;
    JSValue headers;   /* the Headers object, undefined until it is asked for */
    PairList list;     /* the headers until then */
    bool immutable;    /* guard of the Headers object to be */
    bool encoded;      /* the headers are still in source */
    ByteStore *source; /* an answer of the host */
    uint32_t headers_at;
} Message;

#define MESSAGE_EMPTY ((Message){ .body = BODY_EMPTY, .headers = JS_UNDEFINED })

static void message_clear(JSRuntime *rt, Message *m)
{
    body_clear(rt, &m->body);
    JS_FreeValueRT(rt, m->headers);
    m->headers = JS_UNDEFINED;
    pair_list_clear(rt, &m->list);
    byte_store_free(rt, m->source);
    m->source = NULL;
}

static void message_mark(JSRuntime *rt, Message *m, JS_MarkFunc *mark)
{
    JS_MarkValue(rt, m->headers, mark);
    JS_MarkValue(rt, m->body.stream, mark);
}

/* ---- headers ---- */

/* The ByteString that a str of the host says, whose code points are bytes. */
static JSString *byte_string_from_utf8(JSContext *ctx, const uint8_t *p, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && p[i] < 0x80)
        i++;
    if (i == n)
        return string_latin1(ctx, (const char *)p, n);
    uint8_t *bytes = js_malloc(ctx, n);
    if (!bytes)
        return NULL;
    uint32_t length = 0;
    for (i = 0; i < n; i++) {
        bool pair = (p[i] & 0xFE) == 0xC2 && i + 1 < n && (p[i + 1] & 0xC0) == 0x80;
        bytes[length++] = pair ? (uint8_t)(p[i] << 6 | (p[i + 1] & 0x3F)) : p[i];
        i += pair;
    }
    JSString *s = string_latin1(ctx, (const char *)bytes, length);
    js_free(ctx, bytes);
    return s;
}

/* Decodes the headers of the host's answer. Names and values that are none by
 * the rules of Fetch are left out. */
static int message_decode_headers(JSContext *ctx, Message *m)
{
    Reader r;
    reader_init(&r, m->source->bytes + m->headers_at, m->source->length - m->headers_at);
    uint32_t count = reader_u32(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        uint32_t name_length, value_length;
        const uint8_t *name = reader_bytes(&r, &name_length);
        const uint8_t *value = reader_bytes(&r, &value_length);
        if (!is_mime_token(name, name_length) || memchr(value, 0, value_length) ||
            memchr(value, '\r', value_length) || memchr(value, '\n', value_length))
            continue;
        JSString *k = lower_text(ctx, name, name_length);
        JSString *v = k ? header_value(ctx, byte_string_from_utf8(ctx, value, value_length)) : NULL;
        if (!v) {
            if (k)
                js_free_string(ctx->rt, k);
            return -1;
        }
        if (pair_list_append(ctx, &m->list, k, v))
            return -1;
    }
    m->encoded = false;
    byte_store_free(ctx->rt, m->source);
    m->source = NULL;
    return 0;
}

/* The header list, wherever it is; NULL with an exception pending. */
static PairList *message_list(JSContext *ctx, Message *m)
{
    if (!JS_IsUndefined(m->headers)) {
        Headers *h = JS_GetOpaque(m->headers, headers_class);
        return &h->list;
    }
    if (m->encoded && message_decode_headers(ctx, m)) {
        pair_list_clear(ctx->rt, &m->list);
        return NULL;
    }
    return &m->list;
}

static JSValue message_headers(JSContext *ctx, Message *m)
{
    if (JS_IsUndefined(m->headers)) {
        Headers *h;
        PairList *list = message_list(ctx, m);
        JSValue o = list ? headers_create(ctx, JS_UNDEFINED, &h) : JS_EXCEPTION;
        if (JS_IsException(o))
            return o;
        h->list = *list;
        h->immutable = m->immutable;
        m->list = (PairList){ 0 };
        m->headers = o;
    }
    return js_dup(m->headers);
}

/* Copies the headers of a message into the list of a new one. */
static int message_copy_headers(JSContext *ctx, Message *from, Message *to)
{
    PairList *list = message_list(ctx, from);
    return list ? header_list_copy(ctx, &to->list, list) : -1;
}

/* Appends a content type, which it takes and which may be NULL, unless there is
 * one. Only for a message whose headers are not an object yet. */
static int message_default_type(JSContext *ctx, Message *m, JSString *type)
{
    if (!type)
        return 0;
    if (header_list_find(&m->list, "content-type")) {
        js_free_string(ctx->rt, type);
        return 0;
    }
    return pair_list_append(ctx, &m->list, string_dup(bodies.content_type), type);
}

/* ---- the body mixin ---- */

static Message *message_of(JSContext *ctx, JSValueConst v, bool request)
{
    /* Message is the first member of both. */
    return JS_GetOpaque2(ctx, v, request ? request_class : response_class);
}

#define MESSAGE_REQUEST 16 /* in the magic of members that both classes have */

static JSValue message_package(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic, JSValueConst *data)
{
    int what = magic & (MESSAGE_REQUEST - 1);
    Message *m = message_of(ctx, data[0], (magic & MESSAGE_REQUEST) != 0);
    JSString *mime = NULL;
    if (!m)
        return JS_EXCEPTION;
    if (what == CONSUME_BLOB || what == CONSUME_FORM_DATA) {
        PairList *list = message_list(ctx, m);
        mime = list ? mime_extract(ctx, list) : NULL;
        if (!mime)
            return JS_EXCEPTION;
    }
    JSValue result = body_package(ctx, what, argv[0], mime);
    if (mime)
        js_free_string(ctx->rt, mime);
    return result;
}

/* Reads a stream to its end and packages what it had: a promise. */
static JSValue message_consume_stream(JSContext *ctx, JSValueConst this_val, Message *m, int magic)
{
    JSValue all;
    if (m->body.kind == BODY_HANDLE && JS_IsFunction(ctx, bodies.hooks[HOOK_READ_HANDLE])) {
        JSValue handle = js_uint32(m->body.u.handle);
        m->body.kind = BODY_SPENT;
        all = body_hook(ctx, HOOK_READ_HANDLE, 1, vc(&handle));
    } else {
        if (body_make_stream(ctx, &m->body))
            return JS_EXCEPTION;
        JSValue stream = js_dup(m->body.stream);
        all = body_hook(ctx, HOOK_READ_ALL, 1, vc(&stream));
        JS_FreeValue(ctx, stream);
    }
    if (JS_IsException(all))
        return all;
    JSValue package = JS_NewCFunctionData(ctx, message_package, 1, magic, 1, &this_val);
    JSValue promise = JS_IsException(package) ? package : JS_PromiseThen(ctx, all, package, JS_UNDEFINED);
    JS_FreeValue(ctx, package);
    JS_FreeValue(ctx, all);
    return promise;
}

static JSValue message_consume(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    int what = magic & (MESSAGE_REQUEST - 1);
    Message *m = message_of(ctx, this_val, (magic & MESSAGE_REQUEST) != 0);
    if (!m || body_require_usable(ctx, &m->body))
        return promise_rejected(ctx);
    Body *b = &m->body;
    if (b->kind == BODY_STREAM || b->kind == BODY_HANDLE) {
        JSValue promise = message_consume_stream(ctx, this_val, m, magic);
        return JS_IsException(promise) ? promise_rejected(ctx) : promise;
    }
    JSValue result;
    if (b->kind == BODY_TEXT && (what == CONSUME_TEXT || what == CONSUME_JSON)) {
        /* The shortest way: a string that was given is given back. */
        result = body_decoded_text(ctx, b->u.text);
        body_clear(ctx->rt, b);
        b->kind = BODY_SPENT;
        if (what == CONSUME_JSON && !JS_IsException(result))
            result = parse_json_string(ctx, result);
    } else if (b->kind == BODY_BYTES && (what == CONSUME_TEXT || what == CONSUME_JSON)) {
        result = utf8_decode_string(ctx, b->u.store->bytes + b->offset, b->length);
        body_clear(ctx->rt, b);
        b->kind = BODY_SPENT;
        if (what == CONSUME_JSON && !JS_IsException(result))
            result = parse_json_string(ctx, result);
    } else {
        JSValue bytes = b->kind == BODY_NULL ? JS_NewUint8ArrayCopy(ctx, (const uint8_t *)"", 0) : body_take_bytes(ctx, b);
        result = bytes;
        if (!JS_IsException(bytes)) {
            result = message_package(ctx, JS_UNDEFINED, 1, vc(&bytes), magic, &this_val);
            JS_FreeValue(ctx, bytes);
        }
    }
    return promise_of(ctx, result);
}

enum { MESSAGE_HEADERS, MESSAGE_BODY, MESSAGE_BODY_USED };

static JSValue message_get(JSContext *ctx, JSValueConst this_val, int magic)
{
    Message *m = message_of(ctx, this_val, (magic & MESSAGE_REQUEST) != 0);
    if (!m)
        return JS_EXCEPTION;
    switch (magic & (MESSAGE_REQUEST - 1)) {
    case MESSAGE_HEADERS:
        return message_headers(ctx, m);
    case MESSAGE_BODY:
        if (m->body.kind == BODY_NULL)
            return JS_NULL;
        return body_make_stream(ctx, &m->body) ? JS_EXCEPTION : js_dup(m->body.stream);
    default: {
        int used = body_used(ctx, &m->body);
        return used < 0 ? JS_EXCEPTION : js_bool(used);
    }
    }
}

#define MESSAGE_MEMBERS(is_request) \
    IDL_GETTER_MAGIC("headers", message_get, (is_request) | MESSAGE_HEADERS), \
        IDL_GETTER_MAGIC("body", message_get, (is_request) | MESSAGE_BODY), \
        IDL_GETTER_MAGIC("bodyUsed", message_get, (is_request) | MESSAGE_BODY_USED), \
        IDL_METHOD_MAGIC("arrayBuffer", 0, message_consume, (is_request) | CONSUME_ARRAY_BUFFER), \
        IDL_METHOD_MAGIC("blob", 0, message_consume, (is_request) | CONSUME_BLOB), \
        IDL_METHOD_MAGIC("bytes", 0, message_consume, (is_request) | CONSUME_BYTES), \
        IDL_METHOD_MAGIC("formData", 0, message_consume, (is_request) | CONSUME_FORM_DATA), \
        IDL_METHOD_MAGIC("json", 0, message_consume, (is_request) | CONSUME_JSON), \
        IDL_METHOD_MAGIC("text", 0, message_consume, (is_request) | CONSUME_TEXT)

/* ---- dictionaries ---- */

/* Reads a member of an init dictionary. 1: it is there, 0: undefined, -1. */
static int init_member(JSContext *ctx, JSValueConst init, JSAtom name, JSValue *v)
{
    *v = JS_GetProperty(ctx, init, name);
    if (JS_IsException(*v))
        return -1;
    return !JS_IsUndefined(*v);
}

/* Reads "headers" of an init dictionary. */
static int init_headers(JSContext *ctx, JSValueConst init, PairList *pairs)
{
    JSValue v;
    int found = init_member(ctx, init, bodies.headers, &v);
    if (found > 0 && headers_init_convert(ctx, v, pairs))
        found = -1;
    JS_FreeValue(ctx, v);
    return found;
}

#endif
