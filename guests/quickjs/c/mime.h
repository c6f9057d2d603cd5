/*
 * MIME types, as far as bodies ask for them.
 * https://mimesniff.spec.whatwg.org/#parsing-a-mime-type
 * https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
 */
#ifndef MIME_H
#define MIME_H

#include "headers.h"

typedef struct MimeType {
    JSString *essence;   /* type "/" subtype, in lower case; NULL: failure */
    PairList parameters; /* names in lower case, each at most once */
} MimeType;

static void mime_clear(JSRuntime *rt, MimeType *m)
{
    if (m->essence)
        js_free_string(rt, m->essence);
    m->essence = NULL;
    pair_list_clear(rt, &m->parameters);
}

static bool is_mime_token(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_token_char(p[i]))
            return false;
    return n > 0;
}

static JSString *lower_text(JSContext *ctx, const uint8_t *p, size_t n)
{
    JSString *s = string_latin1(ctx, (const char *)p, n);
    return s ? string_to_lower(ctx, s) : NULL;
}

/* Collects a quoted string from its opening quote on; *at moves behind it. The
 * answer has no quotes. */
static JSString *mime_quoted(JSContext *ctx, const uint8_t *p, size_t n, size_t *at)
{
    StringBuffer b;
    string_buffer_init(ctx, &b, 16);
    size_t i = *at + 1;
    while (i < n && p[i] != '"') {
        if (p[i] == '\\' && i + 1 < n)
            i++;
        string_buffer_putc8(&b, p[i++]);
    }
    *at = i < n ? i + 1 : n;
    JSValue v = string_buffer_end(&b);
    return JS_IsException(v) ? NULL : string_of(v);
}

/* Adds a parameter unless it is malformed or there already. Takes both. */
static int mime_add_parameter(JSContext *ctx, MimeType *m, JSString *name, JSString *value)
{
    bool valid = is_token(name) && !header_list_has(&m->parameters, name);
    const uint8_t *p = str8(value);
    for (uint32_t i = 0; i < value->len && valid; i++)
        valid = p[i] == '\t' || (p[i] >= 0x20 && p[i] != 0x7F);
    if (valid)
        return pair_list_append(ctx, &m->parameters, name, value);
    js_free_string(ctx->rt, name);
    js_free_string(ctx->rt, value);
    return 0;
}

/* "Parse a MIME type". A failure leaves essence NULL; -1 is an exception. */
static int mime_parse(JSContext *ctx, const uint8_t *p, size_t n, MimeType *m)
{
    *m = (MimeType){ 0 };
    while (n > 0 && is_http_space(*p)) {
        p++;
        n--;
    }
    while (n > 0 && is_http_space(p[n - 1]))
        n--;
    const uint8_t *slash = memchr(p, '/', n);
    if (!slash)
        return 0;
    size_t i = (size_t)(slash - p);
    size_t end = i + 1;
    while (end < n && p[end] != ';')
        end++;
    size_t trimmed = end;
    while (trimmed > i + 1 && is_http_space(p[trimmed - 1]))
        trimmed--;
    if (!is_mime_token(p, i) || !is_mime_token(p + i + 1, trimmed - i - 1))
        return 0;
    m->essence = lower_text(ctx, p, trimmed);
    if (!m->essence)
        return -1;
    i = end;
    while (i < n) {
        i++; /* the semicolon */
        while (i < n && is_http_space(p[i]))
            i++;
        size_t name = i;
        while (i < n && p[i] != ';' && p[i] != '=')
            i++;
        size_t name_end = i;
        if (i >= n)
            break;
        if (p[i] == ';')
            continue;
        i++; /* the equals sign */
        if (i >= n)
            break;
        JSString *v;
        if (p[i] == '"') {
            v = mime_quoted(ctx, p, n, &i);
            while (i < n && p[i] != ';')
                i++;
        } else {
            size_t value = i;
            while (i < n && p[i] != ';')
                i++;
            size_t value_end = i;
            while (value_end > value && is_http_space(p[value_end - 1]))
                value_end--;
            if (value_end == value)
                continue;
            v = string_latin1(ctx, (const char *)p + value, value_end - value);
        }
        JSString *k = v ? lower_text(ctx, p + name, name_end - name) : NULL;
        if (!k) {
            if (v)
                js_free_string(ctx->rt, v);
            mime_clear(ctx->rt, m);
            return -1;
        }
        if (mime_add_parameter(ctx, m, k, v)) {
            mime_clear(ctx->rt, m);
            return -1;
        }
    }
    return 0;
}

/* "Serialize a MIME type". */
static JSString *mime_serialize(JSContext *ctx, const MimeType *m)
{
    if (m->parameters.count == 0)
        return string_dup(m->essence);
    StringBuffer b;
    string_buffer_init(ctx, &b, 64);
    string_buffer_concat(&b, m->essence, 0, m->essence->len);
    for (uint32_t i = 0; i < m->parameters.count; i++) {
        StringPair pair = m->parameters.pairs[i];
        string_buffer_putc8(&b, ';');
        string_buffer_concat(&b, pair.name, 0, pair.name->len);
        string_buffer_putc8(&b, '=');
        if (is_token(pair.value)) {
            string_buffer_concat(&b, pair.value, 0, pair.value->len);
            continue;
        }
        string_buffer_putc8(&b, '"');
        for (uint32_t j = 0; j < pair.value->len; j++) {
            uint8_t c = str8(pair.value)[j];
            if (c == '"' || c == '\\')
                string_buffer_putc8(&b, '\\');
            string_buffer_putc8(&b, c);
        }
        string_buffer_putc8(&b, '"');
    }
    JSValue v = string_buffer_end(&b);
    return JS_IsException(v) ? NULL : string_of(v);
}

/* The end of one value of a comma-separated list: commas in quotes are none. */
static size_t header_value_end(const uint8_t *p, size_t n, size_t i)
{
    while (i < n && p[i] != ',') {
        if (p[i++] != '"')
            continue;
        while (i < n && p[i] != '"')
            i += p[i] == '\\' && i + 1 < n ? 2 : 1;
        if (i < n)
            i++;
    }
    return i;
}

/* "Extract a MIME type" from a header list, serialized; the empty string where
 * that fails. NULL with an exception pending. */
static JSString *mime_extract(JSContext *ctx, const PairList *list)
{
    JSString *name = string_latin1(ctx, "content-type", 12), *all = NULL, *charset = NULL;
    if (!name)
        return NULL;
    int result = header_list_get(ctx, list, name, &all);
    js_free_string(ctx->rt, name);
    if (result)
        return NULL;
    MimeType best = { 0 };
    size_t n = all ? all->len : 0;
    for (size_t i = 0; i < n && result == 0;) {
        const uint8_t *p = str8(all);
        size_t end = header_value_end(p, n, i);
        MimeType m;
        result = mime_parse(ctx, p + i, end - i, &m);
        i = end + 1;
        if (result || !m.essence)
            continue;
        if (string_is(m.essence, "*/*")) {
            mime_clear(ctx->rt, &m);
            continue;
        }
        JSString *own = header_list_find(&m.parameters, "charset");
        if (!best.essence || !string_same(best.essence, m.essence)) {
            if (charset)
                js_free_string(ctx->rt, charset);
            charset = own ? string_dup(own) : NULL;
        } else if (!own && charset) {
            result = header_list_append_text(ctx, &m.parameters, "charset", (const char *)str8(charset), charset->len);
        }
        mime_clear(ctx->rt, &best);
        best = m;
    }
    JSString *serialized = NULL;
    if (result == 0)
        serialized = best.essence ? mime_serialize(ctx, &best) : string_latin1(ctx, "", 0);
    mime_clear(ctx->rt, &best);
    if (charset)
        js_free_string(ctx->rt, charset);
    if (all)
        js_free_string(ctx->rt, all);
    return serialized;
}

#endif
