/*
 * Headers. https://fetch.spec.whatwg.org/#headers-class
 * Names are kept in lower case, as HTTP/2 sends them and as JavaScript sees
 * them. Which names a request may carry is decided by the host, which sends it:
 * here a list is either immutable or free.
 */
#ifndef HEADERS_H
#define HEADERS_H

#include "pairs.h"

static JSClassID headers_class;
static JSClassID headers_iterator_class;
static JSValue headers_entries; /* Headers.prototype.entries, as it was at boot */

typedef struct Headers {
    PairList list;   /* in the order of insertion */
    PairList sorted; /* what iteration shows: by name, values combined */
    bool sorted_valid;
    bool immutable;
} Headers;

/* RFC 9110 tchar, one bit a character. */
static const uint32_t token_chars[4] = { 0, 0x03FF6CFA, 0xC7FFFFFE, 0x57FFFFFF };

static inline bool is_token_char(uint8_t c)
{
    return c < 128 && (token_chars[c >> 5] >> (c & 31) & 1);
}

static bool is_token(JSString *s)
{
    if (s->len == 0 || s->is_wide_char)
        return false;
    const uint8_t *p = str8(s);
    for (uint32_t i = 0; i < s->len; i++)
        if (!is_token_char(p[i]))
            return false;
    return true;
}

static inline bool is_http_space(uint16_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static inline bool string_same(JSString *a, JSString *b)
{
    return a == b || (a->len == b->len && memcmp(str8(a), str8(b), a->len) == 0);
}

/* Takes a ByteString and answers it as a name; NULL with a TypeError. */
static JSString *header_name(JSContext *ctx, JSString *s)
{
    if (!s)
        return NULL;
    if (!is_token(s)) {
        js_free_string(ctx->rt, s);
        JS_ThrowTypeError(ctx, "invalid header name");
        return NULL;
    }
    return string_to_lower(ctx, s);
}

/* Takes a ByteString and answers it without the white space around it; NULL
 * with a TypeError where it holds NUL, CR or LF. */
static JSString *header_value(JSContext *ctx, JSString *s)
{
    if (!s)
        return NULL;
    const uint8_t *p = str8(s);
    uint32_t start = 0, end = s->len;
    while (start < end && is_http_space(p[start]))
        start++;
    while (end > start && is_http_space(p[end - 1]))
        end--;
    for (uint32_t i = start; i < end; i++) {
        if (p[i] == 0 || p[i] == '\n' || p[i] == '\r') {
            js_free_string(ctx->rt, s);
            JS_ThrowTypeError(ctx, "invalid header value");
            return NULL;
        }
    }
    if (start == 0 && end == s->len)
        return s;
    JSValue trimmed = js_sub_string(ctx, s, (int)start, (int)end);
    js_free_string(ctx->rt, s);
    return JS_IsException(trimmed) ? NULL : string_of(trimmed);
}

/* ---- the list ---- */

static void headers_changed(JSRuntime *rt, Headers *h)
{
    if (h->sorted_valid) {
        pair_list_clear(rt, &h->sorted);
        h->sorted_valid = false;
    }
}

static bool header_list_has(const PairList *l, JSString *name)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (string_same(l->pairs[i].name, name))
            return true;
    return false;
}

/* The first value of a name given as lower-case text, NULL if there is none. */
static JSString *header_list_find(const PairList *l, const char *name)
{
    for (uint32_t i = 0; i < l->count; i++)
        if (string_is(l->pairs[i].name, name))
            return l->pairs[i].value;
    return NULL;
}

/* The values of a name from its place first on, joined by ", ". */
static JSString *header_list_join(JSContext *ctx, const PairList *l, JSString *name, uint32_t first)
{
    uint64_t length = 0;
    uint32_t count = 0;
    for (uint32_t i = first; i < l->count; i++) {
        if (string_same(l->pairs[i].name, name)) {
            length += l->pairs[i].value->len + (count ? 2 : 0);
            count++;
        }
    }
    if (count == 1)
        return string_dup(l->pairs[first].value);
    if (length > JS_STRING_LEN_MAX) {
        JS_ThrowRangeError(ctx, "invalid string length");
        return NULL;
    }
    JSString *joined = js_alloc_string(ctx, (int)length, 0);
    if (!joined)
        return NULL;
    uint8_t *to = str8(joined);
    for (uint32_t i = first; i < l->count; i++) {
        if (!string_same(l->pairs[i].name, name))
            continue;
        if (i != first) {
            *to++ = ',';
            *to++ = ' ';
        }
        JSString *value = l->pairs[i].value;
        memcpy(to, str8(value), value->len);
        to += value->len;
    }
    *to = 0;
    return joined;
}

/* The combined value of a name: NULL in *value if there is none. */
static int header_list_get(JSContext *ctx, const PairList *l, JSString *name, JSString **value)
{
    *value = NULL;
    for (uint32_t i = 0; i < l->count; i++) {
        if (string_same(l->pairs[i].name, name)) {
            *value = header_list_join(ctx, l, name, i);
            return *value ? 0 : -1;
        }
    }
    return 0;
}

/* Removes all pairs of a name but the first kept ones. */
static void header_list_remove(JSContext *ctx, PairList *l, JSString *name, uint32_t kept)
{
    uint32_t j = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        if (string_same(l->pairs[i].name, name) && kept-- == 0) {
            kept = 0;
            js_free_string(ctx->rt, l->pairs[i].name);
            js_free_string(ctx->rt, l->pairs[i].value);
        } else {
            l->pairs[j++] = l->pairs[i];
        }
    }
    l->count = j;
}

/* Appends a constant pair. */
static int header_list_append_text(JSContext *ctx, PairList *l, const char *name, const char *value, size_t n)
{
    JSString *k = string_latin1(ctx, name, strlen(name));
    if (!k)
        return -1;
    JSString *v = string_latin1(ctx, value, n);
    if (!v) {
        js_free_string(ctx->rt, k);
        return -1;
    }
    return pair_list_append(ctx, l, k, v);
}

static int header_list_copy(JSContext *ctx, PairList *to, const PairList *from)
{
    if (from->count == 0)
        return 0;
    StringPair *pairs = js_malloc(ctx, from->count * sizeof *pairs);
    if (!pairs)
        return -1;
    for (uint32_t i = 0; i < from->count; i++) {
        pairs[i].name = string_dup(from->pairs[i].name);
        pairs[i].value = string_dup(from->pairs[i].value);
    }
    pair_list_clear(ctx->rt, to);
    *to = (PairList){ pairs, from->count, from->count };
    return 0;
}

typedef struct SortEntry {
    JSString *name;
    uint32_t place;
} SortEntry;

static int compare_sort_entries(const void *a, const void *b, void *unused)
{
    const SortEntry *x = a, *y = b;
    int order = js_string_compare(x->name, y->name);
    return order ? order : compare_u32(x->place, y->place);
}

/* "Sort and combine": set-cookie is never combined. */
static int headers_sort(JSContext *ctx, Headers *h)
{
    if (h->sorted_valid)
        return 0;
    uint32_t n = h->list.count;
    if (n == 0) {
        h->sorted_valid = true;
        return 0;
    }
    SortEntry *order = js_malloc(ctx, n * sizeof *order);
    if (!order)
        return -1;
    for (uint32_t i = 0; i < n; i++)
        order[i] = (SortEntry){ h->list.pairs[i].name, i };
    rqsort(order, n, sizeof *order, compare_sort_entries, NULL);
    int result = 0;
    for (uint32_t i = 0; i < n && result == 0; i++) {
        bool cookie = string_is(order[i].name, "set-cookie");
        if (i > 0 && !cookie && string_same(order[i].name, order[i - 1].name))
            continue;
        JSString *value;
        if (cookie || i + 1 == n || !string_same(order[i].name, order[i + 1].name))
            value = string_dup(h->list.pairs[order[i].place].value);
        else
            value = header_list_join(ctx, &h->list, order[i].name, order[i].place);
        result = value ? pair_list_append(ctx, &h->sorted, string_dup(order[i].name), value) : -1;
    }
    js_free(ctx, order);
    if (result)
        pair_list_clear(ctx->rt, &h->sorted);
    else
        h->sorted_valid = true;
    return result;
}

/* ---- the class ---- */

static void headers_finalizer(JSRuntime *rt, JSValueConst v)
{
    Headers *h = JS_GetOpaque(v, headers_class);
    if (h) {
        pair_list_clear(rt, &h->list);
        pair_list_clear(rt, &h->sorted);
        js_free_rt(rt, h);
    }
}

/* A Headers object with an empty list, made for new_target or plainly. */
static JSValue headers_create(JSContext *ctx, JSValueConst new_target, Headers **out)
{
    Headers *h = js_mallocz(ctx, sizeof *h);
    if (!h)
        return JS_EXCEPTION;
    JSValue o = js_create_from_ctor(ctx, new_target, (int)headers_class);
    if (JS_IsException(o)) {
        js_free(ctx, h);
        return o;
    }
    JS_SetOpaque(o, h);
    *out = h;
    return o;
}

static int headers_immutable(JSContext *ctx)
{
    JS_ThrowTypeError(ctx, "these headers are immutable");
    return -1;
}

/* Converts a HeadersInit to pairs that are not checked yet. A Headers object
 * with its own iterator is copied without running it. */
static int headers_init_convert(JSContext *ctx, JSValueConst init, PairList *pairs)
{
    if (!JS_IsObject(init)) {
        JS_ThrowTypeError(ctx, "headers must be an object or an iterable of pairs");
        return -1;
    }
    Headers *from = JS_GetOpaque(init, headers_class);
    if (from) {
        JSValue iterator = JS_GetProperty(ctx, init, JS_ATOM_Symbol_iterator);
        if (JS_IsException(iterator))
            return -1;
        bool own = same_object(iterator, headers_entries);
        JS_FreeValue(ctx, iterator);
        if (own)
            return header_list_copy(ctx, pairs, &from->list);
    }
    return idl_pairs(ctx, init, idl_byte_string, pairs);
}

/* Appends converted pairs, each of them checked. Runs no JavaScript. */
static int header_list_fill(JSContext *ctx, PairList *list, PairList *pairs)
{
    for (uint32_t i = 0; i < pairs->count; i++) {
        JSString *name = header_name(ctx, string_dup(pairs->pairs[i].name));
        if (!name)
            return -1;
        JSString *value = header_value(ctx, string_dup(pairs->pairs[i].value));
        if (!value) {
            js_free_string(ctx->rt, name);
            return -1;
        }
        if (pair_list_append(ctx, list, name, value))
            return -1;
    }
    return 0;
}

static JSValue headers_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    PairList pairs = { 0 };
    Headers *h;
    JSValue o = JS_EXCEPTION;
    if (argc < 1 || JS_IsUndefined(argv[0]) || headers_init_convert(ctx, argv[0], &pairs) == 0) {
        o = headers_create(ctx, new_target, &h);
        if (!JS_IsException(o) && header_list_fill(ctx, &h->list, &pairs)) {
            JS_FreeValue(ctx, o);
            o = JS_EXCEPTION;
        }
    }
    pair_list_clear(ctx->rt, &pairs);
    return o;
}

/* Reads the arguments of a method: a checked name and, where value is not NULL,
 * a checked value. Conversions come before checks. */
static int headers_arguments(JSContext *ctx, int argc, JSValueConst *argv, const char *what, JSString **name, JSString **value)
{
    *name = NULL;
    if (idl_require(ctx, argc, value ? 2 : 1, what))
        return -1;
    *name = idl_byte_string(ctx, argv[0]);
    if (!*name)
        return -1;
    if (value) {
        *value = idl_byte_string(ctx, argv[1]);
        if (!*value) {
            js_free_string(ctx->rt, *name);
            return -1;
        }
        JSString *checked = *value;
        *value = NULL;
        *name = header_name(ctx, *name);
        if (*name)
            *value = header_value(ctx, checked);
        else
            js_free_string(ctx->rt, checked);
        if (*name && !*value)
            js_free_string(ctx->rt, *name);
        return *value ? 0 : -1;
    }
    *name = header_name(ctx, *name);
    return *name ? 0 : -1;
}

static JSValue headers_append(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Headers *h = JS_GetOpaque2(ctx, this_val, headers_class);
    JSString *name, *value;
    if (!h || headers_arguments(ctx, argc, argv, "append", &name, &value))
        return JS_EXCEPTION;
    int result;
    if (h->immutable) {
        js_free_string(ctx->rt, name);
        js_free_string(ctx->rt, value);
        result = headers_immutable(ctx);
    } else {
        headers_changed(ctx->rt, h);
        result = pair_list_append(ctx, &h->list, name, value);
    }
    return result ? JS_EXCEPTION : JS_UNDEFINED;
}

/* Sets a name to one value, at the place of its first; takes both references. */
static int headers_put(JSContext *ctx, Headers *h, JSString *name, JSString *value)
{
    headers_changed(ctx->rt, h);
    for (uint32_t i = 0; i < h->list.count; i++) {
        StringPair *pair = &h->list.pairs[i];
        if (!string_same(pair->name, name))
            continue;
        js_free_string(ctx->rt, pair->value);
        pair->value = value;
        header_list_remove(ctx, &h->list, name, 1);
        js_free_string(ctx->rt, name);
        return 0;
    }
    return pair_list_append(ctx, &h->list, name, value);
}

static JSValue headers_set(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Headers *h = JS_GetOpaque2(ctx, this_val, headers_class);
    JSString *name, *value;
    if (!h || headers_arguments(ctx, argc, argv, "set", &name, &value))
        return JS_EXCEPTION;
    int result;
    if (h->immutable) {
        js_free_string(ctx->rt, name);
        js_free_string(ctx->rt, value);
        result = headers_immutable(ctx);
    } else {
        result = headers_put(ctx, h, name, value);
    }
    return result ? JS_EXCEPTION : JS_UNDEFINED;
}

enum { HEADERS_GET, HEADERS_HAS, HEADERS_DELETE };

static JSValue headers_lookup(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    static const char *const names[] = { "get", "has", "delete" };
    Headers *h = JS_GetOpaque2(ctx, this_val, headers_class);
    JSString *name, *value;
    if (!h || headers_arguments(ctx, argc, argv, names[magic], &name, NULL))
        return JS_EXCEPTION;
    JSValue result = JS_UNDEFINED;
    switch (magic) {
    case HEADERS_GET:
        if (header_list_get(ctx, &h->list, name, &value))
            result = JS_EXCEPTION;
        else
            result = value ? string_value(value) : JS_NULL;
        break;
    case HEADERS_HAS:
        result = js_bool(header_list_has(&h->list, name));
        break;
    default:
        if (h->immutable) {
            headers_immutable(ctx);
            result = JS_EXCEPTION;
        } else {
            headers_changed(ctx->rt, h);
            header_list_remove(ctx, &h->list, name, 0);
        }
    }
    js_free_string(ctx->rt, name);
    return result;
}

static JSValue headers_get_set_cookie(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Headers *h = JS_GetOpaque2(ctx, this_val, headers_class);
    if (!h)
        return JS_EXCEPTION;
    JSValue list = JS_NewArray(ctx);
    int64_t n = 0;
    for (uint32_t i = 0; i < h->list.count && !JS_IsException(list); i++) {
        if (!string_is(h->list.pairs[i].name, "set-cookie"))
            continue;
        JSValue value = string_value(string_dup(h->list.pairs[i].value));
        if (JS_CreateDataPropertyUint32(ctx, list, n++, value, JS_PROP_THROW) < 0) {
            JS_FreeValue(ctx, list);
            list = JS_EXCEPTION;
        }
    }
    return list;
}

static int headers_pair_at(JSContext *ctx, JSValueConst target, uint32_t index, JSValue *name, JSValue *value)
{
    Headers *h = JS_GetOpaque(target, headers_class);
    if (headers_sort(ctx, h))
        return -1;
    if (index >= h->sorted.count)
        return 0;
    *name = string_value(string_dup(h->sorted.pairs[index].name));
    *value = string_value(string_dup(h->sorted.pairs[index].value));
    return 1;
}

static JSValue headers_iterate(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    if (!JS_GetOpaque2(ctx, this_val, headers_class))
        return JS_EXCEPTION;
    return pair_iterator_new(ctx, headers_iterator_class, this_val, magic);
}

static JSValue headers_iterator_next(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int *done, int magic)
{
    return pair_iterator_next(ctx, this_val, headers_iterator_class, headers_pair_at, done);
}

static JSValue headers_for_each(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_GetOpaque2(ctx, this_val, headers_class) || idl_require(ctx, argc, 1, "forEach"))
        return JS_EXCEPTION;
    return pair_for_each(ctx, this_val, headers_pair_at, argc, argv);
}

static const JSCFunctionListEntry headers_prototype[] = {
    IDL_METHOD("append", 2, headers_append),
    IDL_METHOD_MAGIC("delete", 1, headers_lookup, HEADERS_DELETE),
    IDL_METHOD_MAGIC("get", 1, headers_lookup, HEADERS_GET),
    IDL_METHOD("getSetCookie", 0, headers_get_set_cookie),
    IDL_METHOD_MAGIC("has", 1, headers_lookup, HEADERS_HAS),
    IDL_METHOD("set", 2, headers_set),
    IDL_METHOD_MAGIC("entries", 0, headers_iterate, ITERATE_ENTRIES),
    IDL_METHOD("forEach", 1, headers_for_each),
    IDL_METHOD_MAGIC("keys", 0, headers_iterate, ITERATE_KEYS),
    IDL_METHOD_MAGIC("values", 0, headers_iterate, ITERATE_VALUES),
    JS_ALIAS_DEF("[Symbol.iterator]", "entries"),
    IDL_TAG("Headers"),
};

static const JSCFunctionListEntry headers_iterator_prototype[] = {
    IDL_ITERATOR_NEXT(headers_iterator_next),
    IDL_TAG("Headers Iterator"),
};

static int headers_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    static const IdlClass headers = {
        .name = "Headers",
        .finalizer = headers_finalizer,
        .constructor = headers_constructor,
        .prototype = headers_prototype,
        .prototype_count = countof(headers_prototype),
    };
    static const IdlClass iterator = {
        .name = "Headers Iterator",
        .finalizer = pair_iterator_finalizer,
        .mark = pair_iterator_mark,
        .prototype = headers_iterator_prototype,
        .prototype_count = countof(headers_iterator_prototype),
    };
    if (idl_define(ctx, global, &headers_class, &headers) ||
        idl_define(ctx, global, &headers_iterator_class, &iterator))
        return -1;
    headers_entries = JS_GetPropertyStr(ctx, ctx->class_proto[headers_class], "entries");
    return JS_IsException(headers_entries) ? -1 : 0;
}

#endif
