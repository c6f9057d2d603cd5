/*
 * URLSearchParams. https://url.spec.whatwg.org/#interface-urlsearchparams
 */
#ifndef SEARCH_PARAMS_H
#define SEARCH_PARAMS_H

#include "pairs.h"
#include "utf8.h"

static JSClassID search_params_class;
static JSClassID search_params_iterator_class;

struct Url;

typedef struct SearchParams {
    PairList list;
    struct Url *url; /* the URL whose query this is, as long as it lives */
} SearchParams;

/* Says that the URL's query is out of date. Implemented in url.h. */
static void url_query_changed(struct Url *u);
static void url_forget_params(struct Url *u);

static void search_params_changed(SearchParams *p)
{
    if (p->url)
        url_query_changed(p->url);
}

/* ---- application/x-www-form-urlencoded ---- */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One name or value: "+" is a space, percent signs are decoded. */
static JSString *form_decode(JSContext *ctx, const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n && p[i] != '%' && p[i] != '+')
        i++;
    JSValue v;
    if (i == n) {
        v = utf8_to_string(ctx, p, n);
    } else {
        uint8_t small[256];
        uint8_t *bytes = n <= sizeof small ? small : js_malloc(ctx, n);
        if (!bytes)
            return NULL;
        size_t length = i;
        memcpy(bytes, p, i);
        for (; i < n; i++) {
            uint8_t c = p[i];
            if (c == '+') {
                c = ' ';
            } else if (c == '%' && n - i > 2 && hex_digit(p[i + 1]) >= 0 && hex_digit(p[i + 2]) >= 0) {
                c = (uint8_t)(hex_digit(p[i + 1]) << 4 | hex_digit(p[i + 2]));
                i += 2;
            }
            bytes[length++] = c;
        }
        v = utf8_to_string(ctx, bytes, length);
        if (bytes != small)
            js_free(ctx, bytes);
    }
    return JS_IsException(v) ? NULL : string_of(v);
}

/* Appends the pairs of a query that has no "?" before it. */
static int form_parse(JSContext *ctx, PairList *list, const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    while (p < end) {
        const uint8_t *stop = memchr(p, '&', (size_t)(end - p));
        if (!stop)
            stop = end;
        if (stop > p) {
            const uint8_t *equals = memchr(p, '=', (size_t)(stop - p));
            const uint8_t *name_end = equals ? equals : stop;
            const uint8_t *value = equals ? equals + 1 : stop;
            JSString *k = form_decode(ctx, p, (size_t)(name_end - p));
            JSString *v = k ? form_decode(ctx, value, (size_t)(stop - value)) : NULL;
            if (!v) {
                if (k)
                    js_free_string(ctx->rt, k);
                return -1;
            }
            if (pair_list_append(ctx, list, k, v))
                return -1;
        }
        p = stop + 1;
    }
    return 0;
}

static bool is_form_plain(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' || c == '-' ||
           c == '.' || c == '_';
}

static void form_encode(StringBuffer *b, JSString *s)
{
    static const char digits[] = "0123456789ABCDEF";
    for (uint32_t i = 0; i < s->len; i++) {
        uint32_t c = s->is_wide_char ? str16(s)[i] : str8(s)[i];
        if (is_form_plain(c)) {
            string_buffer_putc8(b, c);
            continue;
        }
        if (c == ' ') {
            string_buffer_putc8(b, '+');
            continue;
        }
        /* The strings are well formed: a lead surrogate has its trail. */
        if ((c & 0xFC00) == 0xD800 && i + 1 < s->len)
            c = 0x10000 + ((c & 0x3FF) << 10) + (str16(s)[++i] & 0x3FF);
        uint8_t utf8[UTF8_CHAR_LEN_MAX];
        size_t n = utf8_encode(utf8, c);
        for (size_t j = 0; j < n; j++) {
            string_buffer_putc8(b, '%');
            string_buffer_putc8(b, (uint8_t)digits[utf8[j] >> 4]);
            string_buffer_putc8(b, (uint8_t)digits[utf8[j] & 15]);
        }
    }
}

/* The list as a query without "?". */
static JSString *form_serialize(JSContext *ctx, const PairList *list)
{
    StringBuffer b;
    string_buffer_init(ctx, &b, 64);
    for (uint32_t i = 0; i < list->count; i++) {
        if (i)
            string_buffer_putc8(&b, '&');
        form_encode(&b, list->pairs[i].name);
        string_buffer_putc8(&b, '=');
        form_encode(&b, list->pairs[i].value);
    }
    JSValue v = string_buffer_end(&b);
    return JS_IsException(v) ? NULL : string_of(v);
}

/* ---- the class ---- */

static void search_params_finalizer(JSRuntime *rt, JSValueConst v)
{
    SearchParams *p = JS_GetOpaque(v, search_params_class);
    if (p) {
        if (p->url)
            url_forget_params(p->url);
        pair_list_clear(rt, &p->list);
        js_free_rt(rt, p);
    }
}

static JSValue search_params_create(JSContext *ctx, JSValueConst new_target, SearchParams **out)
{
    SearchParams *p = js_mallocz(ctx, sizeof *p);
    if (!p)
        return JS_EXCEPTION;
    JSValue o = js_create_from_ctor(ctx, new_target, (int)search_params_class);
    if (JS_IsException(o)) {
        js_free(ctx, p);
        return o;
    }
    JS_SetOpaque(o, p);
    *out = p;
    return o;
}

static JSValue search_params_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    PairList list = { 0 };
    int result = 0;
    if (argc > 0 && JS_IsObject(argv[0])) {
        result = idl_pairs(ctx, argv[0], idl_usv_string, &list);
    } else if (argc > 0 && !JS_IsUndefined(argv[0])) {
        size_t n;
        const char *query = idl_utf8(ctx, &n, argv[0]);
        if (!query)
            return JS_EXCEPTION;
        size_t mark = n > 0 && query[0] == '?';
        result = form_parse(ctx, &list, (const uint8_t *)query + mark, n - mark);
        JS_FreeCString(ctx, query);
    }
    SearchParams *p;
    JSValue o = result ? JS_EXCEPTION : search_params_create(ctx, new_target, &p);
    if (JS_IsException(o))
        pair_list_clear(ctx->rt, &list);
    else
        p->list = list;
    return o;
}

/* Reads a method's arguments: a name and, if there is one, a value. */
static int search_params_arguments(JSContext *ctx, int argc, JSValueConst *argv, int wanted, const char *what,
                                   JSString **name, JSString **value)
{
    *name = *value = NULL;
    if (idl_require(ctx, argc, wanted, what))
        return -1;
    *name = idl_usv_string(ctx, argv[0]);
    if (!*name)
        return -1;
    if (wanted > 1 || (argc > 1 && !JS_IsUndefined(argv[1]))) {
        *value = idl_usv_string(ctx, argv[1]);
        if (!*value) {
            js_free_string(ctx->rt, *name);
            return -1;
        }
    }
    return 0;
}

static JSValue search_params_append(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    JSString *name, *value;
    if (!p || search_params_arguments(ctx, argc, argv, 2, "append", &name, &value))
        return JS_EXCEPTION;
    if (pair_list_append(ctx, &p->list, name, value))
        return JS_EXCEPTION;
    search_params_changed(p);
    return JS_UNDEFINED;
}

static JSValue search_params_set(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    JSString *name, *value;
    if (!p || search_params_arguments(ctx, argc, argv, 2, "set", &name, &value))
        return JS_EXCEPTION;
    uint32_t kept = 0;
    bool found = false;
    for (uint32_t i = 0; i < p->list.count; i++) {
        StringPair pair = p->list.pairs[i];
        if (!js_string_eq(pair.name, name)) {
            p->list.pairs[kept++] = pair;
            continue;
        }
        js_free_string(ctx->rt, pair.value);
        if (found) {
            js_free_string(ctx->rt, pair.name);
        } else {
            found = true;
            p->list.pairs[kept++] = (StringPair){ pair.name, value };
        }
    }
    p->list.count = kept;
    if (found)
        js_free_string(ctx->rt, name);
    else if (pair_list_append(ctx, &p->list, name, value))
        return JS_EXCEPTION;
    search_params_changed(p);
    return JS_UNDEFINED;
}

enum { PARAMS_GET, PARAMS_GET_ALL, PARAMS_HAS };

static JSValue search_params_lookup(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    static const char *const names[] = { "get", "getAll", "has" };
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    JSString *name, *value;
    if (!p || search_params_arguments(ctx, magic == PARAMS_HAS ? argc : min_int(argc, 1), argv, 1, names[magic], &name, &value))
        return JS_EXCEPTION;
    JSValue result = magic == PARAMS_GET ? JS_NULL : magic == PARAMS_HAS ? JS_FALSE : JS_NewArray(ctx);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->list.count && !JS_IsException(result); i++) {
        StringPair *pair = &p->list.pairs[i];
        if (!js_string_eq(pair->name, name) || (value && !js_string_eq(pair->value, value)))
            continue;
        if (magic == PARAMS_HAS) {
            result = JS_TRUE;
            break;
        }
        JSValue v = string_value(string_dup(pair->value));
        if (magic == PARAMS_GET) {
            result = v;
            break;
        }
        if (JS_CreateDataPropertyUint32(ctx, result, n++, v, JS_PROP_THROW) < 0) {
            JS_FreeValue(ctx, result);
            result = JS_EXCEPTION;
        }
    }
    js_free_string(ctx->rt, name);
    if (value)
        js_free_string(ctx->rt, value);
    return result;
}

static JSValue search_params_delete(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    JSString *name, *value;
    if (!p || search_params_arguments(ctx, argc, argv, 1, "delete", &name, &value))
        return JS_EXCEPTION;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < p->list.count; i++) {
        StringPair pair = p->list.pairs[i];
        if (js_string_eq(pair.name, name) && (!value || js_string_eq(pair.value, value))) {
            js_free_string(ctx->rt, pair.name);
            js_free_string(ctx->rt, pair.value);
        } else {
            p->list.pairs[kept++] = pair;
        }
    }
    p->list.count = kept;
    js_free_string(ctx->rt, name);
    if (value)
        js_free_string(ctx->rt, value);
    search_params_changed(p);
    return JS_UNDEFINED;
}

typedef struct SortedPair {
    StringPair pair;
    uint32_t place;
} SortedPair;

static int compare_sorted_pairs(const void *a, const void *b, void *unused)
{
    const SortedPair *x = a, *y = b;
    int order = js_string_compare(x->pair.name, y->pair.name);
    return order ? order : compare_u32(x->place, y->place);
}

static JSValue search_params_sort(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    if (!p)
        return JS_EXCEPTION;
    uint32_t n = p->list.count;
    if (n > 1) {
        SortedPair *sorted = js_malloc(ctx, n * sizeof *sorted);
        if (!sorted)
            return JS_EXCEPTION;
        for (uint32_t i = 0; i < n; i++)
            sorted[i] = (SortedPair){ p->list.pairs[i], i };
        rqsort(sorted, n, sizeof *sorted, compare_sorted_pairs, NULL);
        for (uint32_t i = 0; i < n; i++)
            p->list.pairs[i] = sorted[i].pair;
        js_free(ctx, sorted);
    }
    search_params_changed(p);
    return JS_UNDEFINED;
}

static JSValue search_params_to_string(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    if (!p)
        return JS_EXCEPTION;
    JSString *s = form_serialize(ctx, &p->list);
    return s ? string_value(s) : JS_EXCEPTION;
}

static JSValue search_params_size(JSContext *ctx, JSValueConst this_val)
{
    SearchParams *p = JS_GetOpaque2(ctx, this_val, search_params_class);
    return p ? js_uint32(p->list.count) : JS_EXCEPTION;
}

static int search_params_pair_at(JSContext *ctx, JSValueConst target, uint32_t index, JSValue *name, JSValue *value)
{
    SearchParams *p = JS_GetOpaque(target, search_params_class);
    if (index >= p->list.count)
        return 0;
    *name = string_value(string_dup(p->list.pairs[index].name));
    *value = string_value(string_dup(p->list.pairs[index].value));
    return 1;
}

static JSValue search_params_iterate(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    if (!JS_GetOpaque2(ctx, this_val, search_params_class))
        return JS_EXCEPTION;
    return pair_iterator_new(ctx, search_params_iterator_class, this_val, magic);
}

static JSValue search_params_iterator_next(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv,
                                           int *done, int magic)
{
    return pair_iterator_next(ctx, this_val, search_params_iterator_class, search_params_pair_at, done);
}

static JSValue search_params_for_each(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_GetOpaque2(ctx, this_val, search_params_class) || idl_require(ctx, argc, 1, "forEach"))
        return JS_EXCEPTION;
    return pair_for_each(ctx, this_val, search_params_pair_at, argc, argv);
}

static const JSCFunctionListEntry search_params_prototype[] = {
    IDL_GETTER("size", search_params_size),
    IDL_METHOD("append", 2, search_params_append),
    IDL_METHOD("delete", 1, search_params_delete),
    IDL_METHOD_MAGIC("get", 1, search_params_lookup, PARAMS_GET),
    IDL_METHOD_MAGIC("getAll", 1, search_params_lookup, PARAMS_GET_ALL),
    IDL_METHOD_MAGIC("has", 1, search_params_lookup, PARAMS_HAS),
    IDL_METHOD("set", 2, search_params_set),
    IDL_METHOD("sort", 0, search_params_sort),
    IDL_METHOD("toString", 0, search_params_to_string),
    IDL_METHOD_MAGIC("entries", 0, search_params_iterate, ITERATE_ENTRIES),
    IDL_METHOD("forEach", 1, search_params_for_each),
    IDL_METHOD_MAGIC("keys", 0, search_params_iterate, ITERATE_KEYS),
    IDL_METHOD_MAGIC("values", 0, search_params_iterate, ITERATE_VALUES),
    JS_ALIAS_DEF("[Symbol.iterator]", "entries"),
    IDL_TAG("URLSearchParams"),
};

static const JSCFunctionListEntry search_params_iterator_prototype[] = {
    IDL_ITERATOR_NEXT(search_params_iterator_next),
    IDL_TAG("URLSearchParams Iterator"),
};

static int search_params_init(JSContext *ctx, JSValueConst global)
{
    static const IdlClass params = {
        .name = "URLSearchParams",
        .finalizer = search_params_finalizer,
        .constructor = search_params_constructor,
        .prototype = search_params_prototype,
        .prototype_count = countof(search_params_prototype),
    };
    static const IdlClass iterator = {
        .name = "URLSearchParams Iterator",
        .finalizer = pair_iterator_finalizer,
        .mark = pair_iterator_mark,
        .prototype = search_params_iterator_prototype,
        .prototype_count = countof(search_params_iterator_prototype),
    };
    return idl_define(ctx, global, &search_params_class, &params) ||
                   idl_define(ctx, global, &search_params_iterator_class, &iterator)
               ? -1
               : 0;
}

#endif
