/*
 * TextEncoder and TextDecoder. https://encoding.spec.whatwg.org
 * The decoder knows UTF-8, UTF-16 and windows-1252 (which is also what "ascii"
 * and "latin1" mean on the web); the other encodings' tables are the host's.
 */
#ifndef ENCODING_H
#define ENCODING_H

#include "encoding_labels.h"
#include "utf8.h"

static JSClassID text_encoder_class;
static JSClassID text_decoder_class;

/* ---- TextEncoder ---- */

static JSValue text_encoder_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    static char nothing; /* there is no state, but brands are checked by it */
    JSValue o = js_create_from_ctor(ctx, new_target, (int)text_encoder_class);
    if (!JS_IsException(o))
        JS_SetOpaque(o, &nothing);
    return o;
}

static JSValue text_encoder_encoding(JSContext *ctx, JSValueConst this_val)
{
    if (!JS_GetOpaque2(ctx, this_val, text_encoder_class))
        return JS_EXCEPTION;
    return JS_NewAtomString(ctx, "utf-8");
}

static JSValue text_encoder_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_GetOpaque2(ctx, this_val, text_encoder_class))
        return JS_EXCEPTION;
    JSValue text = argc < 1 || JS_IsUndefined(argv[0]) ? js_empty_string(ctx->rt) : idl_string(ctx, argv[0]);
    if (JS_IsException(text))
        return text;
    JSString *s = string_of(text);
    size_t n = string_utf8_length(s);
    uint8_t *bytes = js_malloc(ctx, n ? n : 1);
    JSValue result = JS_EXCEPTION;
    if (bytes) {
        uint32_t read, written;
        if (!s->is_wide_char && n == s->len)
            memcpy(bytes, str8(s), n);
        else
            string_encode_into(s, bytes, n, &read, &written);
        result = uint8_array_take(ctx, bytes, n);
    }
    JS_FreeValue(ctx, text);
    return result;
}

static JSValue text_encoder_encode_into(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_GetOpaque2(ctx, this_val, text_encoder_class) || idl_require(ctx, argc, 2, "encodeInto"))
        return JS_EXCEPTION;
    JSValue text = idl_string(ctx, argv[0]);
    if (JS_IsException(text))
        return text;
    JSValue result = JS_EXCEPTION;
    const uint8_t *to;
    size_t room;
    if (!JS_IsObject(argv[1]) || JS_VALUE_GET_OBJ(argv[1])->class_id != JS_CLASS_UINT8_ARRAY)
        JS_ThrowTypeError(ctx, "encodeInto: the destination is not a Uint8Array");
    else if (idl_buffer_source(ctx, argv[1], &to, &room) > 0) {
        uint32_t read, written;
        string_encode_into(string_of(text), (uint8_t *)to, room, &read, &written);
        result = JS_NewObject(ctx);
        if (!JS_IsException(result) &&
            (JS_DefinePropertyValueStr(ctx, result, "read", js_uint32(read), JS_PROP_C_W_E) < 0 ||
             JS_DefinePropertyValueStr(ctx, result, "written", js_uint32(written), JS_PROP_C_W_E) < 0)) {
            JS_FreeValue(ctx, result);
            result = JS_EXCEPTION;
        }
    }
    JS_FreeValue(ctx, text);
    return result;
}

/* ---- TextDecoder ---- */

/* windows-1252 0x80 to 0x9F. */
static const uint16_t windows_1252_high[32] = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
};

typedef struct TextDecoder {
    uint8_t encoding;
    bool fatal;
    bool ignore_mark;
    bool streaming;     /* the last call had stream: true ("do not flush") */
    bool mark_seen;     /* the start of the stream is past */
    uint8_t kept_count; /* bytes of a sequence that is not complete yet, or the host's state */
    uint8_t kept[8];
} TextDecoder;

static void text_decoder_finalizer(JSRuntime *rt, JSValueConst v)
{
    js_free_rt(rt, JS_GetOpaque(v, text_decoder_class));
}

/* The encoding of a label, -1 with a RangeError if it has none here. */
static int encoding_of_label(JSContext *ctx, JSValueConst v)
{
    JSValue text = idl_string(ctx, v);
    if (JS_IsException(text))
        return -1;
    JSString *s = string_of(text);
    uint32_t start = 0, end = s->len;
    while (start < end && (is_html_space(string_get(s, (int)start))))
        start++;
    while (end > start && is_html_space(string_get(s, (int)end - 1)))
        end--;
    int found = -1;
    JSValue label = js_sub_string(ctx, s, (int)start, (int)end);
    JS_FreeValue(ctx, text);
    if (JS_IsException(label))
        return -1;
    for (size_t i = 0; i < countof(encoding_labels) && found < 0; i++)
        if (string_is_ignoring_case(string_of(label), encoding_labels[i].label))
            found = encoding_labels[i].encoding;
    if (found < 0) {
        const char *shown = JS_ToCString(ctx, label);
        if (shown)
            JS_ThrowRangeError(ctx, "the encoding '%.64s' is not supported", shown);
        JS_FreeCString(ctx, shown);
    }
    JS_FreeValue(ctx, label);
    return found;
}

static int text_decoder_flag(JSContext *ctx, JSValueConst options, const char *name, bool *flag)
{
    JSValue v = JS_GetPropertyStr(ctx, options, name);
    if (JS_IsException(v))
        return -1;
    *flag = JS_ToBool(ctx, v) != 0;
    JS_FreeValue(ctx, v);
    return 0;
}

static JSValue text_decoder_constructor(JSContext *ctx, JSValueConst new_target, int argc, JSValueConst *argv)
{
    TextDecoder options = { .encoding = ENCODING_UTF8 };
    JSValue label = JS_UNDEFINED;
    if (argc > 0 && !JS_IsUndefined(argv[0])) {
        label = idl_string(ctx, argv[0]);
        if (JS_IsException(label))
            return label;
    }
    int given = argc > 1 ? idl_dictionary(ctx, argv[1], "options") : 0;
    if (given < 0 || (given && (text_decoder_flag(ctx, argv[1], "fatal", &options.fatal) ||
                                text_decoder_flag(ctx, argv[1], "ignoreBOM", &options.ignore_mark)))) {
        JS_FreeValue(ctx, label);
        return JS_EXCEPTION;
    }
    int encoding = JS_IsUndefined(label) ? ENCODING_UTF8 : encoding_of_label(ctx, label);
    JS_FreeValue(ctx, label);
    if (encoding < 0)
        return JS_EXCEPTION;
    options.encoding = (uint8_t)encoding;
    JSValue o = js_create_from_ctor(ctx, new_target, (int)text_decoder_class);
    if (JS_IsException(o))
        return o;
    TextDecoder *d = js_malloc(ctx, sizeof *d);
    if (!d) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    *d = options;
    JS_SetOpaque(o, d);
    return o;
}

enum { DECODER_ENCODING, DECODER_FATAL, DECODER_IGNORE_MARK };

static JSValue text_decoder_get(JSContext *ctx, JSValueConst this_val, int magic)
{
    TextDecoder *d = JS_GetOpaque2(ctx, this_val, text_decoder_class);
    if (!d)
        return JS_EXCEPTION;
    switch (magic) {
    case DECODER_FATAL:
        return js_bool(d->fatal);
    case DECODER_IGNORE_MARK:
        return js_bool(d->ignore_mark);
    default:
        return JS_NewAtomString(ctx, encoding_names[d->encoding]);
    }
}

static JSValue decode_failed(JSContext *ctx, TextDecoder *d)
{
    d->kept_count = 0;
    d->streaming = false;
    return JS_ThrowTypeError(ctx, "the data is not valid %s", encoding_names[d->encoding]);
}

/* How many bytes at the end of UTF-8 are the start of a sequence that more
 * bytes could complete. */
static size_t utf8_tail(const uint8_t *p, size_t n)
{
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        uint8_t c = p[n - back];
        if ((c & 0xC0) == 0x80)
            continue;
        uint32_t taken;
        if (utf8_scalar(p + n - back, p + n, &taken) == -2 && taken == back)
            return back;
        return 0;
    }
    return 0;
}

/* Decodes UTF-8 that starts with no kept bytes. */
static JSValue decode_utf8(JSContext *ctx, TextDecoder *d, const uint8_t *p, size_t n, bool stream)
{
    size_t tail = stream ? utf8_tail(p, n) : 0;
    memcpy(d->kept, p + n - tail, tail);
    d->kept_count = (uint8_t)tail;
    n -= tail;
    if (!d->mark_seen && n > 0) {
        d->mark_seen = true;
        if (!d->ignore_mark && has_utf8_mark(p, n)) {
            p += 3;
            n -= 3;
        }
    }
    if (d->fatal && !utf8_valid(p, n))
        return decode_failed(ctx, d);
    return utf8_to_string(ctx, p, n);
}

static JSValue decode_utf16(JSContext *ctx, TextDecoder *d, const uint8_t *p, size_t n, bool stream)
{
    bool big = d->encoding == ENCODING_UTF16BE;
    size_t units = n / 2;
    if (units + 1 > JS_STRING_LEN_MAX)
        return JS_ThrowRangeError(ctx, "invalid string length");
    JSString *s = js_alloc_string(ctx, (int)units + 1, 1);
    if (!s)
        return JS_EXCEPTION;
    uint16_t *to = str16(s);
    for (size_t i = 0; i < units; i++)
        to[i] = big ? (uint16_t)(p[2 * i] << 8 | p[2 * i + 1]) : (uint16_t)(p[2 * i + 1] << 8 | p[2 * i]);
    bool odd = n % 2 != 0;
    size_t tail = odd;
    bool wrong = false;
    if (stream && units && to[units - 1] >= 0xD800 && to[units - 1] < 0xDC00) {
        units--; /* its other half may follow */
        tail += 2;
    }
    if (stream) {
        memcpy(d->kept, p + n - tail, tail);
        d->kept_count = (uint8_t)tail;
    } else if (odd) {
        /* A lead surrogate and the byte after it are one error. */
        if (units && to[units - 1] >= 0xD800 && to[units - 1] < 0xDC00)
            units--;
        to[units++] = 0xFFFD;
        wrong = true;
    }
    s->len = (uint32_t)units;
    for (uint32_t at = 0; (at = string_lone_surrogate(s, at)) < units; at++) {
        to[at] = 0xFFFD;
        wrong = true;
    }
    size_t skip = 0;
    if (!d->mark_seen && units > 0) {
        d->mark_seen = true;
        skip = !d->ignore_mark && to[0] == 0xFEFF;
    }
    JSValue result;
    if (wrong && d->fatal)
        result = decode_failed(ctx, d);
    else
        result = js_sub_string(ctx, s, (int)skip, (int)units);
    js_free_string(ctx->rt, s);
    return result;
}

static JSValue decode_windows_1252(JSContext *ctx, const uint8_t *p, size_t n)
{
    bool wide = false;
    for (size_t i = 0; i < n && !wide; i++)
        wide = p[i] >= 0x80 && p[i] < 0xA0;
    if (n > JS_STRING_LEN_MAX)
        return JS_ThrowRangeError(ctx, "invalid string length");
    if (!wide) {
        JSString *s = string_latin1(ctx, (const char *)p, n);
        return s ? string_value(s) : JS_EXCEPTION;
    }
    JSString *s = js_alloc_string(ctx, (int)n, 1);
    if (!s)
        return JS_EXCEPTION;
    for (size_t i = 0; i < n; i++)
        str16(s)[i] = p[i] >= 0x80 && p[i] < 0xA0 ? windows_1252_high[p[i] - 0x80] : p[i];
    return string_value(s);
}

/* Decodes by the host. Its answer is the state for the next call, and units. */
static JSValue decode_by_host(JSContext *ctx, TextDecoder *d, const uint8_t *p, size_t n, bool stream)
{
    if (n > JS_STRING_LEN_MAX / 2)
        return JS_ThrowRangeError(ctx, "invalid string length");
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u8(&w, d->encoding - ENCODING_HOST);
    writer_u8(&w, (d->fatal ? 1 : 0) | (stream ? 0 : 2));
    writer_bytes(&w, d->kept, d->kept_count);
    writer_bytes(&w, p, n);
    d->kept_count = 0;
    if (w.failed) {
        writer_free(&w);
        return JS_ThrowOutOfMemory(ctx);
    }
    Answer a = host_call(OP_DECODE, w.bytes, w.length);
    writer_free(&w);
    if (!a.ok) {
        bool wrong = a.bytes && d->fatal; /* or there was no memory for the answer */
        answer_free(&a);
        return wrong ? decode_failed(ctx, d) : JS_ThrowOutOfMemory(ctx);
    }
    Reader r;
    reader_init(&r, a.bytes, a.length);
    uint32_t kept;
    const uint8_t *state = reader_bytes(&r, &kept);
    JSValue result = JS_EXCEPTION;
    if (r.failed || kept > sizeof d->kept) {
        JS_ThrowInternalError(ctx, "decode: a malformed answer");
    } else {
        memcpy(d->kept, state, kept);
        d->kept_count = (uint8_t)kept;
        const uint8_t *units = state + kept;
        size_t length = (size_t)(a.bytes + a.length - units) / 2;
        bool wide = false;
        for (size_t i = 0; i < length && !wide; i++)
            wide = units[2 * i + 1] != 0;
        JSString *s = js_alloc_string(ctx, (int)length, wide);
        if (s && wide) {
            memcpy(str16(s), units, 2 * length);
        } else if (s) {
            for (size_t i = 0; i < length; i++)
                str8(s)[i] = units[2 * i];
            str8(s)[length] = 0;
        }
        if (s)
            result = string_value(s);
    }
    answer_free(&a);
    return result;
}

static JSValue text_decoder_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    TextDecoder *d = JS_GetOpaque2(ctx, this_val, text_decoder_class);
    if (!d)
        return JS_EXCEPTION;
    const uint8_t *p = (const uint8_t *)"";
    size_t n = 0;
    bool stream = false;
    bool given = argc > 0 && !JS_IsUndefined(argv[0]);
    if (given) {
        int found = idl_buffer_source(ctx, argv[0], &p, &n);
        if (found < 0)
            return JS_EXCEPTION;
        if (found == 0)
            return JS_ThrowTypeError(ctx, "decode: the input is not a buffer");
    }
    int options = argc > 1 ? idl_dictionary(ctx, argv[1], "options") : 0;
    if (options < 0 || (options && text_decoder_flag(ctx, argv[1], "stream", &stream)))
        return JS_EXCEPTION;
    /* Reading the options ran JavaScript, which may have detached the buffer. */
    if (given && options && idl_buffer_source(ctx, argv[0], &p, &n) < 0)
        return JS_EXCEPTION;
    if (!d->streaming) {
        d->kept_count = 0;
        d->mark_seen = false;
    }
    d->streaming = stream;
    if (d->encoding >= ENCODING_HOST)
        return decode_by_host(ctx, d, p, n, stream);
    uint8_t *joined = NULL;
    if (d->kept_count) {
        joined = js_malloc(ctx, n + d->kept_count);
        if (!joined)
            return JS_EXCEPTION;
        memcpy(joined, d->kept, d->kept_count);
        memcpy(joined + d->kept_count, p, n);
        p = joined;
        n += d->kept_count;
        d->kept_count = 0;
    }
    JSValue result;
    if (d->encoding == ENCODING_UTF8)
        result = decode_utf8(ctx, d, p, n, stream);
    else if (d->encoding == ENCODING_WINDOWS_1252)
        result = decode_windows_1252(ctx, p, n);
    else
        result = decode_utf16(ctx, d, p, n, stream);
    js_free(ctx, joined);
    return result;
}

static const JSCFunctionListEntry text_encoder_prototype[] = {
    IDL_METHOD("encode", 0, text_encoder_encode),
    IDL_METHOD("encodeInto", 2, text_encoder_encode_into),
    IDL_GETTER("encoding", text_encoder_encoding),
    IDL_TAG("TextEncoder"),
};

static const JSCFunctionListEntry text_decoder_prototype[] = {
    IDL_METHOD("decode", 0, text_decoder_decode),
    IDL_GETTER_MAGIC("encoding", text_decoder_get, DECODER_ENCODING),
    IDL_GETTER_MAGIC("fatal", text_decoder_get, DECODER_FATAL),
    IDL_GETTER_MAGIC("ignoreBOM", text_decoder_get, DECODER_IGNORE_MARK),
    IDL_TAG("TextDecoder"),
};

static int encoding_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    static const IdlClass encoder = {
        .name = "TextEncoder",
        .constructor = text_encoder_constructor,
        .prototype = text_encoder_prototype,
        .prototype_count = countof(text_encoder_prototype),
    };
    static const IdlClass decoder = {
        .name = "TextDecoder",
        .finalizer = text_decoder_finalizer,
        .constructor = text_decoder_constructor,
        .prototype = text_decoder_prototype,
        .prototype_count = countof(text_decoder_prototype),
    };
    return idl_define(ctx, global, &text_encoder_class, &encoder) ||
                   idl_define(ctx, global, &text_decoder_class, &decoder)
               ? -1
               : 0;
}

#endif
