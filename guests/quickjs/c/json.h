/*
 * JSON.parse and JSON.stringify for what programs mostly have: text without a
 * reviver, and plain objects, arrays and primitives without a replacer. No code
 * of the program can run in it, so that whatever is beyond (a mistake in the
 * text, a getter, toJSON, a class, a cycle) is left: QuickJS's own begins anew.
 */
#ifndef JSON_H
#define JSON_H

/* Nesting up to here; also what ends a cycle. */
#define JSON_DEPTH 100
#define JSON_STACK 65536 /* bytes that this may take of the stack, generously */

/* ---- parsing ---- */

#define JSON_KEYS 64 /* a power of two */

typedef struct JsonParser {
    JSContext *ctx;
    JSValue *values; /* of the arrays that are open */
    uint32_t count, capacity;
    struct {
        uint32_t hash;
        JSAtom atom;
    } keys[JSON_KEYS]; /* seen last; records repeat theirs */
} JsonParser;

static void json_parser_free(JsonParser *j)
{
    while (j->count > 0)
        JS_FreeValue(j->ctx, j->values[--j->count]);
    js_free(j->ctx, j->values);
    for (int i = 0; i < JSON_KEYS; i++)
        JS_FreeAtom(j->ctx, j->keys[i].atom); /* JS_ATOM_NULL is none */
}

static int json_push(JsonParser *j, JSValue v)
{
    if (j->count == j->capacity) {
        uint32_t capacity = j->capacity ? j->capacity * 2 : 32;
        JSValue *values = js_realloc(j->ctx, j->values, capacity * sizeof *values);
        if (!values) {
            JS_FreeValue(j->ctx, v);
            return -1;
        }
        j->values = values;
        j->capacity = capacity;
    }
    j->values[j->count++] = v;
    return 0;
}

static const double json_powers[] = {1,    1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The value of four hexadecimal digits, -1 if they are none. */
static int json_hex(const uint32_t digits[4])
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int d = from_hex((int)digits[i]);
        if (d < 0)
            return -1;
        v = v << 4 | d;
    }
    return v;
}

#define JSON_UNIT uint8_t
#define JSON_NAME(name) name##8
#include "json_parse.h"
#undef JSON_UNIT
#undef JSON_NAME
#define JSON_UNIT uint16_t
#define JSON_NAME(name) name##16
#define JSON_WIDE
#include "json_parse.h"
#undef JSON_WIDE
#undef JSON_UNIT
#undef JSON_NAME

static JSValue json_parse(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if ((argc > 1 && JS_IsFunction(ctx, argv[1])) || !JS_IsString(argv[0]) || js_check_stack_overflow(ctx->rt, JSON_STACK))
        return js_json_parse(ctx, this_val, argc, argv);
    JSValue text = idl_string(ctx, argv[0]);
    if (JS_IsException(text))
        return text;
    JsonParser j = {.ctx = ctx};
    JSString *s = string_of(text);
    JSValue v = s->is_wide_char ? json_document16(&j, str16(s), str16(s) + s->len) : json_document8(&j, str8(s), str8(s) + s->len);
    json_parser_free(&j);
    if (JS_IsException(v) && !JS_HasException(ctx)) {
        JSValueConst args[1] = {text};
        v = js_json_parse(ctx, this_val, 1, args);
    }
    JS_FreeValue(ctx, text);
    return v;
}

/* ---- writing ---- */

/* Answers of the functions below: written, an exception is pending, or left for
 * QuickJS. */
enum { JSON_WRITTEN, JSON_FAILED = -1, JSON_LEFT = -2 };

static int json_write_string(StringBuffer *b, JSString *s)
{
    static const char short_escapes[] = "btn?fr"; /* of 8 to 13; 11 has none */
    uint32_t from = 0;
    string_buffer_putc8(b, '"');
    for (uint32_t i = 0; i < s->len; i++) {
        uint32_t c = s->is_wide_char ? str16(s)[i] : str8(s)[i];
        if (c >= 0x20 && c != '"' && c != '\\' && (c & 0xF800) != 0xD800)
            continue;
        if ((c & 0xFC00) == 0xD800 && i + 1 < s->len && (str16(s)[i + 1] & 0xFC00) == 0xDC00) {
            i++;
            continue;
        }
        string_buffer_concat(b, s, from, i);
        from = i + 1;
        uint8_t escape[6] = {'\\'};
        int n = 2;
        if (c == '"' || c == '\\') {
            escape[1] = (uint8_t)c;
        } else if (c >= 8 && c <= 13 && c != 11) {
            escape[1] = (uint8_t)short_escapes[c - 8];
        } else {
            escape[1] = 'u';
            for (n = 2; n < 6; n++)
                escape[n] = (uint8_t)"0123456789abcdef"[c >> (4 * (5 - n)) & 15];
        }
        string_buffer_write8(b, escape, n);
    }
    string_buffer_concat(b, s, from, s->len);
    return string_buffer_putc8(b, '"') ? JSON_FAILED : JSON_WRITTEN;
}

static int json_write_int(StringBuffer *b, int32_t v)
{
    uint8_t digits[12];
    int at = sizeof digits;
    uint32_t n = v < 0 ? 0u - (uint32_t)v : (uint32_t)v;
    do {
        digits[--at] = (uint8_t)('0' + n % 10);
        n /= 10;
    } while (n);
    if (v < 0)
        digits[--at] = '-';
    return string_buffer_write8(b, digits + at, (int)sizeof digits - at) ? JSON_FAILED : JSON_WRITTEN;
}

static int json_write(JSContext *ctx, StringBuffer *b, JSValueConst v, int depth);

static int json_write_array(JSContext *ctx, StringBuffer *b, JSObject *p, int depth)
{
    /* Nothing but elements, all of them there. */
    if (!p->fast_array || p->shape->prop_count != 1 || p->shape->proto != JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_ARRAY]) ||
        JS_VALUE_GET_TAG(p->prop[0].u.value) != JS_TAG_INT || (uint32_t)JS_VALUE_GET_INT(p->prop[0].u.value) != p->u.array.count)
        return JSON_LEFT;
    string_buffer_putc8(b, '[');
    for (uint32_t i = 0; i < p->u.array.count; i++) {
        if (i > 0)
            string_buffer_putc8(b, ',');
        JSValueConst v = p->u.array.u.values[i];
        int tag = JS_VALUE_GET_TAG(v);
        int done = tag == JS_TAG_UNDEFINED || tag == JS_TAG_SYMBOL ? string_buffer_write8(b, (const uint8_t *)"null", 4)
                                                                    : json_write(ctx, b, v, depth);
        if (done != JSON_WRITTEN)
            return done;
    }
    return string_buffer_putc8(b, ']') ? JSON_FAILED : JSON_WRITTEN;
}

static int json_write_object(JSContext *ctx, StringBuffer *b, JSObject *p, int depth)
{
    JSShape *shape = p->shape;
    if (shape->proto && shape->proto != JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]))
        return JSON_LEFT;
    bool first = true;
    string_buffer_putc8(b, '{');
    for (int i = 0; i < shape->prop_count; i++) {
        JSShapeProperty *property = &get_shape_prop(shape)[i];
        JSAtom atom = property->atom;
        if (atom == JS_ATOM_NULL)
            continue; /* deleted */
        if (atom == JS_ATOM_toJSON || __JS_AtomIsTaggedInt(atom) || (property->flags & JS_PROP_TMASK) != JS_PROP_NORMAL)
            return JSON_LEFT;
        JSString *name = ctx->rt->atom_array[atom];
        if (name->atom_type != JS_ATOM_TYPE_STRING || !(property->flags & JS_PROP_ENUMERABLE))
            continue;
        if (name->len > 0 && string_get(name, 0) >= '0' && string_get(name, 0) <= '9')
            return JSON_LEFT; /* perhaps an index, which would come before others */
        JSValueConst v = p->prop[i].u.value;
        int tag = JS_VALUE_GET_TAG(v);
        if (tag == JS_TAG_UNDEFINED || tag == JS_TAG_SYMBOL)
            continue;
        if (!first)
            string_buffer_putc8(b, ',');
        first = false;
        json_write_string(b, name);
        string_buffer_putc8(b, ':');
        int done = json_write(ctx, b, v, depth);
        if (done != JSON_WRITTEN)
            return done;
    }
    return string_buffer_putc8(b, '}') ? JSON_FAILED : JSON_WRITTEN;
}

static int json_write(JSContext *ctx, StringBuffer *b, JSValueConst v, int depth)
{
    int failed;
    switch (JS_VALUE_GET_NORM_TAG(v)) {
    case JS_TAG_INT:
        return json_write_int(b, JS_VALUE_GET_INT(v));
    case JS_TAG_BOOL:
        failed = JS_VALUE_GET_BOOL(v) ? string_buffer_write8(b, (const uint8_t *)"true", 4)
                                      : string_buffer_write8(b, (const uint8_t *)"false", 5);
        return failed ? JSON_FAILED : JSON_WRITTEN;
    case JS_TAG_NULL:
        return string_buffer_write8(b, (const uint8_t *)"null", 4) ? JSON_FAILED : JSON_WRITTEN;
    case JS_TAG_STRING:
        return json_write_string(b, string_of(v));
    case JS_TAG_STRING_ROPE: {
        JSValue flat = js_linearize_string_rope(ctx, v);
        if (JS_IsException(flat))
            return JSON_FAILED;
        failed = json_write_string(b, string_of(flat));
        JS_FreeValue(ctx, flat);
        return failed;
    }
    case JS_TAG_FLOAT64: {
        double d = JS_VALUE_GET_FLOAT64(v);
        char digits[128];
        JSDTOATempMem memory;
        int n = 4;
        if (isfinite(d))
            n = js_dtoa(digits, d, 10, 0, JS_DTOA_FORMAT_FREE, &memory);
        else
            memcpy(digits, "null", 4);
        return string_buffer_write8(b, (const uint8_t *)digits, n) ? JSON_FAILED : JSON_WRITTEN;
    }
    case JS_TAG_OBJECT: {
        JSObject *p = JS_VALUE_GET_OBJ(v);
        if (depth == JSON_DEPTH)
            return JSON_LEFT;
        if (p->class_id == JS_CLASS_OBJECT)
            return json_write_object(ctx, b, p, depth + 1);
        if (p->class_id == JS_CLASS_ARRAY)
            return json_write_array(ctx, b, p, depth + 1);
    }
    }
    return JSON_LEFT;
}

/* True where plain objects and arrays have no toJSON. */
static bool json_plain(JSContext *ctx)
{
    JSObject *object = JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]);
    JSObject *array = JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_ARRAY]);
    JSProperty *found;
    return !find_own_property(&found, object, JS_ATOM_toJSON) && !find_own_property(&found, array, JS_ATOM_toJSON) &&
           array->shape->proto == object && !object->shape->proto;
}

static JSValue json_stringify(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    int tag = argc > 0 ? JS_VALUE_GET_TAG(argv[0]) : JS_TAG_UNDEFINED;
    bool plain = tag != JS_TAG_UNDEFINED && tag != JS_TAG_SYMBOL && (argc < 2 || JS_IsUndefined(argv[1]) || JS_IsNull(argv[1])) &&
                 (argc < 3 || JS_IsUndefined(argv[2])) && json_plain(ctx) && !js_check_stack_overflow(ctx->rt, JSON_STACK);
    if (plain) {
        StringBuffer buffer, *b = &buffer;
        if (string_buffer_init(ctx, b, 128))
            return JS_EXCEPTION;
        int done = json_write(ctx, b, argv[0], 0);
        if (done == JSON_WRITTEN)
            return string_buffer_end(b);
        string_buffer_free(b);
        if (done == JSON_FAILED || JS_HasException(ctx))
            return JS_EXCEPTION;
    }
    return js_json_stringify(ctx, this_val, argc, argv);
}

static int json_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    const int flags = JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE;
    JSValue json = JS_GetPropertyStr(ctx, global, "JSON");
    int failed = JS_IsException(json) ||
                 JS_DefinePropertyValueStr(ctx, json, "parse", JS_NewCFunction(ctx, json_parse, "parse", 2), flags) < 0 ||
                 JS_DefinePropertyValueStr(ctx, json, "stringify", JS_NewCFunction(ctx, json_stringify, "stringify", 3), flags) < 0
                     ? -1
                     : 0;
    JS_FreeValue(ctx, json);
    return failed;
}

#endif
