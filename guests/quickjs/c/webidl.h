/*
 * What the Web IDL standard asks of every interface that is written in C:
 * conversions of arguments, class objects, promises, and byte sequences taken
 * from buffers. https://webidl.spec.whatwg.org
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
    char *utf8 = (char *)utf8_of(ctx, n, s);
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
