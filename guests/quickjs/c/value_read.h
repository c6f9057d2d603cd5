/*
 * Values of messages. Part of value.h.
 *
 * A message may be anything: lengths are held to what is there before memory is
 * taken for them, and an array's to what the message can still have in it.
 */
#ifndef VALUE_READ_H
#define VALUE_READ_H

typedef struct ValueReader {
    JSContext *ctx;
    Reader in;
    const uint8_t *capabilities; /* five bytes each */
    uint8_t *taken;              /* of the capabilities: one bit each */
    uint32_t capability_count;
    JSValue *objects; /* by number; JS_UNINITIALIZED until there is something to refer to */
    uint32_t count;
    uint32_t capacity;
    uint32_t depth;
    size_t owed; /* items that are still to come in what is open */
    struct ValueReader *outer;
} ValueReader;

static ValueReader *value_reader; /* the one under way */

static JSValue value_read(ValueReader *r);

static JSValue value_malformed(ValueReader *r)
{
    return JS_ThrowTypeError(r->ctx, "the message of a value is malformed");
}

/* Reads a head: its major type, its argument in *n, and the initial byte's lower
 * bits in *info; -1 where the message is cut short or has an indefinite length. */
static int read_head(ValueReader *r, uint64_t *n, int *info)
{
    uint8_t first = reader_u8(&r->in);
    *info = first & 31;
    *n = (uint64_t)*info;
    if (*info >= 24) {
        if (*info > 27)
            return -1;
        size_t length = (size_t)1 << (*info - 24);
        const uint8_t *p = reader_raw(&r->in, length);
        *n = 0;
        for (size_t i = 0; p && i < length; i++)
            *n = *n << 8 | p[i];
    }
    return r->in.failed ? -1 : first & 0xE0;
}

/* A head of a certain type; false if there is another. */
static bool read_expected(ValueReader *r, int major, uint64_t *n)
{
    int info;
    return read_head(r, n, &info) == major;
}

static size_t value_left(const ValueReader *r)
{
    return (size_t)(r->in.end - r->in.at);
}

/* Gives an object its number; UINT32_MAX with an exception pending. */
static uint32_t read_number(ValueReader *r, JSValueConst v)
{
    if (r->count == r->capacity) {
        uint32_t capacity = r->capacity ? r->capacity * 2 : 16;
        JSValue *grown = js_realloc(r->ctx, r->objects, capacity * sizeof *grown);
        if (!grown)
            return UINT32_MAX;
        r->objects = grown;
        r->capacity = capacity;
    }
    r->objects[r->count] = js_dup(v);
    return r->count++;
}

/* Opens an object that has n items: it is refused if the message is too short. */
static bool value_open(ValueReader *r, uint64_t n)
{
    size_t left = value_left(r);
    if (r->owed > left || n > left - r->owed)
        return false;
    r->owed += (size_t)n;
    return true;
}

static JSValue read_item(ValueReader *r)
{
    r->owed--;
    return value_read(r);
}

/* ---- strings ---- */

/* A string of WTF-8. Bytes that are none become U+FFFD. */
static JSValue read_surrogates(ValueReader *r)
{
    uint64_t n;
    const uint8_t *p = read_expected(r, CBOR_BYTES, &n) && n <= JS_STRING_LEN_MAX ? reader_raw(&r->in, (size_t)n) : NULL;
    if (!p)
        return value_malformed(r);
    const uint8_t *end = p + n;
    uint32_t taken;
    StringBuffer buffer, *b = &buffer;
    if (string_buffer_init(r->ctx, b, (int)n))
        return JS_EXCEPTION;
    for (; p < end; p += taken) {
        if (p[0] == 0xED && end - p >= 3 && (p[1] & 0xE0) == 0xA0 && (p[2] & 0xC0) == 0x80) {
            taken = 3;
            string_buffer_putc16(b, 0xD000u | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F));
            continue;
        }
        int32_t c = utf8_scalar(p, end, &taken);
        string_buffer_putc(b, c < 0 ? 0xFFFD : (uint32_t)c);
    }
    return string_buffer_end(b);
}

static JSValue read_text(ValueReader *r, uint64_t n)
{
    const uint8_t *p = n <= value_left(r) ? reader_raw(&r->in, (size_t)n) : NULL;
    return p ? utf8_to_string(r->ctx, p, (size_t)n) : value_malformed(r);
}

/* The name of a property; JS_ATOM_NULL with an exception pending. */
static JSAtom read_key(ValueReader *r)
{
    uint64_t n;
    int info, major = read_head(r, &n, &info);
    JSValue name;
    if (major == CBOR_TEXT && n <= value_left(r)) {
        const uint8_t *p = r->in.at;
        if (n > 0 && ascii_prefix(p, (size_t)n) == n) {
            r->in.at += n;
            return JS_NewAtomLen(r->ctx, (const char *)p, (size_t)n);
        }
        name = read_text(r, n);
    } else if (major == CBOR_TAG && n == TAG_SURROGATES) {
        name = read_surrogates(r);
    } else {
        name = value_malformed(r);
    }
    if (JS_IsException(name))
        return JS_ATOM_NULL;
    JSAtom atom = JS_ValueToAtom(r->ctx, name);
    JS_FreeValue(r->ctx, name);
    return atom;
}

/* ---- containers ---- */

/* Reads n properties into an object. What errors have of their own does not
 * enumerate, but for what users add. */
static int read_properties(ValueReader *r, JSValueConst to, uint64_t n, bool of_error)
{
    JSContext *ctx = r->ctx;
    JSObject *o = JS_VALUE_GET_OBJ(to);
    if (n > SIZE_MAX / 2 || !value_open(r, n * 2)) {
        value_malformed(r);
        return -1;
    }
    for (; n > 0; n--) {
        r->owed--;
        JSAtom key = read_key(r);
        if (key == JS_ATOM_NULL)
            return -1;
        JSValue v = read_item(r);
        if (JS_IsException(v)) {
            JS_FreeAtom(ctx, key);
            return -1;
        }
        int result = 0;
        JSProperty *property;
        if (of_error) {
            bool hidden = key == JS_ATOM_message || key == JS_ATOM_stack || key == JS_ATOM_cause || key == JS_ATOM_errors || key == JS_ATOM_name;
            if (key == JS_ATOM_stack && JS_IsString(v)) {
                JSValue old = o->u.object_data;
                o->u.object_data = v;
                JS_FreeValue(ctx, old);
            } else if (JS_DefinePropertyValue(ctx, to, key, v, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE | (hidden ? 0 : JS_PROP_ENUMERABLE)) < 0) {
                result = -1;
            }
        } else if (o->class_id != JS_CLASS_OBJECT) {
            if (JS_DefinePropertyValue(ctx, to, key, v, JS_PROP_C_W_E) < 0)
                result = -1;
        } else if (find_own_property(&property, o, key)) {
            set_value(ctx, &property->u.value, v);
        } else if ((property = add_property(ctx, o, key, JS_PROP_C_W_E)) != NULL) {
            property->u.value = v;
        } else {
            JS_FreeValue(ctx, v);
            result = -1;
        }
        JS_FreeAtom(ctx, key);
        if (result)
            return result;
    }
    return 0;
}

/* Ends the making of an object: frees it where filling it failed. */
static JSValue read_finish(ValueReader *r, JSValue v, int result)
{
    if (result == 0)
        return v;
    JS_FreeValue(r->ctx, v);
    return JS_EXCEPTION;
}

static JSValue read_object(ValueReader *r, uint64_t n)
{
    JSValue o = JS_NewObject(r->ctx);
    if (JS_IsException(o))
        return o;
    int result = read_number(r, o) == UINT32_MAX ? -1 : read_properties(r, o, n, false);
    return read_finish(r, o, result);
}

static JSValue read_array(ValueReader *r, uint64_t n)
{
    if (!value_open(r, n))
        return value_malformed(r);
    JSValue a = js_allocate_fast_array(r->ctx, (int64_t)n);
    if (JS_IsException(a))
        return a;
    if (read_number(r, a) == UINT32_MAX)
        return read_finish(r, a, -1);
    JSObject *o = JS_VALUE_GET_OBJ(a);
    for (uint32_t i = 0; i < n; i++) {
        JSValue v = read_item(r);
        if (JS_IsException(v))
            return read_finish(r, a, -1);
        o->u.array.u.values[i] = v; /* nobody else has seen the array */
    }
    return a;
}

/* The head of the array that has the content of a tag. */
static bool read_parts(ValueReader *r, uint64_t want)
{
    uint64_t n;
    if (!read_expected(r, CBOR_ARRAY, &n) || n != want || !value_open(r, n))
        return false;
    return read_number(r, JS_UNINITIALIZED) != UINT32_MAX;
}

static JSValue read_sparse(ValueReader *r, uint32_t number)
{
    uint64_t length, n;
    if (!read_parts(r, 2))
        return JS_HasException(r->ctx) ? JS_EXCEPTION : value_malformed(r);
    r->owed -= 2;
    if (!read_expected(r, CBOR_UINT, &length) || length > UINT32_MAX || !read_expected(r, CBOR_MAP, &n))
        return value_malformed(r);
    JSValue a = JS_NewArray(r->ctx);
    if (JS_IsException(a))
        return a;
    r->objects[number] = js_dup(a);
    int result = read_number(r, JS_UNINITIALIZED) == UINT32_MAX ? -1 : read_properties(r, a, n, false);
    if (result == 0) {
        uint32_t now;
        result = js_get_length32(r->ctx, &now, a);
        if (result == 0 && now < length && JS_SetLength(r->ctx, a, (int64_t)length) < 0)
            result = -1;
    }
    return read_finish(r, a, result);
}

static JSValue read_map(ValueReader *r, uint32_t number, bool is_set)
{
    JSContext *ctx = r->ctx;
    uint64_t n;
    if (!read_expected(r, is_set ? CBOR_ARRAY : CBOR_MAP, &n) || n > SIZE_MAX / 2 || !value_open(r, is_set ? n : n * 2))
        return value_malformed(r);
    JSValue map = js_map_constructor(ctx, JS_UNDEFINED, 0, NULL, is_set ? MAGIC_SET : 0);
    if (JS_IsException(map))
        return map;
    r->objects[number] = js_dup(map);
    int result = read_number(r, JS_UNINITIALIZED) == UINT32_MAX ? -1 : 0;
    for (; n > 0 && result == 0; n--) {
        JSValue args[2] = { read_item(r), JS_UNDEFINED };
        if (!is_set && !JS_IsException(args[0]))
            args[1] = read_item(r);
        JSValue done = JS_EXCEPTION;
        if (!JS_IsException(args[0]) && !JS_IsException(args[1]))
            done = js_map_set(ctx, map, 2, vc(args), is_set ? MAGIC_SET : 0);
        if (JS_IsException(done))
            result = -1;
        JS_FreeValue(ctx, done);
        JS_FreeValue(ctx, args[0]);
        JS_FreeValue(ctx, args[1]);
    }
    return read_finish(r, map, result);
}

#include "value_classes.h"

static JSValue read_reference(ValueReader *r)
{
    uint64_t n;
    if (!read_expected(r, CBOR_UINT, &n) || n >= r->count || JS_IsUninitialized(r->objects[n]))
        return value_malformed(r);
    return js_dup(r->objects[n]);
}

static bool is_view_tag(uint64_t tag)
{
    for (size_t i = 0; i < countof(view_tags); i++)
        if (view_tags[i].tag == tag)
            return true;
    return false;
}

static JSValue read_tag(ValueReader *r, uint64_t tag)
{
    switch (tag) {
    case TAG_BIGINT:
    case TAG_NEGATIVE_BIGINT:
        return read_bigint(r, tag == TAG_NEGATIVE_BIGINT);
    case TAG_REFERENCE:
        return read_reference(r);
    case TAG_SURROGATES:
        return read_surrogates(r);
    }
    uint32_t number = read_number(r, JS_UNINITIALIZED);
    if (number == UINT32_MAX)
        return JS_EXCEPTION;
    switch (tag) {
    case TAG_SET:
    case TAG_MAP:
        return read_map(r, number, tag == TAG_SET);
    case TAG_SPARSE:
        return read_sparse(r, number);
    case TAG_ERROR:
        return read_error(r, number);
    case TAG_RESIZABLE:
        return read_resizable(r, number);
    }
    JSValue v = JS_EXCEPTION;
    if (tag == TAG_DATA_VIEW || is_view_tag(tag))
        v = read_view(r, (uint32_t)tag);
    else if (tag == TAG_BOXED || tag == TAG_DATE)
        v = read_boxed(r, tag == TAG_DATE);
    else if (tag == TAG_REGEXP)
        v = read_regexp(r);
    else if (tag == TAG_DOM_EXCEPTION)
        v = read_dom_exception(r);
    else if (tag >= TAG_FIRST_CAPABILITY && tag <= TAG_LAST)
        v = read_foreign(r, (uint32_t)tag);
    else
        value_malformed(r);
    if (!JS_IsException(v))
        r->objects[number] = js_dup(v); /* only now can it be referred to */
    return v;
}

static double half_to_double(uint16_t h)
{
    int exponent = h >> 10 & 31, fraction = h & 0x3FF;
    double d = exponent == 0 ? ldexp(fraction, -24) : exponent == 31 ? (fraction ? NAN : INFINITY) : ldexp(fraction + 1024, exponent - 25);
    return h & 0x8000 ? -d : d;
}

static JSValue read_simple(ValueReader *r, int info, uint64_t n)
{
    switch (info | CBOR_SIMPLE) {
    case CBOR_FALSE:
        return JS_FALSE;
    case CBOR_TRUE:
        return JS_TRUE;
    case CBOR_NULL:
        return JS_NULL;
    case CBOR_UNDEFINED:
        return JS_UNDEFINED;
    case CBOR_F16:
        return js_number(half_to_double((uint16_t)n));
    case CBOR_F32: {
        uint32_t bits = (uint32_t)n;
        float f;
        memcpy(&f, &bits, 4);
        return js_number(f);
    }
    case CBOR_F64: {
        double d;
        memcpy(&d, &n, 8);
        return js_number(isnan(d) ? NAN : d);
    }
    }
    return value_malformed(r);
}

static JSValue value_read(ValueReader *r)
{
    JSContext *ctx = r->ctx;
    uint64_t n;
    int info, major = read_head(r, &n, &info);
    switch (major) {
    case CBOR_UINT:
        return n <= INT32_MAX ? JS_NewInt32(ctx, (int32_t)n) : n <= (uint64_t)SAFE_INTEGER ? js_number((double)n) : value_malformed(r);
    case CBOR_NEGATIVE:
        return n < (uint64_t)SAFE_INTEGER ? js_number(-1.0 - (double)n) : value_malformed(r);
    case CBOR_TEXT:
        return read_text(r, n);
    case CBOR_SIMPLE:
        return read_simple(r, info, n);
    case CBOR_BYTES: {
        JSValue b = read_buffer(r, n, NULL);
        return JS_IsException(b) ? b : read_finish(r, b, read_number(r, b) == UINT32_MAX ? -1 : 0);
    }
    case -1:
        return value_malformed(r);
    }
    if (r->depth == VALUE_NESTING)
        return value_malformed(r);
    if (js_check_stack_overflow(ctx->rt, 0))
        return JS_ThrowStackOverflow(ctx);
    r->depth++;
    JSValue v = major == CBOR_ARRAY ? read_array(r, n) : major == CBOR_MAP ? read_object(r, n) : read_tag(r, n);
    r->depth--;
    return v;
}

/* Reads "value" of the wire. An absent value, which has an empty message, is
 * undefined. */
static JSValue read_value(JSContext *ctx, Reader *in)
{
    uint32_t n;
    const uint8_t *message = reader_bytes(in, &n);
    ValueReader r = { .ctx = ctx, .outer = value_reader };
    r.capability_count = reader_u32(in);
    r.capabilities = r.capability_count <= VALUE_CAPABILITIES ? reader_raw(in, (size_t)r.capability_count * 5) : NULL;
    if (in->failed || !r.capabilities)
        return value_malformed(&r);
    if (n == 0)
        return JS_UNDEFINED;
    uint8_t taken[8] = { 0 };
    r.taken = r.capability_count <= sizeof taken * 8 ? taken : js_mallocz(ctx, (r.capability_count + 7) / 8);
    if (!r.taken)
        return JS_EXCEPTION;
    reader_init(&r.in, message, n);
    value_reader = &r;
    JSValue v = value_read(&r);
    value_reader = r.outer;
    if (!JS_IsException(v) && value_left(&r) != 0) {
        JS_FreeValue(ctx, v);
        v = value_malformed(&r);
    }
    for (uint32_t i = 0; i < r.count; i++)
        JS_FreeValue(ctx, r.objects[i]);
    js_free(ctx, r.objects);
    if (r.taken != taken)
        js_free(ctx, r.taken);
    return v;
}

#endif
