/*
 * Request. https://fetch.spec.whatwg.org/#request-class
 * Names of headers that scripts may not set, referrer policies and modes mean
 * nothing to this client; they are checked and shown.
 */
#ifndef REQUEST_H
#define REQUEST_H

static const char *const request_caches[] = { "default", "no-store", "reload", "no-cache", "force-cache", "only-if-cached" };
static const char *const request_credentials[] = { "same-origin", "omit", "include" };
static const char *const request_duplexes[] = { "half" };
static const char *const request_modes[] = { "cors", "same-origin", "no-cors", "navigate" };
static const char *const request_priorities[] = { "auto", "high", "low" };
static const char *const request_redirects[] = { "follow", "manual", "error" };
static const char *const request_policies[] = {
    "", "no-referrer", "no-referrer-when-downgrade", "same-origin", "origin", "strict-origin",
    "origin-when-cross-origin", "strict-origin-when-cross-origin", "unsafe-url",
};

enum { CACHE_ONLY_IF_CACHED = 5, MODE_CORS = 0, MODE_SAME_ORIGIN = 1, MODE_NO_CORS = 2, MODE_NAVIGATE = 3 };

typedef struct Request {
    Message message; /* must be first */
    JSString *url;
    JSString *method;
    JSString *referrer;  /* NULL: about:client; empty: none */
    JSString *integrity; /* NULL: empty */
    JSValue followed;    /* the AbortSignal that was given, or undefined */
    JSValue signal;      /* the request's own, undefined until it is asked for */
    uint8_t cache;       /* places in the lists above */
    uint8_t credentials;
    uint8_t mode;
    uint8_t redirect;
    uint8_t policy;
    bool keepalive;
    bool incoming;      /* it came to a worker: it has a cf */
    JSValue cf;         /* as Workers have it; undefined until it is asked for, if it is in source */
    ByteStore *source;  /* that has cf as JSON; NULL: there is none */
    uint32_t cf_at;
    uint32_t cf_length;
} Request;

/* Members of RequestInit, in the order in which they are read. */
enum {
    MEMBER_BODY,
    MEMBER_CACHE,
    MEMBER_CREDENTIALS,
    MEMBER_DUPLEX,
    MEMBER_HEADERS,
    MEMBER_INTEGRITY,
    MEMBER_KEEPALIVE,
    MEMBER_METHOD,
    MEMBER_MODE,
    MEMBER_PRIORITY,
    MEMBER_REDIRECT,
    MEMBER_REFERRER,
    MEMBER_REFERRER_POLICY,
    MEMBER_SIGNAL,
    MEMBER_WINDOW,
    MEMBER_CF, /* of Workers */
    MEMBER_COUNT
};

static const char *const request_member_names[MEMBER_COUNT] = {
    "body",   "cache", "credentials", "duplex",   "headers",  "integrity",      "keepalive", "method",
    "mode",   "priority", "redirect", "referrer", "referrerPolicy", "signal",   "window",
    "cf",
};

static JSAtom request_members[MEMBER_COUNT];
static JSString *request_get_method; /* "GET" */

static void request_free_strings(JSRuntime *rt, JSString **const *strings, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (*strings[i])
            js_free_string(rt, *strings[i]);
}

static void request_finalizer(JSRuntime *rt, JSValueConst v)
{
    Request *r = JS_GetOpaque(v, request_class);
    if (!r)
        return;
    message_clear(rt, &r->message);
    byte_store_free(rt, r->source);
    JSString **const strings[] = { &r->url, &r->method, &r->referrer, &r->integrity };
    request_free_strings(rt, strings, countof(strings));
    JS_FreeValueRT(rt, r->followed);
    JS_FreeValueRT(rt, r->signal);
    JS_FreeValueRT(rt, r->cf);
    js_free_rt(rt, r);
}

static void request_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark)
{
    Request *r = JS_GetOpaque(v, request_class);
    if (!r)
        return;
    message_mark(rt, &r->message, mark);
    JS_MarkValue(rt, r->followed, mark);
    JS_MarkValue(rt, r->signal, mark);
    JS_MarkValue(rt, r->cf, mark);
}

static JSValue request_create(JSContext *ctx, JSValueConst new_target, Request **out)
{
    JSValue o = js_create_from_ctor(ctx, new_target, (int)request_class);
    if (JS_IsException(o))
        return o;
    Request *r = js_malloc(ctx, sizeof *r);
    if (!r) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    *r = (Request){ .message = MESSAGE_EMPTY, .followed = JS_UNDEFINED, .signal = JS_UNDEFINED, .cf = JS_UNDEFINED };
    JS_SetOpaque(o, r);
    *out = r;
    return o;
}

/* ---- RequestInit ---- */

typedef struct RequestInit {
    uint32_t given; /* bits of members */
    BodyInit body;
    PairList headers;
    JSString *integrity;
    JSString *method;
    JSString *referrer;
    JSValue signal; /* null: none is wanted */
    JSValue cf;
    uint8_t cache;
    uint8_t credentials;
    uint8_t mode;
    uint8_t redirect;
    uint8_t policy;
    bool keepalive;
    bool window; /* not null */
} RequestInit;

static void request_init_clear(JSContext *ctx, RequestInit *init)
{
    JS_FreeValue(ctx, init->body.value);
    JS_FreeValue(ctx, init->signal);
    JS_FreeValue(ctx, init->cf);
    pair_list_clear(ctx->rt, &init->headers);
    JSString **const strings[] = { &init->integrity, &init->method, &init->referrer };
    request_free_strings(ctx->rt, strings, countof(strings));
}

static int request_enumeration(JSContext *ctx, JSValueConst v, const char *const *names, int count, int member, uint8_t *place)
{
    int found = idl_enumeration(ctx, v, names, count, request_member_names[member]);
    if (found < 0)
        return -1;
    *place = (uint8_t)found;
    return 0;
}

static int request_string(JSString **to, JSString *s)
{
    *to = s;
    return s ? 0 : -1;
}

static int request_init_member(JSContext *ctx, RequestInit *init, int member, JSValueConst v)
{
    uint8_t unused;
    switch (member) {
    case MEMBER_BODY:
        return body_init_convert(ctx, v, &init->body);
    case MEMBER_CACHE:
        return request_enumeration(ctx, v, request_caches, countof(request_caches), member, &init->cache);
    case MEMBER_CREDENTIALS:
        return request_enumeration(ctx, v, request_credentials, countof(request_credentials), member, &init->credentials);
    case MEMBER_DUPLEX:
        return request_enumeration(ctx, v, request_duplexes, countof(request_duplexes), member, &unused);
    case MEMBER_HEADERS:
        return headers_init_convert(ctx, v, &init->headers);
    case MEMBER_INTEGRITY:
        return request_string(&init->integrity, idl_usv_string(ctx, v));
    case MEMBER_KEEPALIVE:
        init->keepalive = JS_ToBool(ctx, v) != 0;
        return 0;
    case MEMBER_METHOD:
        return request_string(&init->method, idl_byte_string(ctx, v));
    case MEMBER_MODE:
        return request_enumeration(ctx, v, request_modes, countof(request_modes), member, &init->mode);
    case MEMBER_PRIORITY:
        return request_enumeration(ctx, v, request_priorities, countof(request_priorities), member, &unused);
    case MEMBER_REDIRECT:
        return request_enumeration(ctx, v, request_redirects, countof(request_redirects), member, &init->redirect);
    case MEMBER_REFERRER:
        return request_string(&init->referrer, idl_usv_string(ctx, v));
    case MEMBER_REFERRER_POLICY:
        return request_enumeration(ctx, v, request_policies, countof(request_policies), member, &init->policy);
    case MEMBER_SIGNAL: {
        int is_signal = JS_IsNull(v) ? 1 : JS_IsObject(v) ? body_ask(ctx, HOOK_IS_SIGNAL, v) : 0;
        if (is_signal == 0)
            JS_ThrowTypeError(ctx, "signal is not an AbortSignal");
        if (is_signal > 0)
            init->signal = js_dup(v);
        return is_signal > 0 ? 0 : -1;
    }
    case MEMBER_CF:
        init->cf = js_dup(v);
        return 0;
    default:
        init->window = !JS_IsNull(v);
        return 0;
    }
}

static int request_init_convert(JSContext *ctx, JSValueConst v, RequestInit *init)
{
    *init = (RequestInit){ .body = { INIT_NULL, JS_UNDEFINED }, .signal = JS_UNDEFINED, .cf = JS_UNDEFINED };
    int given = idl_dictionary(ctx, v, "init");
    if (given <= 0)
        return given;
    for (int i = 0; i < MEMBER_COUNT; i++) {
        JSValue member;
        int found = init_member(ctx, v, request_members[i], &member);
        if (found < 0)
            return -1;
        if (found) {
            init->given |= 1u << i;
            int result = request_init_member(ctx, init, i, member);
            JS_FreeValue(ctx, member);
            if (result)
                return -1;
        }
    }
    return 0;
}

/* ---- the constructor ---- */

static bool is_forbidden_method(JSString *m)
{
    return string_is_ignoring_case(m, "connect") || string_is_ignoring_case(m, "trace") || string_is_ignoring_case(m, "track");
}

/* Checks a method and puts the common ones into upper case. Takes it. */
static JSString *request_normal_method(JSContext *ctx, JSString *m)
{
    static const char *const names[][2] = {
        { "get", "GET" }, { "post", "POST" },       { "put", "PUT" },
        { "head", "HEAD" }, { "delete", "DELETE" }, { "options", "OPTIONS" },
    };
    bool allowed = is_token(m) && !is_forbidden_method(m);
    if (!allowed) {
        js_free_string(ctx->rt, m);
        JS_ThrowTypeError(ctx, "the method is not allowed");
        return NULL;
    }
    for (size_t i = 0; i < countof(names); i++) {
        if (!string_is_ignoring_case(m, names[i][0]))
            continue;
        if (string_is(m, names[i][1]))
            return m;
        js_free_string(ctx->rt, m);
        return string_latin1(ctx, names[i][1], strlen(names[i][1]));
    }
    return m;
}

/* Parses the URL of a request. */
static JSString *request_url(JSContext *ctx, JSString *input)
{
    JSString *href;
    ada_url_components parts;
    int found = url_parse_values(ctx, string_value(input), JS_UNDEFINED, &href, &parts);
    if (found <= 0) {
        if (found == 0)
            url_throw_invalid(ctx);
        return NULL;
    }
    uint32_t start, user_end, password_end;
    url_part(href, str8(href), &parts, URL_USERNAME, &start, &user_end);
    url_part(href, str8(href), &parts, URL_PASSWORD, &start, &password_end);
    if (user_end || password_end) {
        js_free_string(ctx->rt, href);
        JS_ThrowTypeError(ctx, "the URL of a request has no credentials");
        return NULL;
    }
    return href;
}

/* Sets the referrer: "about:client" and the empty string have their meanings. */
static int request_set_referrer(JSContext *ctx, Request *r, JSString *given)
{
    if (r->referrer) {
        js_free_string(ctx->rt, r->referrer);
        r->referrer = NULL;
    }
    if (given->len == 0) {
        r->referrer = string_dup(given);
        return 0;
    }
    JSString *href;
    ada_url_components parts;
    int found = url_parse_values(ctx, string_value(given), JS_UNDEFINED, &href, &parts);
    if (found <= 0) {
        if (found == 0)
            url_throw_invalid(ctx);
        return -1;
    }
    if (string_is(href, "about:client"))
        js_free_string(ctx->rt, href);
    else
        r->referrer = href;
    return 0;
}

/* Applies the members that need no body and no headers. */
static int request_apply(JSContext *ctx, Request *r, RequestInit *init)
{
    if (init->given) {
        if (r->mode == MODE_NAVIGATE)
            r->mode = MODE_SAME_ORIGIN;
        if (r->referrer)
            js_free_string(ctx->rt, r->referrer);
        r->referrer = NULL;
        r->policy = 0;
    }
    if (init->window) {
        JS_ThrowTypeError(ctx, "window must be null");
        return -1;
    }
    if (init->referrer && request_set_referrer(ctx, r, init->referrer))
        return -1;
    if (init->given & 1u << MEMBER_REFERRER_POLICY)
        r->policy = init->policy;
    if (init->given & 1u << MEMBER_MODE) {
        if (init->mode == MODE_NAVIGATE) {
            JS_ThrowTypeError(ctx, "the mode can't be navigate");
            return -1;
        }
        r->mode = init->mode;
    }
    if (init->given & 1u << MEMBER_CREDENTIALS)
        r->credentials = init->credentials;
    if (init->given & 1u << MEMBER_CACHE)
        r->cache = init->cache;
    if (r->cache == CACHE_ONLY_IF_CACHED && r->mode != MODE_SAME_ORIGIN) {
        JS_ThrowTypeError(ctx, "only-if-cached needs the mode same-origin");
        return -1;
    }
    if (init->given & 1u << MEMBER_REDIRECT)
        r->redirect = init->redirect;
    if (init->integrity) {
        if (r->integrity)
            js_free_string(ctx->rt, r->integrity);
        r->integrity = string_dup(init->integrity);
    }
    if (init->given & 1u << MEMBER_KEEPALIVE)
        r->keepalive = init->keepalive;
    if (init->method) {
        JSString *method = request_normal_method(ctx, string_dup(init->method));
        if (!method)
            return -1;
        js_free_string(ctx->rt, r->method);
        r->method = method;
    }
    if (r->mode == MODE_NO_CORS && !string_is(r->method, "GET") && !string_is(r->method, "HEAD") && !string_is(r->method, "POST")) {
        JS_ThrowTypeError(ctx, "the mode no-cors allows only GET, HEAD and POST");
        return -1;
    }
    if (init->given & 1u << MEMBER_CF) {
        JSValue old = r->cf;
        r->cf = js_dup(init->cf);
        JS_FreeValue(ctx, old);
        byte_store_free(ctx->rt, r->source);
        r->source = NULL;
        r->incoming = false;
    }
    if (init->given & 1u << MEMBER_SIGNAL) {
        JSValue old = r->followed;
        r->followed = JS_IsNull(init->signal) ? JS_UNDEFINED : js_dup(init->signal);
        JS_FreeValue(ctx, old);
    }
    return 0;
}

/* Sets the body from init or, if that has none, from the request that is the
 * input, whose body is used by that. */
static int request_apply_body(JSContext *ctx, Request *r, RequestInit *init, Request *from)
{
    bool has_init_body = init->body.kind != INIT_NULL;
    bool has_input_body = from && from->message.body.kind != BODY_NULL;
    if ((has_init_body || has_input_body) && (string_is(r->method, "GET") || string_is(r->method, "HEAD"))) {
        JS_ThrowTypeError(ctx, "a GET or HEAD request has no body");
        return -1;
    }
    if (has_init_body) {
        bool streams = init->body.kind == INIT_STREAM;
        if (streams && r->keepalive) {
            JS_ThrowTypeError(ctx, "a request with keepalive has no stream for a body");
            return -1;
        }
        JSString *type;
        if (body_extract(ctx, &init->body, &r->message.body, &type) || message_default_type(ctx, &r->message, type))
            return -1;
        if (streams && !(init->given & 1u << MEMBER_DUPLEX) && !is_serving()) { /* Workers don't ask for it */
            JS_ThrowTypeError(ctx, "duplex: \"half\" must be given with a stream for a body");
            return -1;
        }
        if (streams && r->mode != MODE_CORS && r->mode != MODE_SAME_ORIGIN) {
            JS_ThrowTypeError(ctx, "the mode does not allow a stream for a body");
            return -1;
        }
        return 0;
    }
    if (!has_input_body)
        return 0;
    if (body_require_usable(ctx, &from->message.body))
        return -1;
    return body_move(ctx, &from->message.body, &r->message.body);
}

/* Copies what a request takes over from another one. */
static void request_inherit(Request *r, const Request *from)
{
    r->url = string_dup(from->url);
    r->method = string_dup(from->method);
    r->referrer = from->referrer ? string_dup(from->referrer) : NULL;
    r->integrity = from->integrity ? string_dup(from->integrity) : NULL;
    r->followed = js_dup(JS_IsUndefined(from->signal) ? from->followed : from->signal);
    r->cache = from->cache;
    r->credentials = from->credentials;
    r->mode = from->mode;
    r->redirect = from->redirect;
    r->policy = from->policy;
    r->keepalive = from->keepalive;
    r->incoming = from->incoming;
    r->cf = js_dup(from->cf);
    if (from->source) {
        r->source = from->source;
        r->source->references++;
        r->cf_at = from->cf_at;
        r->cf_length = from->cf_length;
    }
}

static int request_fill(JSContext *ctx, Request *r, JSString *url, Request *from, RequestInit *init)
{
    if (from) {
        request_inherit(r, from);
    } else {
        r->url = request_url(ctx, url);
        if (!r->url)
            return -1;
        r->method = string_dup(request_get_method);
    }
    if (request_apply(ctx, r, init))
        return -1;
    if (init->given & 1u << MEMBER_HEADERS) {
        if (header_list_fill(ctx, &r->message.list, &init->headers))
            return -1;
    } else if (from && message_copy_headers(ctx, &from->message, &r->message)) {
        return -1;
    }
    return request_apply_body(ctx, r, init, from);
}

static JSValue request_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    RequestInit init;
    JSString *url = NULL;
    if (idl_require(ctx, argc, 1, "Request"))
        return JS_EXCEPTION;
    Request *from = JS_GetOpaque(argv[0], request_class), *r;
    if (!from) {
        url = idl_usv_string(ctx, argv[0]);
        if (!url)
            return JS_EXCEPTION;
    }
    JSValue o = JS_EXCEPTION;
    if (request_init_convert(ctx, argc > 1 ? argv[1] : JS_UNDEFINED, &init) == 0)
        o = request_create(ctx, new_target, &r);
    if (!JS_IsException(o) && request_fill(ctx, r, url, from, &init)) {
        JS_FreeValue(ctx, o);
        o = JS_EXCEPTION;
    }
    request_init_clear(ctx, &init);
    if (url)
        js_free_string(ctx->rt, url);
    return o;
}

static JSValue request_clone(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Request *r = JS_GetOpaque2(ctx, this_val, request_class), *copy;
    if (!r || body_require_usable(ctx, &r->message.body))
        return JS_EXCEPTION;
    JSValue o = request_create(ctx, JS_UNDEFINED, &copy);
    if (JS_IsException(o))
        return o;
    request_inherit(copy, r);
    copy->message.immutable = r->message.immutable;
    if (message_copy_headers(ctx, &r->message, &copy->message) || body_clone(ctx, &r->message.body, &copy->message.body)) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    return o;
}

#include "request_attributes.h"

static const JSCFunctionListEntry request_prototype[] = {
    IDL_GETTER_MAGIC("method", request_get, REQUEST_METHOD),
    IDL_GETTER_MAGIC("url", request_get, REQUEST_URL),
    IDL_GETTER_MAGIC("destination", request_get, REQUEST_DESTINATION),
    IDL_GETTER_MAGIC("referrer", request_get, REQUEST_REFERRER),
    IDL_GETTER_MAGIC("referrerPolicy", request_get, REQUEST_REFERRER_POLICY),
    IDL_GETTER_MAGIC("mode", request_get, REQUEST_MODE),
    IDL_GETTER_MAGIC("credentials", request_get, REQUEST_CREDENTIALS),
    IDL_GETTER_MAGIC("cache", request_get, REQUEST_CACHE),
    IDL_GETTER_MAGIC("redirect", request_get, REQUEST_REDIRECT),
    IDL_GETTER_MAGIC("integrity", request_get, REQUEST_INTEGRITY),
    IDL_GETTER_MAGIC("keepalive", request_get, REQUEST_KEEPALIVE),
    IDL_GETTER_MAGIC("isReloadNavigation", request_get, REQUEST_NAVIGATION),
    IDL_GETTER_MAGIC("isHistoryNavigation", request_get, REQUEST_NAVIGATION),
    IDL_GETTER_MAGIC("signal", request_get, REQUEST_SIGNAL),
    IDL_GETTER_MAGIC("duplex", request_get, REQUEST_DUPLEX),
    IDL_GETTER_MAGIC("cf", request_get, REQUEST_CF),
    IDL_METHOD("clone", 0, request_clone),
    MESSAGE_MEMBERS(MESSAGE_REQUEST),
    IDL_TAG("Request"),
};

static int request_init(JSContext *ctx, JSValueConst global)
{
    static const IdlClass request = {
        .name = "Request",
        .finalizer = request_finalizer,
        .mark = request_mark,
        .constructor = request_constructor,
        .length = 1,
        .prototype = request_prototype,
        .prototype_count = countof(request_prototype),
    };
    request_get_method = string_latin1(ctx, "GET", 3);
    if (!request_get_method)
        return -1;
    for (int i = 0; i < MEMBER_COUNT; i++) {
        request_members[i] = JS_NewAtom(ctx, request_member_names[i]);
        if (request_members[i] == JS_ATOM_NULL)
            return -1;
    }
    return idl_define(ctx, global, &request_class, &request);
}

#endif
