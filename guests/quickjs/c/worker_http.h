/*
 * The two ends of a dispatched fetch: a Request from the event's message, and
 * the operation "respond" from a Response. host/op/ops.json describes both.
 *
 *   native.signalOf(request) → AbortSignal or undefined: undefined where nobody
 *       has asked for it
 *   native.socketOf(response) → WebSocket or undefined, native.setSocket(response, socket)
 *   native.respond(event, response, request, how, last) → answers the event with how
 *       0: false if that is no Response, nor a promise that is fulfilled with one;
 *          true if it was sent, and if last is true the event is over by that;
 *          else what the caller has to send, which nothing was done with: a
 *          ReadableStream, or a WebSocket
 *       a handle of a host's body, to pass that on; -1: a WebSocket; -2: a stream;
 *       -3: no body, whatever it has: answers the number that the host answered
 */
#ifndef WORKER_HTTP_H
#define WORKER_HTTP_H

enum { WIRE_BODY_HOST = 3, WIRE_BODY_SOCKET = 4 };

/* How a response's body is sent, where the caller says so. */
enum { RESPOND_AS_IT_IS = 0, RESPOND_SOCKET = -1, RESPOND_STREAM = -2, RESPOND_NOTHING = -3 };

static JSValue worker_request(JSContext *ctx, Reader *message)
{
    if (message->failed)
        return JS_ThrowTypeError(ctx, "the message of the host is cut short");
    ByteStore *source = byte_store_copy(ctx, message->at, (size_t)(message->end - message->at));
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
    request->incoming = true;
    if (!r.failed && length) {
        request->source = source;
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

static JSValue worker_request_signal(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Request *r = JS_GetOpaque2(ctx, argv[0], request_class);
    return r ? js_dup(r->signal) : JS_EXCEPTION;
}

static JSValue worker_respond(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    int64_t how;
    Response *r = JS_GetOpaque(argv[1], response_class);
    if (!r && JS_IsPromise(argv[1]) && JS_PromiseState(ctx, argv[1]) == JS_PROMISE_FULFILLED)
        r = JS_GetOpaque(JS_VALUE_GET_OBJ(argv[1])->u.promise_data->promise_result, response_class);
    if (!r)
        return JS_FALSE;
    Request *request = JS_GetOpaque(argv[2], request_class);
    if (JS_ToUint32(ctx, &event, argv[0]) || JS_ToInt64(ctx, &how, argv[3]))
        return JS_EXCEPTION;
    Body *b = &r->message.body;
    if (how == RESPOND_AS_IT_IS) {
        if (r->type == RESPONSE_ERROR)
            return JS_ThrowTypeError(ctx, "Return value is Response.error(), which can't be sent.");
        if (!JS_IsUndefined(r->socket))
            return js_dup(r->socket);
        if (body_require_usable(ctx, b))
            return JS_EXCEPTION;
        if (b->kind == BODY_STREAM)
            return js_dup(b->stream);
    }
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
    bool head = request && string_is(request->method, "HEAD") && (how == RESPOND_AS_IT_IS || how == RESPOND_NOTHING);
    bool measured = head && (b->kind == BODY_TEXT || b->kind == BODY_BYTES) && !header_list_find(list, "content-length");
    writer_u32(&w, list->count + measured);
    for (uint32_t i = 0; i < list->count; i++) {
        write_byte_string(&w, list->pairs[i].name);
        write_utf8(&w, list->pairs[i].value); /* a str, whose code points are bytes */
    }
    if (measured) {
        char digits[16];
        snprintf(digits, sizeof digits, "%u", b->kind == BODY_TEXT ? (uint32_t)string_utf8_length(b->u.text) : b->length);
        writer_cstring(&w, "content-length");
        writer_cstring(&w, digits);
    }
    uint8_t kind = how == RESPOND_SOCKET ? WIRE_BODY_SOCKET
                 : how == RESPOND_STREAM ? WIRE_BODY_STREAM
                 : how > 0               ? WIRE_BODY_HOST
                 : head || how == RESPOND_NOTHING || b->kind == BODY_NULL ? WIRE_BODY_NONE
                 : b->kind == BODY_HANDLE ? WIRE_BODY_HOST : WIRE_BODY_BYTES;
    writer_u8(&w, kind);
    if (kind == WIRE_BODY_HOST) {
        writer_u32(&w, 4);
        writer_u32(&w, how > 0 ? (uint32_t)how : b->u.handle);
    } else if (kind == WIRE_BODY_BYTES && b->kind == BODY_TEXT) {
        write_utf8(&w, b->u.text);
    } else if (kind == WIRE_BODY_BYTES) {
        writer_bytes(&w, b->u.store->bytes + b->offset, b->length);
    } else {
        writer_u32(&w, 0);
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
    if (b->kind == BODY_HANDLE && kind == WIRE_BODY_NONE)
        env_call(OP_BODY_CANCEL, &b->u.handle, sizeof b->u.handle, NULL, 0);
    if (b->kind == BODY_TEXT || b->kind == BODY_BYTES || b->kind == BODY_HANDLE) {
        body_clear(ctx->rt, b);
        b->kind = BODY_SPENT;
    }
    if (how != RESPOND_AS_IT_IS)
        return JS_NewUint32(ctx, given);
    if (JS_IsBool(argv[4]) && JS_VALUE_GET_BOOL(argv[4])) {
        env_call(OP_EVENT_DONE, &event, sizeof event, NULL, 0);
        end_event(ctx, event);
    }
    return JS_TRUE;
}

static JSValue worker_response_socket(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Response *r = JS_GetOpaque2(ctx, argv[0], response_class);
    return r ? js_dup(r->socket) : JS_EXCEPTION;
}

static JSValue worker_set_socket(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Response *r = JS_GetOpaque2(ctx, argv[0], response_class);
    if (!r)
        return JS_EXCEPTION;
    JSValue old = r->socket;
    r->socket = js_dup(argv[1]);
    JS_FreeValue(ctx, old);
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry worker_http_functions[] = {
    JS_CFUNC_DEF("signalOf", 1, worker_request_signal),
    JS_CFUNC_DEF("socketOf", 1, worker_response_socket),
    JS_CFUNC_DEF("setSocket", 2, worker_set_socket),
    JS_CFUNC_DEF("respond", 5, worker_respond),
};

#endif
