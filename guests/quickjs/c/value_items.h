/*
 * Data items of CBOR, as messages of values have them. Part of value.h.
 */
#ifndef VALUE_ITEMS_H
#define VALUE_ITEMS_H

static void write_head(Writer *out, int major, uint64_t n)
{
    uint8_t b[9];
    int length = 1;
    if (n < 24) {
        b[0] = (uint8_t)(major | n);
    } else if (n <= 0xFF) {
        b[0] = (uint8_t)(major | 24);
        length = 2;
    } else if (n <= 0xFFFF) {
        b[0] = (uint8_t)(major | 25);
        length = 3;
    } else if (n <= 0xFFFFFFFF) {
        b[0] = (uint8_t)(major | 26);
        length = 5;
    } else {
        b[0] = (uint8_t)(major | 27);
        length = 9;
    }
    for (int i = length - 1; i > 0; i--, n >>= 8)
        b[i] = (uint8_t)n;
    uint8_t *at = writer_reserve(out, (uint32_t)length);
    if (at)
        memcpy(at, b, (size_t)length);
}

static void write_blob(Writer *out, const void *p, size_t n)
{
    write_head(out, CBOR_BYTES, n);
    writer_raw(out, p, n);
}

static void write_text(Writer *out, const char *s)
{
    size_t n = strlen(s);
    write_head(out, CBOR_TEXT, n);
    writer_raw(out, s, n);
}

static void write_double(Writer *out, double d)
{
    if (d >= -SAFE_INTEGER && d <= SAFE_INTEGER && d == (double)(int64_t)d && !(d == 0 && signbit(d))) {
        int64_t n = (int64_t)d;
        write_head(out, n < 0 ? CBOR_NEGATIVE : CBOR_UINT, (uint64_t)(n < 0 ? -1 - n : n));
        return;
    }
    uint64_t bits = 0x7FF8000000000000u;
    if (!isnan(d))
        memcpy(&bits, &d, sizeof bits);
    uint8_t *at = writer_reserve(out, 9);
    if (!at)
        return;
    at[0] = CBOR_F64;
    for (int i = 8; i > 0; i--, bits >>= 8)
        at[i] = (uint8_t)bits;
}

/* A string in which surrogates stand alone, as WTF-8. */
static void write_surrogates(Writer *out, JSString *s)
{
    size_t n = string_utf8_length(s); /* a lone one takes as much as U+FFFD */
    write_head(out, CBOR_TAG, TAG_SURROGATES);
    write_head(out, CBOR_BYTES, n);
    uint8_t *at = n <= INT32_MAX ? writer_reserve(out, (uint32_t)n) : NULL;
    if (!at) {
        out->failed = true;
        return;
    }
    const uint16_t *p = str16(s);
    for (uint32_t i = 0; i < s->len; i++) {
        uint32_t c = p[i];
        if (c >= 0xD800 && c < 0xDC00 && i + 1 < s->len && (p[i + 1] & 0xFC00) == 0xDC00)
            c = 0x10000 + ((c & 0x3FF) << 10) + (p[++i] & 0x3FF);
        if (c < 0x80)
            *at++ = (uint8_t)c;
        else
            at += utf8_encode(at, c);
    }
}

static void write_string(Writer *out, JSString *s)
{
    if (!s->is_wide_char && ascii_prefix(str8(s), s->len) == s->len) {
        write_head(out, CBOR_TEXT, s->len);
        writer_raw(out, str8(s), s->len);
        return;
    }
    if (s->is_wide_char && string_lone_surrogate(s, 0) != s->len) {
        write_surrogates(out, s);
        return;
    }
    size_t n = string_utf8_length(s);
    uint32_t read, written;
    write_head(out, CBOR_TEXT, n);
    uint8_t *at = n <= INT32_MAX ? writer_reserve(out, (uint32_t)n) : NULL;
    if (at)
        string_encode_into(s, at, n, &read, &written);
    else
        out->failed = true;
}

static void write_atom(Writer *out, JSContext *ctx, JSAtom atom)
{
    if (__JS_AtomIsTaggedInt(atom)) {
        char digits[16];
        size_t n = u32toa(digits, __JS_AtomToUInt32(atom));
        write_head(out, CBOR_TEXT, n);
        writer_raw(out, digits, n);
        return;
    }
    write_string(out, ctx->rt->atom_array[atom]);
}

static void write_bigint(Writer *out, JSValueConst v)
{
    JSBigIntBuf buffer;
    JSBigInt *b = JS_VALUE_GET_TAG(v) == JS_TAG_SHORT_BIG_INT ? js_bigint_set_short(&buffer, v) : JS_VALUE_GET_PTR(v);
    js_limb_t sign = (js_slimb_t)b->tab[b->len - 1] < 0 ? (js_limb_t)-1 : 0;
    write_head(out, CBOR_TAG, sign ? TAG_NEGATIVE_BIGINT : TAG_BIGINT);
    size_t n = (size_t)b->len * sizeof(js_limb_t);
    while (n > 0 && (uint8_t)((b->tab[(n - 1) / sizeof(js_limb_t)] ^ sign) >> ((n - 1) % sizeof(js_limb_t) * 8)) == 0)
        n--;
    write_head(out, CBOR_BYTES, n);
    uint8_t *at = writer_reserve(out, (uint32_t)n);
    for (size_t i = n; at && i > 0; i--)
        *at++ = (uint8_t)((b->tab[(i - 1) / sizeof(js_limb_t)] ^ sign) >> ((i - 1) % sizeof(js_limb_t) * 8));
}

#endif
