/*
 * What the Web IDL standard asks of every interface that is written in C:
 * conversions of arguments, class objects, iterators of pairs, and byte
 * sequences taken from buffers. https://webidl.spec.whatwg.org
 */
#ifndef WEBIDL_H
#define WEBIDL_H

#define IDL_METHOD(name, length, function) \
    { name, JS_PROP_C_W_E, JS_DEF_CFUNC, 0, { .func = { length, JS_CFUNC_generic, { .generic = function } } } }
#define IDL_METHOD_MAGIC(name, length, function, magic) \
    { name, JS_PROP_C_W_E, JS_DEF_CFUNC, magic, { .func = { length, JS_CFUNC_generic_magic, { .generic_magic = function } } } }
#define IDL_GETTER(name, getter) \
    JS_CGETSET_DEF2(name, getter, NULL, JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE)
#define IDL_GETTER_MAGIC(name, getter, magic) \
    JS_CGETSET_MAGIC_DEF2(name, getter, NULL, magic, JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE)
#define IDL_ATTRIBUTE_MAGIC(name, getter, setter, magic) \
    JS_CGETSET_MAGIC_DEF2(name, getter, setter, magic, JS_PROP_CONFIGURABLE | JS_PROP_ENUMERABLE)
#define IDL_ITERATOR_NEXT(function) \
    { "next", JS_PROP_C_W_E, JS_DEF_CFUNC, 0, { .func = { 0, JS_CFUNC_iterator_next, { .iterator_next = function } } } }
#define IDL_TAG(name) JS_PROP_STRING_DEF("[Symbol.toStringTag]", name, JS_PROP_CONFIGURABLE)

/* ---- strings ---- */

static inline JSString *string_of(JSValueConst v)
{
    return JS_VALUE_GET_STRING(v);
}

static inline JSValue string_value(JSString *s)
{
    return JS_MKPTR(JS_TAG_STRING, s);
}

static inline JSString *string_dup(JSString *s)
{
    JS_REF_COUNT(s)++;
    return s;
}

/* A flat string of the 8-bit characters, NULL with an exception pending. */
static JSString *string_latin1(JSContext *ctx, const char *bytes, size_t n)
{
    if (n > JS_STRING_LEN_MAX) {
        JS_ThrowRangeError(ctx, "invalid string length");
        return NULL;
    }
    JSValue v = n ? js_new_string8_len(ctx, bytes, (int)n) : js_empty_string(ctx->rt);
    return JS_IsException(v) ? NULL : string_of(v);
}

/* Converts to a DOMString that is not a rope. */
static JSValue idl_string(JSContext *ctx, JSValueConst v)
{
    JSValue s = JS_ToString(ctx, v);
    if (JS_VALUE_GET_TAG(s) == JS_TAG_STRING_ROPE) {
        JSValue flat = js_linearize_string_rope(ctx, s);
        JS_FreeValue(ctx, s);
        return flat;
    }
    return s;
}

/* Converts to a ByteString: 8-bit characters only. */
static JSString *idl_byte_string(JSContext *ctx, JSValueConst v)
{
    JSValue s = idl_string(ctx, v);
    if (JS_IsException(s))
        return NULL;
    JSString *p = string_of(s);
    if (!p->is_wide_char)
        return p;
    uint16_t all = 0;
    const uint16_t *chars = str16(p);
    for (uint32_t i = 0; i < p->len; i++)
        all |= chars[i];
    if (all > 0xFF) {
        JS_FreeValue(ctx, s);
        JS_ThrowTypeError(ctx, "string contains a character that is not a byte");
        return NULL;
    }
    JSString *narrow = js_alloc_string(ctx, (int)p->len, 0);
    if (narrow) {
        for (uint32_t i = 0; i < p->len; i++)
            str8(narrow)[i] = (uint8_t)chars[i];
        str8(narrow)[p->len] = 0;
    }
    JS_FreeValue(ctx, s);
    return narrow;
}

/* The place of the first lone surrogate, or the string's length. */
static uint32_t string_lone_surrogate(JSString *p, uint32_t from)
{
    if (!p->is_wide_char)
        return p->len;
    const uint16_t *chars = str16(p);
    for (uint32_t i = from; i < p->len; i++) {
        if ((chars[i] & 0xF800) != 0xD800)
            continue;
        if (chars[i] < 0xDC00 && i + 1 < p->len && (chars[i + 1] & 0xFC00) == 0xDC00)
            i++;
        else
            return i;
    }
    return p->len;
}

/* Converts to a USVString: lone surrogates become U+FFFD. */
static JSString *idl_usv_string(JSContext *ctx, JSValueConst v)
{
    JSValue s = idl_string(ctx, v);
    if (JS_IsException(s))
        return NULL;
    JSString *p = string_of(s);
    uint32_t at = string_lone_surrogate(p, 0);
    if (at == p->len)
        return p;
    JSString *well_formed = js_alloc_string(ctx, (int)p->len, 1);
    if (well_formed) {
        memcpy(str16(well_formed), str16(p), (size_t)p->len * 2);
        for (; at < p->len; at = string_lone_surrogate(p, at + 1))
            str16(well_formed)[at] = 0xFFFD;
    }
    JS_FreeValue(ctx, s);
    return well_formed;
}

/* UTF-8 of a value converted to a USVString, ended by a NUL that n does not
 * count. To be freed by JS_FreeCString. */
static const char *idl_utf8(JSContext *ctx, size_t *n, JSValueConst v)
{
    JSValue s = idl_string(ctx, v);
    *n = 0;
    if (JS_IsException(s))
        return NULL;
    bool wide = string_of(s)->is_wide_char;
    char *utf8 = (char *)JS_ToCStringLen(ctx, n, s);
    JS_FreeValue(ctx, s);
    if (!utf8 || !wide)
        return utf8;
    /* A wide string was encoded into memory of its own. A lone surrogate took
     * three bytes there, as many as U+FFFD does. */
    for (char *p = utf8; (p = memchr(p, 0xED, (size_t)(utf8 + *n - p))) != NULL; p += 3)
        if ((uint8_t)p[1] >= 0xA0)
            memcpy(p, "\xEF\xBF\xBD", 3);
    return utf8;
}

/* The string with A-Z lowered; takes and returns a reference to 8-bit strings. */
static JSString *string_to_lower(JSContext *ctx, JSString *s)
{
    const uint8_t *from = str8(s);
    uint32_t i = 0;
    while (i < s->len && !(from[i] >= 'A' && from[i] <= 'Z'))
        i++;
    if (i == s->len)
        return s;
    JSString *lower = js_alloc_string(ctx, (int)s->len, 0);
    if (lower) {
        for (i = 0; i < s->len; i++)
            str8(lower)[i] = from[i] >= 'A' && from[i] <= 'Z' ? from[i] + 32 : from[i];
        str8(lower)[i] = 0;
    }
    js_free_string(ctx->rt, s);
    return lower;
}

/* ASCII white space of the HTML standard. */
static inline bool is_html_space(int c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool string_is(JSString *s, const char *text)
{
    size_t n = strlen(text);
    return !s->is_wide_char && s->len == n && memcmp(str8(s), text, n) == 0;
}

/* Equality of an 8-bit string and a lower-case text, whatever the case. */
static bool string_is_ignoring_case(JSString *s, const char *lower)
{
    size_t n = strlen(lower);
    if (s->is_wide_char || s->len != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = str8(s)[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != (uint8_t)lower[i])
            return false;
    }
    return true;
}

/* ---- arguments ---- */

/* Throws unless enough arguments were passed: JavaScript pads them. */
static int idl_require(JSContext *ctx, int argc, int wanted, const char *what)
{
    if (argc >= wanted)
        return 0;
    JS_ThrowTypeError(ctx, "%s: %d argument%s required, but only %d present", what, wanted, wanted == 1 ? "" : "s", argc);
    return -1;
}

/* Refuses what can't be converted to a dictionary. 1: read it, 0: it is empty. */
static int idl_dictionary(JSContext *ctx, JSValueConst v, const char *what)
{
    if (JS_IsUndefined(v) || JS_IsNull(v))
        return 0;
    if (JS_IsObject(v))
        return 1;
    JS_ThrowTypeError(ctx, "%s is not an object", what);
    return -1;
}

/* The place of an enumeration's value in a list of names; -1 if it is none, by
 * a TypeError. */
static int idl_enumeration(JSContext *ctx, JSValueConst v, const char *const *names, int count, const char *what)
{
    JSValue s = idl_string(ctx, v);
    if (JS_IsException(s))
        return -1;
    int found = -1;
    for (int i = 0; i < count && found < 0; i++)
        if (string_is(string_of(s), names[i]))
            found = i;
    JS_FreeValue(ctx, s);
    if (found < 0)
        JS_ThrowTypeError(ctx, "%s: not a valid value", what);
    return found;
}

static bool same_object(JSValueConst a, JSValueConst b)
{
    return JS_IsObject(a) && JS_IsObject(b) && JS_VALUE_GET_OBJ(a) == JS_VALUE_GET_OBJ(b);
}

/* The bytes of a BufferSource: an ArrayBuffer or a view. They are valid only
 * until JavaScript runs again. 1: found, 0: the value is no BufferSource, -1: an
 * exception. Detached and out-of-bounds buffers have no bytes. */
static int idl_buffer_source(JSContext *ctx, JSValueConst v, const uint8_t **bytes, size_t *n)
{
    static const uint8_t none[1];
    *bytes = none;
    *n = 0;
    if (!JS_IsObject(v))
        return 0;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    JSArrayBuffer *buffer;
    size_t offset = 0, length;
    if (o->class_id == JS_CLASS_ARRAY_BUFFER) {
        buffer = o->u.array_buffer;
        length = (size_t)buffer->byte_length;
    } else if (is_typed_array(o->class_id) || o->class_id == JS_CLASS_DATAVIEW) {
        JSTypedArray *view = o->u.typed_array;
        buffer = view->buffer->u.array_buffer;
        offset = view->offset;
        length = view->length;
        size_t size = (size_t)buffer->byte_length;
        if (offset > size || (!view->track_rab && length > size - offset))
            length = 0;
        else if (view->track_rab)
            length = size - offset;
    } else {
        return 0;
    }
    if (array_buffer_is_resizable(buffer) || buffer->shared) {
        JS_ThrowTypeError(ctx, "a resizable or shared buffer is not allowed here");
        return -1;
    }
    if (!buffer->detached && length) {
        *bytes = buffer->data + offset;
        *n = length;
    }
    return 1;
}

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

static void pair_list_remove_at(JSContext *ctx, PairList *l, uint32_t i)
{
    js_free_string(ctx->rt, l->pairs[i].name);
    js_free_string(ctx->rt, l->pairs[i].value);
    l->count--;
    memmove(l->pairs + i, l->pairs + i + 1, (l->count - i) * sizeof *l->pairs);
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

/* ---- classes ---- */

typedef struct IdlClass {
    const char *name;
    JSClassFinalizer *finalizer;
    JSClassGCMark *mark;
    JSCFunction *constructor; /* NULL: an iterator, which has none */
    int length;               /* required arguments of the constructor */
    const JSCFunctionListEntry *prototype;
    int prototype_count;
    const JSCFunctionListEntry *statics;
    int statics_count;
} IdlClass;

/* Makes every lazily created function of an object, so that the image holds it
 * and no isolate makes it anew. */
static int idl_materialize(JSContext *ctx, JSValueConst object)
{
    JSPropertyEnum *keys;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &keys, &count, object, JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK))
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        JSPropertyDescriptor d;
        result = JS_GetOwnProperty(ctx, &d, object, keys[i].atom) < 0 ? -1 : 0;
        if (result == 0)
            js_free_desc(ctx, &d);
    }
    JS_FreePropertyEnum(ctx, keys, count);
    return result;
}

/* Registers a class and puts its constructor on global. The id must be 0 the
 * first time and stays the same for later runtimes of the process. */
static int idl_define(JSContext *ctx, JSValueConst global, JSClassID *id, const IdlClass *c)
{
    JSClassDef def = { .class_name = c->name, .finalizer = c->finalizer, .gc_mark = c->mark };
    JS_NewClassID(ctx->rt, id);
    if (!JS_IsRegisteredClass(ctx->rt, *id) && JS_NewClass(ctx->rt, *id, &def))
        return -1;
    JSValue proto = c->constructor ? JS_NewObject(ctx) : JS_NewObjectProto(ctx, ctx->class_proto[JS_CLASS_ITERATOR]);
    if (JS_IsException(proto))
        return -1;
    JS_SetClassProto(ctx, *id, js_dup(proto));
    int result = JS_SetPropertyFunctionList(ctx, proto, c->prototype, c->prototype_count);
    if (result == 0 && c->constructor) {
        JSValue ctor = JS_NewCFunction2(ctx, c->constructor, c->name, c->length, JS_CFUNC_constructor, 0);
        if (JS_IsException(ctor) || JS_SetConstructor(ctx, ctor, proto) < 0 ||
            JS_SetPropertyFunctionList(ctx, ctor, c->statics, c->statics_count) || idl_materialize(ctx, ctor) ||
            JS_DefinePropertyValueStr(ctx, global, c->name, js_dup(ctor), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0)
            result = -1;
        JS_FreeValue(ctx, ctor);
    }
    if (result == 0)
        result = idl_materialize(ctx, proto);
    JS_FreeValue(ctx, proto);
    return result;
}

/* ---- promises ---- */

/* A promise rejected with the pending exception. Exceptions that can't be
 * caught (time is up, memory is out) go on. */
static JSValue promise_rejected(JSContext *ctx)
{
    JSValue error = JS_GetException(ctx);
    if (JS_IsUncatchableError(error) || JS_IsNull(error))
        return JS_Throw(ctx, error);
    JSValue p = JS_NewSettledPromise(ctx, true, error);
    JS_FreeValue(ctx, error);
    return p;
}

/* A promise for a value, which it takes; for the pending exception if the value
 * is JS_EXCEPTION. */
static JSValue promise_of(JSContext *ctx, JSValue value)
{
    if (JS_IsException(value))
        return promise_rejected(ctx);
    JSValue p = JS_NewSettledPromise(ctx, false, value);
    JS_FreeValue(ctx, value);
    return p;
}

#endif
