/*
 * UTF-8 and strings, by the rules of the web: errors are replaced, each maximal
 * part of a wrong sequence once. https://encoding.spec.whatwg.org/#utf-8
 */
#ifndef UTF8_H
#define UTF8_H

#include "webidl.h"

/* ---- UTF-8 to strings ---- */

/* One scalar value at p, before end; how many bytes it takes in *taken. A
 * negative answer is an error: -1 for a maximal part of a sequence that is
 * wrong, -2 for one that is only cut off by the end. */
static int32_t utf8_scalar(const uint8_t *p, const uint8_t *end, uint32_t *taken)
{
    uint8_t lead = *p, lower = 0x80, upper = 0xBF;
    uint32_t need;
    int32_t c;
    *taken = 1;
    if (lead < 0x80)
        return lead;
    if (lead >= 0xC2 && lead <= 0xDF) {
        need = 1;
        c = lead & 0x1F;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        need = 2;
        c = lead & 0x0F;
        if (lead == 0xE0)
            lower = 0xA0;
        else if (lead == 0xED)
            upper = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        need = 3;
        c = lead & 0x07;
        if (lead == 0xF0)
            lower = 0x90;
        else if (lead == 0xF4)
            upper = 0x8F;
    } else {
        return -1;
    }
    for (uint32_t i = 1; i <= need; i++) {
        if (p + i == end) {
            *taken = i;
            return -2;
        }
        if (p[i] < lower || p[i] > upper) {
            *taken = i;
            return -1;
        }
        lower = 0x80;
        upper = 0xBF;
        c = c << 6 | (p[i] & 0x3F);
    }
    *taken = need + 1;
    return c;
}

/* True where the bytes are well-formed UTF-8. */
static bool utf8_valid(const uint8_t *p, size_t n)
{
    const uint8_t *end = p + n;
    while (p < end) {
        uint32_t taken;
        if (*p < 0x80)
            taken = (uint32_t)ascii_prefix(p, (size_t)(end - p));
        else if (utf8_scalar(p, end, &taken) < 0)
            return false;
        p += taken;
    }
    return true;
}

/* A string of UTF-8, errors replaced by U+FFFD. Byte order marks are kept. */
static JSValue utf8_to_string(JSContext *ctx, const uint8_t *p, size_t n)
{
    size_t ascii = ascii_prefix(p, n);
    if (ascii == n) {
        JSString *s = string_latin1(ctx, (const char *)p, n);
        return s ? string_value(s) : JS_EXCEPTION;
    }
    if (n > JS_STRING_LEN_MAX)
        return JS_ThrowRangeError(ctx, "invalid string length");
    /* Count first: what is kept in memory is exact. */
    const uint8_t *end = p + n;
    uint32_t length = (uint32_t)ascii, taken;
    bool wide = false;
    for (const uint8_t *q = p + ascii; q < end; q += taken) {
        if (*q < 0x80) {
            taken = (uint32_t)ascii_prefix(q, (size_t)(end - q));
            length += taken;
            continue;
        }
        int32_t c = utf8_scalar(q, end, &taken);
        length += c > 0xFFFF ? 2 : 1;
        wide |= c < 0 || c > 0xFF;
    }
    JSString *s = js_alloc_string(ctx, (int)length, wide);
    if (!s)
        return JS_EXCEPTION;
    uint32_t i = 0;
    for (const uint8_t *q = p; q < end; q += taken) {
        if (*q < 0x80) {
            taken = (uint32_t)ascii_prefix(q, (size_t)(end - q));
            if (wide) {
                for (uint32_t k = 0; k < taken; k++)
                    str16(s)[i + k] = q[k];
            } else {
                memcpy(str8(s) + i, q, taken);
            }
            i += taken;
            continue;
        }
        int32_t c = utf8_scalar(q, end, &taken);
        if (c < 0)
            c = 0xFFFD;
        if (!wide) {
            str8(s)[i++] = (uint8_t)c;
        } else if (c > 0xFFFF) {
            str16(s)[i++] = (uint16_t)(0xD7C0 + (c >> 10));
            str16(s)[i++] = (uint16_t)(0xDC00 + (c & 0x3FF));
        } else {
            str16(s)[i++] = (uint16_t)c;
        }
    }
    if (!wide)
        str8(s)[length] = 0;
    return string_value(s);
}

static bool has_utf8_mark(const uint8_t *p, size_t n)
{
    return n >= 3 && p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF;
}

/* "UTF-8 decode": a string without its byte order mark. */
static JSValue utf8_decode_string(JSContext *ctx, const uint8_t *p, size_t n)
{
    size_t mark = has_utf8_mark(p, n) ? 3 : 0;
    return utf8_to_string(ctx, p + mark, n - mark);
}

/* ---- strings to UTF-8 ---- */

/* How many characters from i on, taken several at a time, are ASCII. */
static uint32_t string_ascii_run(const JSString *s, uint32_t i)
{
    uint32_t from = i;
    uint64_t word;
    if (s->is_wide_char) {
        for (; i + 4 <= s->len; i += 4) {
            memcpy(&word, str16(s) + i, 8);
            if (word & 0xFF80FF80FF80FF80u)
                break;
        }
    } else {
        for (; i + 8 <= s->len; i += 8) {
            memcpy(&word, str8(s) + i, 8);
            if (word & 0x8080808080808080u)
                break;
        }
    }
    return i - from;
}

/* Writes as many scalar values as fit, lone surrogates as U+FFFD. */
static void string_encode_into(JSString *s, uint8_t *to, size_t room, uint32_t *read, uint32_t *written)
{
    uint32_t i = 0;
    size_t at = 0;
    while (i < s->len) {
        uint32_t c = s->is_wide_char ? str16(s)[i] : str8(s)[i];
        if (c < 0x80) {
            uint32_t run = string_ascii_run(s, i);
            if (run > room - at)
                run = (uint32_t)(room - at);
            if (!s->is_wide_char)
                memcpy(to + at, str8(s) + i, run);
            else
                for (uint32_t k = 0; k < run; k++)
                    to[at + k] = (uint8_t)str16(s)[i + k];
            at += run;
            i += run;
            if (run)
                continue;
        }
        uint32_t units = 1;
        if ((c & 0xF800) == 0xD800) {
            uint32_t low = c < 0xDC00 && i + 1 < s->len ? str16(s)[i + 1] : 0;
            if ((low & 0xFC00) == 0xDC00) {
                c = 0x10000 + ((c & 0x3FF) << 10) + (low & 0x3FF);
                units = 2;
            } else {
                c = 0xFFFD;
            }
        }
        uint32_t need = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (need > room - at)
            break;
        if (need == 1) {
            to[at++] = (uint8_t)c;
        } else {
            at += utf8_encode(to + at, c);
        }
        i += units;
    }
    *read = i;
    *written = (uint32_t)at;
}

static size_t string_utf8_length(JSString *s)
{
    size_t n = s->len;
    if (!s->is_wide_char) {
        const uint8_t *p = str8(s);
        for (uint32_t i = string_ascii_run(s, 0); i < s->len; i++)
            n += p[i] >> 7;
        return n;
    }
    const uint16_t *p = str16(s);
    for (uint32_t i = 0; i < s->len; i++) {
        if (p[i] < 0x80) {
            uint32_t run = string_ascii_run(s, i);
            i += run ? run - 1 : 0;
            continue;
        }
        if (p[i] < 0x800) {
            n += 1;
        } else if (p[i] >= 0xD800 && p[i] < 0xDC00 && i + 1 < s->len && (p[i + 1] & 0xFC00) == 0xDC00) {
            n += 2; /* four bytes for two units */
            i++;
        } else {
            n += 2;
        }
    }
    return n;
}

/* An ArrayBuffer-backed Uint8Array of n bytes that the caller allocated by
 * js_malloc and that it takes, also where it fails. */
static JSValue uint8_array_take(JSContext *ctx, uint8_t *bytes, size_t n)
{
    JSValue buffer = JS_NewArrayBuffer(ctx, bytes, n, 0, js_array_buffer_realloc, NULL, false);
    if (JS_IsException(buffer)) {
        js_free(ctx, bytes);
        return buffer;
    }
    return js_new_uint8array(ctx, buffer);
}

#endif
