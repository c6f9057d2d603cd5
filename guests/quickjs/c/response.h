/*
 * Response. https://fetch.spec.whatwg.org/#response-class
 */
#ifndef RESPONSE_H
#define RESPONSE_H

enum { RESPONSE_DEFAULT, RESPONSE_BASIC, RESPONSE_ERROR };

typedef struct Response {
    Message message; /* must be first */
    JSString *status_text; /* NULL: empty, as are the others */
    JSString *url;         /* without a fragment */
    JSValue socket;        /* as Workers have it: a WebSocket, or undefined */
    uint16_t status;
    uint8_t type;
    bool redirected;
} Response;

static void response_finalizer(JSRuntime *rt, JSValueConst v)
{
    Response *r = JS_GetOpaque(v, response_class);
    if (!r)
        return;
    message_clear(rt, &r->message);
    JS_FreeValueRT(rt, r->socket);
    if (r->status_text)
        js_free_string(rt, r->status_text);
    if (r->url)
        js_free_string(rt, r->url);
    js_free_rt(rt, r);
}

static void response_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark)
{
    Response *r = JS_GetOpaque(v, response_class);
    if (!r)
        return;
    message_mark(rt, &r->message, mark);
    JS_MarkValue(rt, r->socket, mark);
}

static JSValue response_create(JSContext *ctx, JSValueConst new_target, Response **out)
{
    JSValue o = js_create_from_ctor(ctx, new_target, (int)response_class);
    if (JS_IsException(o))
        return o;
    Response *r = js_malloc(ctx, sizeof *r);
    if (!r) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    *r = (Response){ .message = MESSAGE_EMPTY, .socket = JS_UNDEFINED, .status = 200 };
    JS_SetOpaque(o, r);
    *out = r;
    return o;
}

/* A ResponseInit, converted. */
typedef struct ResponseInit {
    PairList headers;
    JSString *status_text;
    JSValue socket;
    uint16_t status;
} ResponseInit;

static void response_init_clear(JSRuntime *rt, ResponseInit *init)
{
    pair_list_clear(rt, &init->headers);
    JS_FreeValueRT(rt, init->socket);
    if (init->status_text)
        js_free_string(rt, init->status_text);
}

static int response_init_convert(JSContext *ctx, JSValueConst v, ResponseInit *init)
{
    *init = (ResponseInit){ .socket = JS_UNDEFINED, .status = 200 };
    int given = idl_dictionary(ctx, v, "init");
    if (given <= 0)
        return given;
    if (init_headers(ctx, v, &init->headers) < 0)
        return -1;
    JSValue member;
    int found = init_member(ctx, v, bodies.status, &member);
    if (found > 0) {
        int32_t status = 0;
        found = JS_ToInt32(ctx, &status, member) ? -1 : 0;
        init->status = (uint16_t)status;
        JS_FreeValue(ctx, member);
    }
    if (found == 0)
        found = init_member(ctx, v, bodies.status_text, &member);
    if (found > 0) {
        init->status_text = idl_byte_string(ctx, member);
        found = init->status_text ? 0 : -1;
        JS_FreeValue(ctx, member);
    }
    if (found == 0)
        found = init_member(ctx, v, bodies.web_socket, &member);
    if (found > 0) {
        found = JS_IsNull(member) ? 0 : body_ask(ctx, HOOK_IS_SOCKET, member);
        if (found > 0)
            init->socket = js_dup(member);
        else if (found == 0 && !JS_IsNull(member))
            found = (JS_ThrowTypeError(ctx, "webSocket is not a WebSocket"), -1);
        JS_FreeValue(ctx, member);
    }
    return found < 0 ? -1 : 0;
}

static bool is_reason_phrase(JSString *s)
{
    const uint8_t *p = str8(s);
    for (uint32_t i = 0; i < s->len; i++)
        if ((p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7F)
            return false;
    return true;
}

static bool is_null_body_status(uint32_t status)
{
    return status == 101 || status == 103 || status == 204 || status == 205 || status == 304;
}

/* "Initialize a response" with a body that was extracted before. Takes type. */
static int response_initialize(JSContext *ctx, Response *r, ResponseInit *init, Body *body, JSString *type)
{
    int result = -1;
    if (!JS_IsUndefined(init->socket) && init->status != 101) {
        JS_ThrowRangeError(ctx, "Responses with a WebSocket must have status code 101.");
    } else if (JS_IsUndefined(init->socket) && (init->status < 200 || init->status > 599)) {
        JS_ThrowRangeError(ctx, "the status must be from 200 to 599");
    } else if (init->status_text && !is_reason_phrase(init->status_text)) {
        JS_ThrowTypeError(ctx, "invalid statusText");
    } else if (header_list_fill(ctx, &r->message.list, &init->headers) == 0) {
        r->status = init->status;
        r->status_text = init->status_text;
        init->status_text = NULL;
        r->socket = init->socket;
        init->socket = JS_UNDEFINED;
        if (is_serving() && body->kind == BODY_TEXT && body->u.text->len == 0 && is_null_body_status(r->status)) {
            body_clear(ctx->rt, body); /* Workers take it for none */
            if (type)
                js_free_string(ctx->rt, type);
            type = NULL;
        }
        if (body->kind != BODY_NULL && is_null_body_status(r->status))
            JS_ThrowTypeError(ctx, "a response of status %d has no body", r->status);
        else
            result = 0;
    }
    if (result == 0) {
        r->message.body = *body;
        *body = BODY_EMPTY;
        return message_default_type(ctx, &r->message, type);
    }
    if (type)
        js_free_string(ctx->rt, type);
    return result;
}

/* A response of converted arguments; takes what body_init holds. type, which it
 * takes if it is not NULL, replaces the body's own content type. */
static JSValue response_build(JSContext *ctx, JSValueConst new_target, BodyInit *body_init, ResponseInit *init, JSString *type)
{
    Response *r;
    Body body = BODY_EMPTY;
    JSString *own = NULL;
    JSValue o = response_create(ctx, new_target, &r);
    int result = -1;
    if (!JS_IsException(o)) {
        result = body_extract(ctx, body_init, &body, &own);
        if (type && own) {
            js_free_string(ctx->rt, own);
            own = string_dup(type);
        }
        if (result == 0)
            result = response_initialize(ctx, r, init, &body, own);
        body_clear(ctx->rt, &body);
    }
    JS_FreeValue(ctx, body_init->value);
    if (type)
        js_free_string(ctx->rt, type);
    if (result) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    return o;
}

static JSValue response_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    BodyInit body;
    ResponseInit init;
    JSValue o = JS_EXCEPTION;
    if (body_init_convert(ctx, argc > 0 ? argv[0] : JS_UNDEFINED, &body))
        return JS_EXCEPTION;
    if (response_init_convert(ctx, argc > 1 ? argv[1] : JS_UNDEFINED, &init) == 0)
        o = response_build(ctx, new_target, &body, &init, NULL);
    else
        JS_FreeValue(ctx, body.value);
    response_init_clear(ctx->rt, &init);
    return o;
}

static JSValue response_json(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    ResponseInit init;
    if (idl_require(ctx, argc, 1, "json"))
        return JS_EXCEPTION;
    JSValue o = JS_EXCEPTION;
    if (response_init_convert(ctx, argc > 1 ? argv[1] : JS_UNDEFINED, &init) == 0) {
        JSValue text = JS_JSONStringify(ctx, argv[0], JS_UNDEFINED, JS_UNDEFINED);
        if (JS_IsUndefined(text)) {
            JS_ThrowTypeError(ctx, "the value has no JSON");
        } else if (!JS_IsException(text)) {
            JSString *s = idl_usv_string(ctx, text);
            JS_FreeValue(ctx, text);
            if (s) {
                BodyInit body = { INIT_STRING, string_value(s) };
                o = response_build(ctx, JS_UNDEFINED, &body, &init, string_dup(bodies.json_type));
            }
        }
    }
    response_init_clear(ctx->rt, &init);
    return o;
}

static JSValue response_error(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Response *r;
    JSValue o = response_create(ctx, JS_UNDEFINED, &r);
    if (!JS_IsException(o)) {
        r->status = 0;
        r->type = RESPONSE_ERROR;
        r->message.immutable = true;
    }
    return o;
}

static JSValue response_redirect(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSString *href;
    ada_url_components parts;
    int32_t status = 302;
    if (idl_require(ctx, argc, 1, "redirect"))
        return JS_EXCEPTION;
    JSString *input = idl_usv_string(ctx, argv[0]);
    if (!input)
        return JS_EXCEPTION;
    int found = argc > 1 && !JS_IsUndefined(argv[1]) && JS_ToInt32(ctx, &status, argv[1]) ? -1 : 0;
    if (found == 0)
        found = url_parse_values(ctx, string_value(input), JS_UNDEFINED, &href, &parts);
    js_free_string(ctx->rt, input);
    if (found <= 0)
        return found < 0 ? JS_EXCEPTION : url_throw_invalid(ctx);
    status &= 0xFFFF;
    Response *r;
    JSString *name = NULL;
    JSValue o = JS_EXCEPTION;
    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        JS_ThrowRangeError(ctx, "%d is not the status of a redirect", status);
    else
        name = string_latin1(ctx, "location", 8);
    if (name)
        o = response_create(ctx, JS_UNDEFINED, &r);
    if (JS_IsException(o)) {
        js_free_string(ctx->rt, href);
        if (name)
            js_free_string(ctx->rt, name);
        return o;
    }
    r->status = (uint16_t)status;
    r->message.immutable = true;
    if (pair_list_append(ctx, &r->message.list, name, href)) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    return o;
}

static JSValue response_clone(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Response *r = JS_GetOpaque2(ctx, this_val, response_class), *copy;
    if (!r || body_require_usable(ctx, &r->message.body))
        return JS_EXCEPTION;
    if (!JS_IsUndefined(r->socket))
        return JS_ThrowTypeError(ctx, "Cannot clone a response to a WebSocket handshake.");
    JSValue o = response_create(ctx, JS_UNDEFINED, &copy);
    if (JS_IsException(o))
        return o;
    if (message_copy_headers(ctx, &r->message, &copy->message) || body_clone(ctx, &r->message.body, &copy->message.body)) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    copy->message.immutable = r->message.immutable;
    copy->status = r->status;
    copy->type = r->type;
    copy->redirected = r->redirected;
    copy->status_text = r->status_text ? string_dup(r->status_text) : NULL;
    copy->url = r->url ? string_dup(r->url) : NULL;
    return o;
}

enum { RESPONSE_TYPE, RESPONSE_URL, RESPONSE_REDIRECTED, RESPONSE_STATUS, RESPONSE_OK, RESPONSE_STATUS_TEXT };

static JSValue optional_string(JSContext *ctx, JSString *s)
{
    return s ? string_value(string_dup(s)) : js_empty_string(ctx->rt);
}

static JSValue response_get(JSContext *ctx, JSValueConst this_val, int magic)
{
    static const char *const types[] = { "default", "basic", "error" };
    Response *r = JS_GetOpaque2(ctx, this_val, response_class);
    if (!r)
        return JS_EXCEPTION;
    switch (magic) {
    case RESPONSE_TYPE:
        return JS_NewAtomString(ctx, types[r->type]);
    case RESPONSE_URL:
        return optional_string(ctx, r->url);
    case RESPONSE_REDIRECTED:
        return js_bool(r->redirected);
    case RESPONSE_STATUS:
        return js_int32(r->status);
    case RESPONSE_OK:
        return js_bool(r->status >= 200 && r->status <= 299);
    default:
        return optional_string(ctx, r->status_text);
    }
}

static const JSCFunctionListEntry response_prototype[] = {
    IDL_GETTER_MAGIC("type", response_get, RESPONSE_TYPE),
    IDL_GETTER_MAGIC("url", response_get, RESPONSE_URL),
    IDL_GETTER_MAGIC("redirected", response_get, RESPONSE_REDIRECTED),
    IDL_GETTER_MAGIC("status", response_get, RESPONSE_STATUS),
    IDL_GETTER_MAGIC("ok", response_get, RESPONSE_OK),
    IDL_GETTER_MAGIC("statusText", response_get, RESPONSE_STATUS_TEXT),
    IDL_METHOD("clone", 0, response_clone),
    MESSAGE_MEMBERS(0),
    IDL_TAG("Response"),
};

static const JSCFunctionListEntry response_statics[] = {
    IDL_METHOD("error", 0, response_error),
    IDL_METHOD("redirect", 1, response_redirect),
    IDL_METHOD("json", 1, response_json),
};

static int response_init(JSContext *ctx, JSValueConst global)
{
    static const IdlClass response = {
        .name = "Response",
        .finalizer = response_finalizer,
        .mark = response_mark,
        .constructor = response_constructor,
        .prototype = response_prototype,
        .prototype_count = countof(response_prototype),
        .statics = response_statics,
        .statics_count = countof(response_statics),
    };
    return idl_define(ctx, global, &response_class, &response);
}

#endif
