/*
 * Lists of pairs of strings, how Web IDL converts to them, and its iterators
 * over them: what Headers and URLSearchParams have in common.
 * https://webidl.spec.whatwg.org/#idl-iterable
 */
#ifndef PAIRS_H
#define PAIRS_H

#include "webidl.h"

/* ---- sequences and records of string pairs (HeadersInit, URLSearchParams) ---- */

typedef JSString *IdlConvert(JSContext *ctx, JSValueConst v);

typedef struct StringPair {
    JSString *name;
    JSString *value;
} StringPair;

typedef struct PairList {
    StringPair *pairs;
    uint32_t count;
    uint32_t capacity;
} PairList;

static void pair_list_clear(JSRuntime *rt, PairList *l)
{
    for (uint32_t i = 0; i < l->count; i++) {
        js_free_string(rt, l->pairs[i].name);
        js_free_string(rt, l->pairs[i].value);
    }
    js_free_rt(rt, l->pairs);
    l->pairs = NULL;
    l->count = l->capacity = 0;
}

/* Appends a pair and takes both references, also where it fails (-1). */
static int pair_list_append(JSContext *ctx, PairList *l, JSString *name, JSString *value)
{
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity ? l->capacity * 2 : 4;
        StringPair *grown = js_realloc(ctx, l->pairs, capacity * sizeof *grown);
        if (!grown) {
            js_free_string(ctx->rt, name);
            js_free_string(ctx->rt, value);
            return -1;
        }
        l->pairs = grown;
        l->capacity = capacity;
    }
    l->pairs[l->count++] = (StringPair){ name, value };
    return 0;
}

/* One item of a sequence<sequence<String>>: exactly two strings. */
static int idl_pair(JSContext *ctx, JSValueConst item, IdlConvert *convert, PairList *to)
{
    JSString *parts[2] = { NULL, NULL };
    uint32_t count = 0;
    if (!JS_IsObject(item)) {
        JS_ThrowTypeError(ctx, "each pair must be an iterable of a name and a value");
        return -1;
    }
    JSValue iterator = JS_GetIterator(ctx, item, false);
    if (JS_IsException(iterator))
        return -1;
    JSValue next = JS_GetProperty(ctx, iterator, JS_ATOM_next);
    int result = JS_IsException(next) ? -1 : 0;
    while (result == 0) {
        int done;
        JSValue v = JS_IteratorNext(ctx, iterator, next, 0, NULL, &done);
        if (JS_IsException(v)) {
            result = -1;
            break;
        }
        if (done)
            break;
        JSString *s = convert(ctx, v);
        JS_FreeValue(ctx, v);
        if (!s) {
            result = -1;
        } else if (count < 2) {
            parts[count++] = s;
        } else {
            js_free_string(ctx->rt, s);
            count = 3; /* too many, but all of them are converted first */
        }
    }
    JS_FreeValue(ctx, next);
    JS_FreeValue(ctx, iterator);
    if (result == 0 && count != 2) {
        JS_ThrowTypeError(ctx, "each pair must be a name and a value");
        result = -1;
    }
    if (result == 0)
        return pair_list_append(ctx, to, parts[0], parts[1]);
    for (int i = 0; i < 2; i++)
        if (parts[i])
            js_free_string(ctx->rt, parts[i]);
    return -1;
}

/* record<String, String>: own enumerable properties, in order. */
static int idl_record(JSContext *ctx, JSValueConst v, IdlConvert *convert, PairList *to)
{
    JSPropertyEnum *keys;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &keys, &count, v, JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK))
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        JSPropertyDescriptor d;
        int found = JS_GetOwnProperty(ctx, &d, v, keys[i].atom);
        if (found < 0)
            result = -1;
        if (found <= 0)
            continue;
        bool enumerable = (d.flags & JS_PROP_ENUMERABLE) != 0;
        js_free_desc(ctx, &d);
        if (!enumerable)
            continue;
        JSValue key = JS_AtomToValue(ctx, keys[i].atom);
        JSString *name = JS_IsException(key) ? NULL : convert(ctx, key);
        JS_FreeValue(ctx, key);
        JSValue got = name ? JS_GetProperty(ctx, v, keys[i].atom) : JS_EXCEPTION;
        JSString *value = JS_IsException(got) ? NULL : convert(ctx, got);
        JS_FreeValue(ctx, got);
        if (!value) {
            if (name)
                js_free_string(ctx->rt, name);
            result = -1;
            continue;
        }
        /* Keys that convert to the same string are one entry. */
        uint32_t same = to->count;
        if (convert == idl_usv_string && name->is_wide_char)
            for (uint32_t j = 0; j < to->count && same == to->count; j++)
                if (js_string_eq(to->pairs[j].name, name))
                    same = j;
        if (same < to->count) {
            js_free_string(ctx->rt, to->pairs[same].value);
            to->pairs[same].value = value;
            js_free_string(ctx->rt, name);
        } else {
            result = pair_list_append(ctx, to, name, value);
        }
    }
    JS_FreePropertyEnum(ctx, keys, count);
    return result;
}

/* Appends what a sequence of pairs or a record holds. The list must not be
 * reachable from JavaScript: conversions run hostile code. */
static int idl_pairs(JSContext *ctx, JSValueConst v, IdlConvert *convert, PairList *to)
{
    JSValue method = JS_GetProperty(ctx, v, JS_ATOM_Symbol_iterator);
    if (JS_IsException(method))
        return -1;
    if (JS_IsUndefined(method) || JS_IsNull(method))
        return idl_record(ctx, v, convert, to);
    if (!JS_IsFunction(ctx, method)) {
        JS_FreeValue(ctx, method);
        JS_ThrowTypeError(ctx, "value is not iterable");
        return -1;
    }
    JSValue iterator = JS_GetIterator2(ctx, v, method);
    JS_FreeValue(ctx, method);
    if (JS_IsException(iterator))
        return -1;
    JSValue next = JS_GetProperty(ctx, iterator, JS_ATOM_next);
    int result = JS_IsException(next) ? -1 : 0;
    while (result == 0) {
        int done;
        JSValue item = JS_IteratorNext(ctx, iterator, next, 0, NULL, &done);
        if (JS_IsException(item)) {
            result = -1;
        } else if (done) {
            break;
        } else {
            result = idl_pair(ctx, item, convert, to);
            JS_FreeValue(ctx, item);
        }
    }
    JS_FreeValue(ctx, next);
    JS_FreeValue(ctx, iterator);
    return result;
}

/* ---- iterators over pairs ---- */

/* Finds the pair at an index of what is iterated now. 1 with name and value as
 * new references, 0 past the end, -1 with an exception pending. */
typedef int PairAt(JSContext *ctx, JSValueConst target, uint32_t index, JSValue *name, JSValue *value);

enum { ITERATE_KEYS, ITERATE_VALUES, ITERATE_ENTRIES };

typedef struct PairIterator {
    JSValue target;
    uint32_t index;
    uint8_t kind;
} PairIterator;

static void pair_iterator_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark)
{
    PairIterator *it = JS_VALUE_GET_OBJ(v)->u.opaque;
    if (it)
        JS_MarkValue(rt, it->target, mark);
}

static void pair_iterator_finalizer(JSRuntime *rt, JSValueConst v)
{
    PairIterator *it = JS_VALUE_GET_OBJ(v)->u.opaque;
    if (it) {
        JS_FreeValueRT(rt, it->target);
        js_free_rt(rt, it);
    }
}

static JSValue pair_iterator_new(JSContext *ctx, JSClassID class_id, JSValueConst target, int kind)
{
    PairIterator *it = js_malloc(ctx, sizeof *it);
    if (!it)
        return JS_EXCEPTION;
    JSValue o = JS_NewObjectClass(ctx, class_id);
    if (JS_IsException(o)) {
        js_free(ctx, it);
        return o;
    }
    it->target = js_dup(target);
    it->index = 0;
    it->kind = (uint8_t)kind;
    JS_SetOpaque(o, it);
    return o;
}

static JSValue pair_entry(JSContext *ctx, JSValue name, JSValue value)
{
    JSValue both[2] = { name, value };
    JSValue entry = js_create_array(ctx, 2, vc(both));
    JS_FreeValue(ctx, name);
    JS_FreeValue(ctx, value);
    return entry;
}

static JSValue pair_iterator_next(JSContext *ctx, JSValueConst this_val, JSClassID class_id, PairAt *at, int *done)
{
    *done = false;
    PairIterator *it = JS_GetOpaque2(ctx, this_val, class_id);
    if (!it)
        return JS_EXCEPTION;
    JSValue name, value;
    int found = at(ctx, it->target, it->index, &name, &value);
    if (found < 0)
        return JS_EXCEPTION;
    if (found == 0) {
        *done = true;
        return JS_UNDEFINED;
    }
    it->index++;
    switch (it->kind) {
    case ITERATE_KEYS:
        JS_FreeValue(ctx, value);
        return name;
    case ITERATE_VALUES:
        JS_FreeValue(ctx, name);
        return value;
    default:
        return pair_entry(ctx, name, value);
    }
}

static JSValue pair_for_each(JSContext *ctx, JSValueConst target, PairAt *at, int argc, JSValueConst *argv)
{
    if (!JS_IsFunction(ctx, argv[0]))
        return JS_ThrowTypeError(ctx, "forEach: the callback is not a function");
    JSValueConst this_arg = argc > 1 ? argv[1] : JS_UNDEFINED;
    for (uint32_t i = 0;; i++) {
        JSValue name, value;
        int found = at(ctx, target, i, &name, &value);
        if (found <= 0)
            return found < 0 ? JS_EXCEPTION : JS_UNDEFINED;
        JSValueConst args[3] = { value, name, target };
        JSValue r = JS_Call(ctx, argv[0], this_arg, 3, args);
        JS_FreeValue(ctx, name);
        JS_FreeValue(ctx, value);
        if (JS_IsException(r))
            return r;
        JS_FreeValue(ctx, r);
    }
}

#endif
