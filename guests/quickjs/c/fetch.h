/*
 * The two ends of the operation "fetch": its message from a Request, a Response
 * from its answer. host/op/ops.json describes both.
 *
 *   native.fetchMessage(request) → [message, stream, signal]
 *       the message of the operation "fetch", a Uint8Array; the body's
 *       ReadableStream if the message says that it streams, to be sent by
 *       body_write, else undefined; the AbortSignal to obey, or undefined. The
 *       request's body is used by this. A body that is disturbed or locked is a
 *       TypeError.
 *   native.fetchResponse(answer) → Response of the operation's answer, a Uint8Array
 *       or an ArrayBuffer, which is copied; headers are decoded when asked for
 *   native.fetchPlain(op, stub, request) → a promise of its Response; undefined for
 *       a request that needs more than one message: one with a stream, a signal or
 *       an integrity, one that asks for a WebSocket, one of data: or blob:. A stub,
 *       if it is not 0, is what the operation's message begins with
 */
#ifndef FETCH_H
#define FETCH_H

enum { WIRE_BODY_NONE, WIRE_BODY_BYTES, WIRE_BODY_STREAM };

/* The bytes of a ByteString that is ASCII. */
static void write_byte_string(Writer *w, JSString *s)
{
    writer_bytes(w, str8(s), s->len);
}

static void write_utf8(Writer *w, JSString *s)
{
    uint32_t read, written;
    size_t n = string_utf8_length(s);
    writer_u32(w, (uint32_t)n);
    uint8_t *to = writer_reserve(w, (uint32_t)n);
    if (to)
        string_encode_into(s, to, n, &read, &written);
}

static int write_request(JSContext *ctx, Writer *w, Request *r)
{
    static const uint8_t redirects[] = { 0, 1, 2 }; /* as request_redirects has them */
    PairList *list = message_list(ctx, &r->message);
    if (!list)
        return -1;
    write_byte_string(w, r->method);
    write_byte_string(w, r->url);
    writer_u32(w, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        write_byte_string(w, list->pairs[i].name);
        write_utf8(w, list->pairs[i].value); /* a str, whose code points are bytes */
    }
    writer_u8(w, redirects[r->redirect]);
    Body *b = &r->message.body;
    switch (b->kind) {
    case BODY_NULL:
        writer_u8(w, WIRE_BODY_NONE);
        writer_u32(w, 0);
        break;
    case BODY_TEXT:
        writer_u8(w, WIRE_BODY_BYTES);
        write_utf8(w, b->u.text);
        break;
    case BODY_BYTES:
        writer_u8(w, WIRE_BODY_BYTES);
        writer_bytes(w, b->u.store->bytes + b->offset, b->length);
        break;
    default:
        writer_u8(w, WIRE_BODY_STREAM);
        writer_u32(w, 0);
    }
    return 0;
}

/* What is sent whole is used by that. */
static void body_spend(JSContext *ctx, Body *b)
{
    if (b->kind == BODY_TEXT || b->kind == BODY_BYTES) {
        body_clear(ctx->rt, b);
        b->kind = BODY_SPENT;
    }
}

static JSValue fetch_message(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Request *r = JS_GetOpaque2(ctx, argv[0], request_class);
    if (!r || body_require_usable(ctx, &r->message.body))
        return JS_EXCEPTION;
    Body *b = &r->message.body;
    if (b->kind == BODY_HANDLE && body_make_stream(ctx, b))
        return JS_EXCEPTION;
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    JSValue parts[3] = { JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED };
    JSValue result = JS_EXCEPTION;
    if (write_request(ctx, &w, r) == 0) {
        if (w.failed)
            JS_ThrowOutOfMemory(ctx);
        else
            parts[0] = JS_NewUint8ArrayCopy(ctx, w.bytes, w.length);
        if (JS_IsObject(parts[0])) {
            parts[1] = js_dup(b->stream);
            parts[2] = js_dup(JS_IsUndefined(r->signal) ? r->followed : r->signal);
            result = js_create_array(ctx, 3, vc(parts));
            body_spend(ctx, b);
        }
    }
    writer_free(&w);
    for (int i = 0; i < 3; i++)
        JS_FreeValue(ctx, parts[i]);
    return result;
}

/* Reads a str of an answer as an 8-bit string, NULL with an exception pending. */
static JSString *read_url(JSContext *ctx, Reader *r)
{
    uint32_t n;
    const uint8_t *p = reader_bytes(r, &n);
    const uint8_t *hash = memchr(p, '#', n);
    return string_latin1(ctx, (const char *)p, hash ? (size_t)(hash - p) : n);
}

/* Makes the Response of an answer. *handle is that of its body, if the host has
 * that. */
static JSValue response_of_answer(JSContext *ctx, const uint8_t *p, size_t n, uint32_t *handle)
{
    ByteStore *source = byte_store_copy(ctx, p, n);
    if (!source)
        return JS_EXCEPTION;
    Response *response;
    JSValue o = response_create(ctx, JS_UNDEFINED, &response);
    if (JS_IsException(o)) {
        byte_store_free(ctx->rt, source);
        return o;
    }
    response->message.source = source;
    Reader r;
    reader_init(&r, source->bytes, source->length);
    uint32_t length;
    response->status = (uint16_t)reader_u32(&r);
    const uint8_t *text = reader_bytes(&r, &length);
    response->status_text = byte_string_from_utf8(ctx, text, length);
    if (!response->status_text)
        goto fail;
    response->url = read_url(ctx, &r);
    if (!response->url)
        goto fail;
    response->type = RESPONSE_BASIC;
    response->redirected = reader_u8(&r) != 0;
    response->message.immutable = true;
    response->message.encoded = true;
    response->message.headers_at = (uint32_t)(r.at - source->bytes);
    uint32_t count = reader_u32(&r);
    for (uint32_t i = 0; i < count && !r.failed; i++) {
        reader_bytes(&r, &length);
        reader_bytes(&r, &length);
    }
    uint8_t kind = reader_u8(&r);
    const uint8_t *body = reader_bytes(&r, &length);
    *handle = reader_u32(&r);
    if (r.failed) {
        JS_ThrowTypeError(ctx, "the answer of the host is cut short");
        goto fail;
    }
    Body *b = &response->message.body;
    if (kind == WIRE_BODY_BYTES) {
        source->references++;
        *b = (Body){ .kind = BODY_BYTES, .offset = (uint32_t)(body - source->bytes), .length = length, .u.store = source, .stream = JS_UNDEFINED };
    } else if (kind == WIRE_BODY_STREAM) {
        *b = (Body){ .kind = BODY_HANDLE, .u.handle = *handle, .stream = JS_UNDEFINED };
    }
    return o;
fail:
    JS_FreeValue(ctx, o);
    return JS_EXCEPTION;
}

static JSValue fetch_response(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const uint8_t *p;
    size_t n;
    uint32_t handle;
    int found = idl_buffer_source(ctx, argv[0], &p, &n);
    if (found <= 0)
        return found < 0 ? JS_EXCEPTION : JS_ThrowTypeError(ctx, "the answer is not a buffer");
    return response_of_answer(ctx, p, n, &handle);
}

/* ---- fetches of one message ---- */

static bool fetch_is_local(const JSString *url)
{
    const uint8_t *s = str8(url);
    return url->len > 5 && (memcmp(s, "data:", 5) == 0 || memcmp(s, "blob:", 5) == 0);
}

/* Whether a request needs no more than its message. -1 with an exception pending. */
static int fetch_is_plain(JSContext *ctx, Request *r)
{
    Body *b = &r->message.body;
    if (b->kind != BODY_NULL && b->kind != BODY_TEXT && b->kind != BODY_BYTES)
        return false;
    if (!JS_IsUndefined(r->signal) || !JS_IsUndefined(r->followed) || (r->integrity && r->integrity->len) || fetch_is_local(r->url))
        return false;
    PairList *list = message_list(ctx, &r->message);
    return list ? !header_list_find(list, "upgrade") : -1;
}

static JSValue fetch_plain(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t op, stub;
    Request *r = JS_GetOpaque2(ctx, argv[2], request_class);
    if (!r || JS_ToUint32(ctx, &op, argv[0]) || JS_ToUint32(ctx, &stub, argv[1]) || body_require_usable(ctx, &r->message.body))
        return JS_EXCEPTION;
    int plain = fetch_is_plain(ctx, r);
    if (plain <= 0)
        return plain < 0 ? JS_EXCEPTION : JS_UNDEFINED;
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    if (stub)
        writer_u32(&w, stub);
    JSValue promise = write_request(ctx, &w, r) ? JS_EXCEPTION : promise_make(ctx);
    if (!JS_IsException(promise)) {
        if (operation_begin(ctx, op, promise, ANSWER_RESPONSE, &w)) {
            body_spend(ctx, &r->message.body);
        } else {
            JS_FreeValue(ctx, promise);
            promise = JS_EXCEPTION;
        }
    }
    writer_free(&w);
    return promise;
}

/* The value of an operation that begins as such, when its answer is there. What
 * of a body is still the host's is the bootstrap's to read. */
static JSValue fetch_answered(JSContext *ctx, const uint8_t *answer, uint32_t length)
{
    uint32_t handle;
    JSValue response = response_of_answer(ctx, answer, length, &handle);
    if (JS_IsException(response) || !handle)
        return response;
    JSValue number = JS_NewUint32(ctx, handle);
    JSValue held = body_hook(ctx, HOOK_HOLD, 1, vc(&number));
    JS_FreeValue(ctx, number);
    if (JS_IsException(held)) {
        JS_FreeValue(ctx, response);
        return held;
    }
    JS_FreeValue(ctx, held);
    return response;
}

#endif
