/*
 * What a Request tells of itself; a part of request.h.
 */
#ifndef REQUEST_ATTRIBUTES_H
#define REQUEST_ATTRIBUTES_H

enum {
    REQUEST_METHOD,
    REQUEST_URL,
    REQUEST_DESTINATION,
    REQUEST_REFERRER,
    REQUEST_REFERRER_POLICY,
    REQUEST_MODE,
    REQUEST_CREDENTIALS,
    REQUEST_CACHE,
    REQUEST_REDIRECT,
    REQUEST_INTEGRITY,
    REQUEST_KEEPALIVE,
    REQUEST_NAVIGATION,
    REQUEST_SIGNAL,
    REQUEST_DUPLEX,
    REQUEST_CF,
};

static JSValue request_signal(JSContext *ctx, Request *r)
{
    if (JS_IsUndefined(r->signal)) {
        JSValue followed = js_dup(r->followed);
        JSValue signal = body_hook(ctx, HOOK_FOLLOW_SIGNAL, 1, vc(&followed));
        JS_FreeValue(ctx, followed);
        if (JS_IsException(signal))
            return signal;
        if (JS_IsUndefined(r->signal))
            r->signal = signal;
        else
            JS_FreeValue(ctx, signal); /* the hook asked for it too */
    }
    return js_dup(r->signal);
}

/* What the host told of a request that came to a worker, as an object. */
static JSValue request_cf(JSContext *ctx, Request *r)
{
    if (!JS_IsUndefined(r->cf) || !r->incoming)
        return js_dup(r->cf);
    JSValue v;
    if (r->source) {
        char *json = js_malloc(ctx, (size_t)r->cf_length + 1); /* QuickJS wants a NUL behind it */
        if (!json)
            return JS_EXCEPTION;
        memcpy(json, r->source->bytes + r->cf_at, r->cf_length);
        json[r->cf_length] = 0;
        v = JS_ParseJSON(ctx, json, r->cf_length, "cf");
        js_free(ctx, json);
    } else {
        v = JS_NewObject(ctx);
    }
    if (JS_IsException(v))
        return v;
    byte_store_free(ctx->rt, r->source);
    r->source = NULL;
    r->cf = js_dup(v);
    return v;
}

static JSValue request_get(JSContext *ctx, JSValueConst this_val, int magic)
{
    Request *r = JS_GetOpaque2(ctx, this_val, request_class);
    if (!r)
        return JS_EXCEPTION;
    switch (magic) {
    case REQUEST_METHOD:
        return string_value(string_dup(r->method));
    case REQUEST_URL:
        return string_value(string_dup(r->url));
    case REQUEST_REFERRER:
        return r->referrer ? string_value(string_dup(r->referrer)) : JS_NewAtomString(ctx, "about:client");
    case REQUEST_REFERRER_POLICY:
        return JS_NewAtomString(ctx, request_policies[r->policy]);
    case REQUEST_MODE:
        return JS_NewAtomString(ctx, request_modes[r->mode]);
    case REQUEST_CREDENTIALS:
        return JS_NewAtomString(ctx, request_credentials[r->credentials]);
    case REQUEST_CACHE:
        return JS_NewAtomString(ctx, request_caches[r->cache]);
    case REQUEST_REDIRECT:
        return JS_NewAtomString(ctx, request_redirects[r->redirect]);
    case REQUEST_INTEGRITY:
        return optional_string(ctx, r->integrity);
    case REQUEST_KEEPALIVE:
        return js_bool(r->keepalive);
    case REQUEST_NAVIGATION:
        return JS_FALSE;
    case REQUEST_SIGNAL:
        return request_signal(ctx, r);
    case REQUEST_CF:
        return request_cf(ctx, r);
    case REQUEST_DUPLEX:
        return JS_NewAtomString(ctx, "half");
    default:
        return js_empty_string(ctx->rt);
    }
}

#endif
