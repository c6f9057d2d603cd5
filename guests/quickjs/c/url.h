/*
 * URL. https://url.spec.whatwg.org/#url-class
 * ada parses and changes; what stays is its serialization and the places of the
 * parts in it, so that reading is slicing and nothing of C++ outlives a call.
 */
#ifndef URL_H
#define URL_H

#include "ada_c.h"
#include "search_params.h"

static JSClassID url_class;

typedef struct Url {
    JSString *href; /* ASCII */
    ada_url_components parts;
    JSValue params;      /* the URLSearchParams object, undefined until it is asked for */
    SearchParams *query; /* of params */
    bool query_stale;    /* query has changed and href has not followed yet */
} Url;

static void url_query_changed(Url *u)
{
    u->query_stale = true;
}

static void url_forget_params(Url *u)
{
    u->query = NULL;
    u->query_stale = false;
}

static void url_finalizer(JSRuntime *rt, JSValueConst v)
{
    Url *u = JS_GetOpaque(v, url_class);
    if (u) {
        if (u->query)
            u->query->url = NULL;
        js_free_string(rt, u->href);
        JS_FreeValueRT(rt, u->params);
        js_free_rt(rt, u);
    }
}

static void url_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark)
{
    Url *u = JS_GetOpaque(v, url_class);
    if (u)
        JS_MarkValue(rt, u->params, mark);
}

/* ---- parsing ---- */

/* Parses a string against a base, if there is one. Frees neither. */
static ada_url url_parse_utf8(const char *input, size_t n, const char *base, size_t base_n)
{
    return base ? ada_parse_with_base(input, n, base, base_n) : ada_parse(input, n);
}

/* Takes what ada parsed and reads its result: 1, or 0 if it is not valid, or -1
 * with an exception pending. */
static int url_read_result(JSContext *ctx, ada_url parsed, JSString **href, ada_url_components *parts)
{
    int result = 0;
    if (ada_is_valid(parsed)) {
        ada_string s = ada_get_href(parsed);
        *href = string_latin1(ctx, s.data, s.length);
        *parts = *ada_get_components(parsed);
        result = *href ? 1 : -1;
    }
    ada_free(parsed);
    return result;
}

/* Parses a value, which is converted to a string, against a base that may be
 * undefined. 1, 0 if it is no URL, -1 with an exception pending. */
static int url_parse_values(JSContext *ctx, JSValueConst input, JSValueConst base, JSString **href, ada_url_components *parts)
{
    size_t n, base_n = 0;
    const char *text = idl_utf8(ctx, &n, input);
    if (!text)
        return -1;
    const char *base_text = NULL;
    if (!JS_IsUndefined(base)) {
        base_text = idl_utf8(ctx, &base_n, base);
        if (!base_text) {
            JS_FreeCString(ctx, text);
            return -1;
        }
    }
    ada_url parsed = url_parse_utf8(text, n, base_text, base_n);
    JS_FreeCString(ctx, text);
    if (base_text)
        JS_FreeCString(ctx, base_text);
    return url_read_result(ctx, parsed, href, parts);
}

static JSValue url_throw_invalid(JSContext *ctx)
{
    JS_ThrowTypeError(ctx, "Invalid URL");
    return JS_EXCEPTION;
}

/* A URL object that takes href. */
static JSValue url_create(JSContext *ctx, JSValueConst new_target, JSString *href, const ada_url_components *parts)
{
    JSValue o = js_create_from_ctor(ctx, new_target, (int)url_class);
    Url *u = JS_IsException(o) ? NULL : js_malloc(ctx, sizeof *u);
    if (!u) {
        js_free_string(ctx->rt, href);
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    *u = (Url){ .href = href, .parts = *parts, .params = JS_UNDEFINED };
    JS_SetOpaque(o, u);
    return o;
}

static JSValue url_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    JSString *href;
    ada_url_components parts;
    if (idl_require(ctx, argc, 1, "URL"))
        return JS_EXCEPTION;
    int found = url_parse_values(ctx, argv[0], argc > 1 ? argv[1] : JS_UNDEFINED, &href, &parts);
    if (found <= 0)
        return found < 0 ? JS_EXCEPTION : url_throw_invalid(ctx);
    return url_create(ctx, new_target, href, &parts);
}

enum { URL_PARSE, URL_CAN_PARSE };

static JSValue url_static(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    JSString *href;
    ada_url_components parts;
    if (idl_require(ctx, argc, 1, magic == URL_PARSE ? "parse" : "canParse"))
        return JS_EXCEPTION;
    int found = url_parse_values(ctx, argv[0], argc > 1 ? argv[1] : JS_UNDEFINED, &href, &parts);
    if (found < 0)
        return JS_EXCEPTION;
    if (magic == URL_PARSE)
        return found ? url_create(ctx, JS_UNDEFINED, href, &parts) : JS_NULL;
    if (found)
        js_free_string(ctx->rt, href);
    return js_bool(found);
}

/* ---- the parts ---- */

/* Puts a changed URLSearchParams into href. */
static int url_sync(JSContext *ctx, Url *u)
{
    if (!u->query_stale)
        return 0;
    JSString *query = form_serialize(ctx, &u->query->list);
    if (!query)
        return -1;
    uint32_t hash = u->parts.hash_start == ada_url_omitted ? u->href->len : u->parts.hash_start;
    uint32_t start = u->parts.search_start == ada_url_omitted ? hash : u->parts.search_start;
    const uint8_t *old = str8(u->href);
    if (query->len == 0 && hash == u->href->len)
        while (start > u->parts.pathname_start && old[start - 1] == ' ')
            start--; /* an opaque path does not end in spaces */
    uint64_t length = (uint64_t)start + (query->len ? 1 + query->len : 0) + (u->href->len - hash);
    JSString *href = NULL;
    if (length > JS_STRING_LEN_MAX)
        JS_ThrowRangeError(ctx, "invalid string length");
    else
        href = js_alloc_string(ctx, (int)length, 0);
    if (href) {
        uint8_t *to = str8(href);
        memcpy(to, old, start);
        to += start;
        if (query->len) {
            *to++ = '?';
            memcpy(to, str8(query), query->len);
            to += query->len;
        }
        memcpy(to, old + hash, u->href->len - hash);
        to[u->href->len - hash] = 0;
        u->parts.search_start = query->len ? start : ada_url_omitted;
        if (u->parts.hash_start != ada_url_omitted)
            u->parts.hash_start = (uint32_t)(to - str8(href));
        js_free_string(ctx->rt, u->href);
        u->href = href;
        u->query_stale = false;
    }
    js_free_string(ctx->rt, query);
    return href ? 0 : -1;
}

/* The URL of a receiver, up to date; NULL with an exception pending. */
static Url *url_of(JSContext *ctx, JSValueConst v)
{
    Url *u = JS_GetOpaque2(ctx, v, url_class);
    return u && url_sync(ctx, u) == 0 ? u : NULL;
}

enum {
    URL_HREF,
    URL_PROTOCOL,
    URL_USERNAME,
    URL_PASSWORD,
    URL_HOST,
    URL_HOSTNAME,
    URL_PORT,
    URL_PATHNAME,
    URL_SEARCH,
    URL_HASH,
};

/* Where a part is in href, as the layout that ada describes has it. */
static void url_part(const JSString *href, const uint8_t *text, const ada_url_components *c, int part, uint32_t *start, uint32_t *end)
{
    uint32_t length = href->len;
    uint32_t hash = c->hash_start == ada_url_omitted ? length : c->hash_start;
    uint32_t search = c->search_start == ada_url_omitted ? hash : c->search_start;
    uint32_t host = c->host_start + (c->host_end > c->host_start && text[c->host_start] == '@');
    *start = *end = 0;
    switch (part) {
    case URL_HREF:
        *end = length;
        break;
    case URL_PROTOCOL:
        *end = c->protocol_end;
        break;
    case URL_USERNAME:
        if (c->protocol_end + 2 < c->username_end) {
            *start = c->protocol_end + 2;
            *end = c->username_end;
        }
        break;
    case URL_PASSWORD:
        if (c->host_start > c->username_end) {
            *start = c->username_end + 1;
            *end = c->host_start;
        }
        break;
    case URL_HOST:
        if (host != c->host_end) {
            *start = host;
            *end = c->pathname_start;
        }
        break;
    case URL_HOSTNAME:
        *start = host;
        *end = c->host_end;
        break;
    case URL_PORT:
        if (c->port != ada_url_omitted) {
            *start = c->host_end + 1;
            *end = c->pathname_start;
        }
        break;
    case URL_PATHNAME:
        *start = c->pathname_start;
        *end = search;
        break;
    case URL_SEARCH:
        if (c->search_start != ada_url_omitted && hash - search > 1) {
            *start = search;
            *end = hash;
        }
        break;
    case URL_HASH:
        if (length - hash > 1) {
            *start = hash;
            *end = length;
        }
        break;
    }
}

static JSValue url_get(JSContext *ctx, JSValueConst this_val, int part)
{
    Url *u = url_of(ctx, this_val);
    if (!u)
        return JS_EXCEPTION;
    uint32_t start, end;
    url_part(u->href, str8(u->href), &u->parts, part, &start, &end);
    return js_sub_string(ctx, u->href, (int)start, (int)end);
}

static JSValue url_to_string(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return url_get(ctx, this_val, URL_HREF);
}

static JSValue url_origin(JSContext *ctx, JSValueConst this_val)
{
    Url *u = url_of(ctx, this_val);
    if (!u)
        return JS_EXCEPTION;
    static const char *const tuple_origins[] = { "http:", "https:", "ws:", "wss:", "ftp:", "blob:" };
    const uint8_t *text = str8(u->href);
    uint32_t n = u->parts.protocol_end;
    for (size_t i = 0; i < countof(tuple_origins); i++) {
        if (strlen(tuple_origins[i]) != n || memcmp(tuple_origins[i], text, n) != 0)
            continue;
        ada_url parsed = ada_parse((const char *)text, u->href->len);
        ada_owned_string origin = ada_get_origin(parsed);
        JSValue v = JS_NewStringLen(ctx, origin.data, origin.length);
        ada_free_owned_string(origin);
        ada_free(parsed);
        return v;
    }
    return JS_NewAtomString(ctx, "null");
}

/* Fills the linked URLSearchParams from the query. */
static int url_fill_query(JSContext *ctx, Url *u, SearchParams *p)
{
    uint32_t start, end;
    url_part(u->href, str8(u->href), &u->parts, URL_SEARCH, &start, &end);
    pair_list_clear(ctx->rt, &p->list);
    return start == end ? 0 : form_parse(ctx, &p->list, str8(u->href) + start + 1, end - start - 1);
}

static JSValue url_set(JSContext *ctx, JSValueConst this_val, JSValueConst v, int part)
{
    Url *u = JS_GetOpaque2(ctx, this_val, url_class);
    if (!u)
        return JS_EXCEPTION;
    size_t n;
    const char *text = idl_utf8(ctx, &n, v);
    if (!text)
        return JS_EXCEPTION;
    if (url_sync(ctx, u)) {
        JS_FreeCString(ctx, text);
        return JS_EXCEPTION;
    }
    ada_url url = part == URL_HREF ? ada_parse(text, n) : ada_parse((const char *)str8(u->href), u->href->len);
    if (ada_is_valid(url)) {
        switch (part) {
        case URL_PROTOCOL:
            ada_set_protocol(url, text, n);
            break;
        case URL_USERNAME:
            ada_set_username(url, text, n);
            break;
        case URL_PASSWORD:
            ada_set_password(url, text, n);
            break;
        case URL_HOST:
            ada_set_host(url, text, n);
            break;
        case URL_HOSTNAME:
            ada_set_hostname(url, text, n);
            break;
        case URL_PORT:
            ada_set_port(url, text, n);
            break;
        case URL_PATHNAME:
            ada_set_pathname(url, text, n);
            break;
        case URL_SEARCH:
            ada_set_search(url, text, n);
            break;
        case URL_HASH:
            ada_set_hash(url, text, n);
            break;
        }
    }
    JS_FreeCString(ctx, text);
    JSString *href;
    ada_url_components parts;
    int found = url_read_result(ctx, url, &href, &parts);
    if (found < 0)
        return JS_EXCEPTION;
    if (found == 0)
        return part == URL_HREF ? url_throw_invalid(ctx) : JS_UNDEFINED;
    js_free_string(ctx->rt, u->href);
    u->href = href;
    u->parts = parts;
    if (u->query && (part == URL_HREF || part == URL_SEARCH) && url_fill_query(ctx, u, u->query))
        return JS_EXCEPTION;
    return JS_UNDEFINED;
}

static JSValue url_search_params(JSContext *ctx, JSValueConst this_val)
{
    Url *u = JS_GetOpaque2(ctx, this_val, url_class);
    if (!u)
        return JS_EXCEPTION;
    if (!u->query) {
        SearchParams *p;
        JSValue o = search_params_create(ctx, JS_UNDEFINED, &p);
        if (JS_IsException(o))
            return o;
        if (url_fill_query(ctx, u, p)) {
            JS_FreeValue(ctx, o);
            return JS_EXCEPTION;
        }
        p->url = u;
        u->query = p;
        u->params = o;
    }
    return js_dup(u->params);
}

static const JSCFunctionListEntry url_prototype[] = {
    IDL_ATTRIBUTE_MAGIC("href", url_get, url_set, URL_HREF),
    IDL_METHOD("toString", 0, url_to_string),
    IDL_GETTER("origin", url_origin),
    IDL_ATTRIBUTE_MAGIC("protocol", url_get, url_set, URL_PROTOCOL),
    IDL_ATTRIBUTE_MAGIC("username", url_get, url_set, URL_USERNAME),
    IDL_ATTRIBUTE_MAGIC("password", url_get, url_set, URL_PASSWORD),
    IDL_ATTRIBUTE_MAGIC("host", url_get, url_set, URL_HOST),
    IDL_ATTRIBUTE_MAGIC("hostname", url_get, url_set, URL_HOSTNAME),
    IDL_ATTRIBUTE_MAGIC("port", url_get, url_set, URL_PORT),
    IDL_ATTRIBUTE_MAGIC("pathname", url_get, url_set, URL_PATHNAME),
    IDL_ATTRIBUTE_MAGIC("search", url_get, url_set, URL_SEARCH),
    IDL_GETTER("searchParams", url_search_params),
    IDL_ATTRIBUTE_MAGIC("hash", url_get, url_set, URL_HASH),
    IDL_METHOD("toJSON", 0, url_to_string),
    IDL_TAG("URL"),
};

static const JSCFunctionListEntry url_statics[] = {
    IDL_METHOD_MAGIC("parse", 1, url_static, URL_PARSE),
    IDL_METHOD_MAGIC("canParse", 1, url_static, URL_CAN_PARSE),
};

static int url_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    static const IdlClass url = {
        .name = "URL",
        .finalizer = url_finalizer,
        .mark = url_mark,
        .constructor = url_constructor,
        .length = 1,
        .prototype = url_prototype,
        .prototype_count = countof(url_prototype),
        .statics = url_statics,
        .statics_count = countof(url_statics),
    };
    if (search_params_init(ctx, global))
        return -1;
    return idl_define(ctx, global, &url_class, &url);
}

#endif
