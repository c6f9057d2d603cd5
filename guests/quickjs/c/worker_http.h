/*
 * The two ends of a dispatched fetch: a Request from the event's message, and
 * the operation "respond" from a Response. host/op/ops.json describes both.
 *
 *   native.requestOf(message, at) → Request     of what is in message from at on:
 *       str method, str url, list headers, bytes cf, u8 body, bytes body, u32 handle
 *   native.cfOf(request) → object or undefined  what cf says, parsed anew
 *   native.signalOf(request) → AbortSignal or undefined: undefined where nobody
 *       has asked for it
 *   native.isResponse(value), native.streamOf(response) → ReadableStream or undefined
 *   native.respond(event, response, handle) → the host's answer, a number. Where
 *       the response's body is a stream that is not the host's: [number, stream].
 *       handle is that of a body of the host that the response passes on, or 0;
 *       -1 for a WebSocket in its place
 */
#ifndef WORKER_HTTP_H
#define WORKER_HTTP_H

enum { WIRE_BODY_HOST = 3, WIRE_BODY_SOCKET = 4 };

static JSValue worker_request(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const uint8_t *p;
    size_t n;
    uint32_t at;
    int found = idl_buffer_source(ctx, argv[0], &p, &n);
    if (found <= 0 || JS_ToUint32(ctx, &at, argv[1]))
        return found < 0 ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "the message is not a buffer");
    if (at > n)
        return JS_ThrowRangeError(ctx, "the message is cut short");
    ByteStore *source = byte_store_copy(ctx, p + at, n - at);
    if (!source)
        return JS_EXCEPTION;
    Request *request;
    JSValue o = request_create(ctx, JS_UNDEFINED, &request);
    if (JS_IsException(o)) {
        byte_store_free(ctx->rt, source);
        return o;
    }
    request->message.source = source;
    Reader r;
    reader_init(&r, source->bytes, source->length);
    uint32_t length;
    const uint8_t *text = reader_bytes(&r, &length);
    request->method = length == 3 && memcmp(text, "GET", 3) == 0 ? string_dup(request_get_method)
                                                                : string_latin1(ctx, (const char *)text, length);
    request->url = request->method ? read_url(ctx, &r) : NULL;
    if (!request->url)
        goto fail;
    request->redirect = 1; /* as in Workers: manual */
    request->message.immutable = true;
    request->message.encoded = true;
    request->message.headers_at = (uint32_t)(r.at - source->bytes);
    uint32_t count = reader_u32(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        reader_bytes(&r, &length);
        reader_bytes(&r, &length);
    }
    const uint8_t *cf = reader_bytes(&r, &length);
    if (!r.failed && length) {
        request->cf = source;
        source->references++;
        request->cf_at = (uint32_t)(cf - source->bytes);
        request->cf_length = length;
    }
    uint8_t kind = reader_u8(&r);
    const uint8_t *body = reader_bytes(&r, &length);
    uint32_t handle = reader_u32(&r);
    if (r.failed) {
        JS_ThrowTypeError(ctx, "the message of the host is cut short");
        goto fail;
    }
    Body *b = &request->message.body;
    if (kind == WIRE_BODY_BYTES) {
        source->references++;
        *b = (Body){ .kind = BODY_BYTES, .offset = (uint32_t)(body - source->bytes), .length = length, .u.store = source, .stream = JS_UNDEFINED };
    } else if (kind == WIRE_BODY_STREAM) {
        *b = (Body){ .kind = BODY_HANDLE, .u.handle = handle, .stream = JS_UNDEFINED };
    }
    return o;
fail:
    JS_FreeValue(ctx, o);
    return JS_EXCEPTION;
}

static JSValue worker_request_cf(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Request *r = JS_GetOpaque2(ctx, argv[0], request_class);
    if (!r)
        return JS_EXCEPTION;
    if (!r->cf)
        return JS_UNDEFINED;
    char *json = js_malloc(ctx, (size_t)r->cf_length + 1); /* QuickJS wants a NUL behind it */
    if (!json)
        return JS_EXCEPTION;
    memcpy(json, r->cf->bytes + r->cf_at, r->cf_length);
    json[r->cf_length] = 0;
    JSValue v = JS_ParseJSON(ctx, json, r->cf_length, "cf");
    js_free(ctx, json);
    return v;
}

static JSValue worker_request_signal(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Request *r = JS_GetOpaque2(ctx, argv[0], request_class);
    return r ? js_dup(r->signal) : JS_EXCEPTION;
}

static JSValue worker_respond(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    int64_t handle;
    Response *r = JS_GetOpaque2(ctx, argv[1], response_class);
    if (!r || JS_ToUint32(ctx, &event, argv[0]) || JS_ToInt64(ctx, &handle, argv[2]))
        return JS_EXCEPTION;
    Body *b = &r->message.body;
    if (handle == 0 && body_require_usable(ctx, b))
        return JS_EXCEPTION;
    PairList *list = message_list(ctx, &r->message);
    if (!list)
        return JS_EXCEPTION;
    uint8_t buffer[2048];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u32(&w, event);
    writer_u32(&w, r->status);
    if (r->status_text)
        write_utf8(&w, r->status_text);
    else
        writer_bytes(&w, NULL, 0);
    writer_u32(&w, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        write_byte_string(&w, list->pairs[i].name);
        write_utf8(&w, list->pairs[i].value); /* a str, whose code points are bytes */
    }
    bool stream = false;
    if (handle < 0) {
        writer_u8(&w, WIRE_BODY_SOCKET);
        writer_u32(&w, 0);
    } else if (handle > 0 || b->kind == BODY_HANDLE) {
        uint32_t passed = handle > 0 ? (uint32_t)handle : b->u.handle;
        writer_u8(&w, WIRE_BODY_HOST);
        writer_u32(&w, 4);
        writer_u32(&w, passed);
        if (b->kind == BODY_HANDLE) {
            body_clear(ctx->rt, b);
            b->kind = BODY_SPENT;
        }
    } else if (b->kind == BODY_NULL) {
        writer_u8(&w, WIRE_BODY_NONE);
        writer_u32(&w, 0);
    } else if (b->kind == BODY_TEXT) {
        writer_u8(&w, WIRE_BODY_BYTES);
        write_utf8(&w, b->u.text);
        body_clear(ctx->rt, b);
        b->kind = BODY_SPENT;
    } else if (b->kind == BODY_BYTES) {
        writer_u8(&w, WIRE_BODY_BYTES);
        writer_bytes(&w, b->u.store->bytes + b->offset, b->length);
        body_clear(ctx->rt, b);
        b->kind = BODY_SPENT;
    } else {
        writer_u8(&w, WIRE_BODY_STREAM);
        writer_u32(&w, 0);
        stream = true;
    }
    if (w.failed) {
        writer_free(&w);
        return JS_ThrowOutOfMemory(ctx);
    }
    Answer a;
    int failed = call_or_throw(ctx, OP_RESPOND, w.bytes, w.length, &a);
    writer_free(&w);
    if (failed)
        return JS_EXCEPTION;
    Reader answer;
    reader_init(&answer, a.bytes, a.length);
    uint32_t given = reader_u32(&answer);
    answer_free(&a);
    if (!stream)
        return JS_NewUint32(ctx, given);
    JSValue pair[2] = { JS_NewUint32(ctx, given), js_dup(b->stream) };
    return JS_NewArrayFrom(ctx, 2, pair);
}

/* The stream that a response's body is, or undefined. */
static JSValue worker_response_stream(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Response *r = JS_GetOpaque2(ctx, argv[0], response_class);
    if (!r)
        return JS_EXCEPTION;
    return r->message.body.kind == BODY_STREAM ? js_dup(r->message.body.stream) : JS_UNDEFINED;
}

static JSValue worker_is_response(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return js_bool(JS_GetOpaque(argv[0], response_class) != NULL);
}

static const JSCFunctionListEntry worker_http_functions[] = {
    JS_CFUNC_DEF("streamOf", 1, worker_response_stream),
    JS_CFUNC_DEF("isResponse", 1, worker_is_response),
    JS_CFUNC_DEF("requestOf", 2, worker_request),
    JS_CFUNC_DEF("cfOf", 1, worker_request_cf),
    JS_CFUNC_DEF("signalOf", 1, worker_request_signal),
    JS_CFUNC_DEF("respond", 3, worker_respond),
};

#endif
