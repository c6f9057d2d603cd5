/*
 * How a Response is shown where it is the result of an event. The bootstrap's
 * inspect says the same (shown.js), but takes a hundred times as long: it makes
 * the headers and the body's stream to look at them.
 */
#ifndef SHOWN_H
#define SHOWN_H

#define SHOWN_TEXT_LIMIT 40 /* of a header; longer ones may go on lines of their own */

static uint32_t shown_prototype_size; /* properties of Response.prototype that are ours */

static JSObject *shown_prototype(JSContext *ctx) { return JS_VALUE_GET_OBJ(ctx->class_proto[response_class]); }

/* At the end of the boot. */
static void shown_seal(JSContext *ctx)
{
    shown_prototype_size = (uint32_t)shown_prototype(ctx)->shape->prop_count;
}

/* Printable ASCII that needs no escape between single quotes. NULL is empty. */
static bool is_plain_text(JSString *s)
{
    if (!s)
        return true;
    if (s->is_wide_char || s->kind != JS_STRING_KIND_NORMAL || s->len > SHOWN_TEXT_LIMIT)
        return false;
    const uint8_t *p = str8(s);
    for (uint32_t i = 0; i < s->len; i++)
        if (p[i] < ' ' || p[i] > '~' || p[i] == '\'' || p[i] == '\\')
            return false;
    return true;
}

static void write_quoted(Writer *w, JSString *s)
{
    writer_u8(w, '\'');
    if (s)
        writer_raw(w, str8(s), s->len);
    writer_u8(w, '\'');
}

static void write_literal(Writer *w, const char *s) { writer_raw(w, s, strlen(s)); }

static bool is_identifier(JSString *s)
{
    const uint8_t *p = str8(s);
    for (uint32_t i = 0; i < s->len; i++)
        if (!((p[i] | 32) >= 'a' && (p[i] | 32) <= 'z') && p[i] != '_' && !(i > 0 && p[i] >= '0' && p[i] <= '9'))
            return false;
    return s->len > 0;
}

static bool write_plain_response(Writer *w, JSContext *ctx, JSValueConst v)
{
    Response *r = JS_GetOpaque(v, response_class);
    JSObject *o = JS_VALUE_GET_OBJ(v);
    if (!r || o->shape->prop_count || o->shape->proto != shown_prototype(ctx) ||
        (uint32_t)o->shape->proto->shape->prop_count != shown_prototype_size)
        return false;
    Message *m = &r->message;
    Body *b = &m->body;
    if ((b->kind != BODY_NULL && b->kind != BODY_TEXT && b->kind != BODY_BYTES) || m->encoded ||
        !JS_IsUndefined(m->headers) || m->list.count > 1 || r->url || r->redirected || r->type != RESPONSE_DEFAULT ||
        !is_plain_text(r->status_text))
        return false;
    StringPair *header = m->list.count ? m->list.pairs : NULL;
    if (header && (!is_plain_text(header->name) || !is_plain_text(header->value) ||
                   header->name->len + header->value->len > SHOWN_TEXT_LIMIT))
        return false;

    uint8_t buffer[512];
    char status[16];
    Writer text;
    writer_init(&text, buffer, sizeof buffer);
    write_literal(&text, "Response {\n  status: ");
    writer_raw(&text, status, i32toa(status, r->status));
    write_literal(&text, ",\n  statusText: ");
    write_quoted(&text, r->status_text);
    write_literal(&text, ",\n  headers: Headers {");
    if (header) {
        writer_u8(&text, ' ');
        if (is_identifier(header->name))
            writer_raw(&text, str8(header->name), header->name->len);
        else
            write_quoted(&text, header->name);
        write_literal(&text, ": ");
        write_quoted(&text, header->value);
        writer_u8(&text, ' ');
    }
    write_literal(&text, "},\n  body: ");
    write_literal(&text, b->kind == BODY_NULL ? "null" : "ReadableStream { locked: false, state: 'readable', supportsBYOB: true }");
    write_literal(&text, ",\n  bodyUsed: false,\n  ok: ");
    write_literal(&text, r->status >= 200 && r->status < 300 ? "true" : "false");
    write_literal(&text, ",\n  redirected: false,\n  type: 'default',\n  url: ''\n}");
    writer_u8(w, RESULT_TEXT);
    writer_cstring(w, "Response");
    writer_bytes(w, text.bytes, text.length);
    w->failed |= text.failed;
    writer_free(&text);
    return true;
}

#endif
