/*
 * The codec of messages that cross the host boundary: little endian and flat,
 * as host/op/ops.json describes. A Writer gathers bytes, first in a buffer of
 * its owner, then on the heap; a Reader takes them apart. Neither ever reads
 * or writes out of bounds: failure is kept and asked for once, at the end.
 */
#ifndef CODEC_H
#define CODEC_H

typedef struct Writer {
    uint8_t *bytes;
    uint32_t length;
    uint32_t capacity;
    bool on_heap;
    bool failed; /* out of memory: what was written is incomplete */
} Writer;

/* Starts writing into the caller's buffer, which has to outlive the writer. */
static void writer_init(Writer *w, void *buffer, uint32_t capacity)
{
    w->bytes = buffer;
    w->length = 0;
    w->capacity = capacity;
    w->on_heap = false;
    w->failed = false;
}

static void writer_free(Writer *w)
{
    if (w->on_heap)
        free(w->bytes);
    w->bytes = NULL;
    w->length = w->capacity = 0;
    w->on_heap = false;
}

/* Makes room for n more bytes and answers where they go, or NULL. */
static uint8_t *writer_reserve(Writer *w, uint32_t n)
{
    if (w->failed)
        return NULL;
    if (n > w->capacity - w->length) {
        uint64_t want = (uint64_t)w->length + n;
        uint64_t twice = (uint64_t)w->capacity * 2;
        if (want < twice)
            want = twice;
        uint8_t *grown = want > INT32_MAX ? NULL
                         : w->on_heap     ? realloc(w->bytes, want)
                                          : malloc(want);
        if (!grown) {
            w->failed = true;
            return NULL;
        }
        if (!w->on_heap)
            memcpy(grown, w->bytes, w->length);
        w->bytes = grown;
        w->capacity = (uint32_t)want;
        w->on_heap = true;
    }
    uint8_t *at = w->bytes + w->length;
    w->length += n;
    return at;
}

static void writer_u8(Writer *w, uint8_t v)
{
    uint8_t *at = writer_reserve(w, 1);
    if (at)
        *at = v;
}

static void writer_u32(Writer *w, uint32_t v)
{
    uint8_t *at = writer_reserve(w, 4);
    if (at)
        memcpy(at, &v, 4);
}

/* Bytes without a length before them. */
static void writer_raw(Writer *w, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (n > INT32_MAX) {
        w->failed = true;
        return;
    }
    uint8_t *at = writer_reserve(w, (uint32_t)n);
    if (at)
        memcpy(at, p, n);
}

/* A str or bytes: a length and that many bytes. */
static void writer_bytes(Writer *w, const void *p, size_t n)
{
    if (n > INT32_MAX) {
        w->failed = true;
        return;
    }
    writer_u32(w, (uint32_t)n);
    writer_raw(w, p, n);
}

static void writer_cstring(Writer *w, const char *s)
{
    writer_bytes(w, s, strlen(s));
}

/* How many bytes from p on are ASCII. */
static size_t ascii_prefix(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        if (word & 0x8080808080808080u)
            break;
    }
    while (i < n && p[i] < 0x80)
        i++;
    return i;
}

/* JS_ToCStringLen, which looks at one byte after the other to find that a string
 * is ASCII: most are, some are long. To be freed by JS_FreeCString. */
static const char *utf8_of(JSContext *ctx, size_t *n, JSValueConst v)
{
    if (JS_VALUE_GET_TAG(v) == JS_TAG_STRING) {
        JSString *s = JS_VALUE_GET_STRING(v);
        if (!s->is_wide_char && s->kind == JS_STRING_KIND_NORMAL && ascii_prefix(str8(s), s->len) == s->len) {
            *n = s->len;
            js_dup(v);
            return (const char *)str8(s);
        }
    }
    return JS_ToCStringLen(ctx, n, v);
}

/* The string that a value converts to. -1 with an exception pending. */
static int writer_value(Writer *w, JSContext *ctx, JSValueConst v)
{
    size_t n;
    const char *s = utf8_of(ctx, &n, v);
    if (!s)
        return -1;
    writer_bytes(w, s, n);
    JS_FreeCString(ctx, s);
    return 0;
}

typedef struct Reader {
    const uint8_t *at;
    const uint8_t *end;
    bool failed; /* the message was shorter than what was asked of it */
} Reader;

static void reader_init(Reader *r, const void *bytes, size_t n)
{
    r->at = bytes;
    r->end = r->at + n;
    r->failed = false;
}

/* The next n bytes, valid as long as the message; NULL if they are not there. */
static const uint8_t *reader_raw(Reader *r, size_t n)
{
    if (r->failed || (size_t)(r->end - r->at) < n) {
        r->failed = true;
        return NULL;
    }
    const uint8_t *at = r->at;
    r->at += n;
    return at;
}

static uint8_t reader_u8(Reader *r)
{
    const uint8_t *at = reader_raw(r, 1);
    return at ? *at : 0;
}

static uint32_t reader_u32(Reader *r)
{
    uint32_t v = 0;
    const uint8_t *at = reader_raw(r, 4);
    if (at)
        memcpy(&v, at, 4);
    return v;
}

/* A str or bytes. Never NULL: an empty range if the message is too short. */
static const uint8_t *reader_bytes(Reader *r, uint32_t *n)
{
    *n = reader_u32(r);
    const uint8_t *at = reader_raw(r, *n);
    if (!at) {
        *n = 0;
        at = (const uint8_t *)"";
    }
    return at;
}

/* A str as a JavaScript string. */
static JSValue reader_string(Reader *r, JSContext *ctx)
{
    uint32_t n;
    const uint8_t *at = reader_bytes(r, &n);
    return JS_NewStringLen(ctx, (const char *)at, n);
}

/* The bytes of an ArrayBuffer or a view of one, or the UTF-8 of any other
 * value's string. They are valid until free_payload, and only while no
 * JavaScript runs. */
typedef struct Payload {
    const uint8_t *bytes;
    size_t length;
    const char *cstring; /* to be freed, if the value was a string */
} Payload;

/* -1 with an exception pending. */
static int get_payload(JSContext *ctx, Payload *p, JSValueConst v)
{
    static const uint8_t none;
    p->bytes = &none;
    p->length = 0;
    p->cstring = NULL;
    if (JS_IsUndefined(v) || JS_IsNull(v))
        return 0;
    if (JS_IsArrayBuffer(v)) {
        size_t n;
        uint8_t *bytes = JS_GetArrayBuffer(ctx, &n, v);
        if (!bytes && n)
            return -1;
        if (!bytes && JS_HasException(ctx))
            return -1;
        if (bytes) {
            p->bytes = bytes;
            p->length = n;
        }
        return 0;
    }
    if (JS_GetTypedArrayType(v) >= 0 || JS_IsDataView(v)) {
        JSObject *o = JS_VALUE_GET_OBJ(v);
        JSTypedArray *view = o->u.typed_array;
        JSArrayBuffer *buffer = view->buffer->u.array_buffer;
        if (buffer->detached || view->offset > (size_t)buffer->byte_length) {
            JS_ThrowTypeError(ctx, "the buffer of the view is detached or out of bounds");
            return -1;
        }
        size_t room = (size_t)buffer->byte_length - view->offset;
        size_t n = view->track_rab ? room : view->length;
        if (n > room) {
            JS_ThrowTypeError(ctx, "the buffer of the view is detached or out of bounds");
            return -1;
        }
        if (n) {
            p->bytes = buffer->data + view->offset;
            p->length = n;
        }
        return 0;
    }
    p->cstring = utf8_of(ctx, &p->length, v);
    if (!p->cstring)
        return -1;
    p->bytes = (const uint8_t *)p->cstring;
    return 0;
}

static void free_payload(JSContext *ctx, Payload *p)
{
    if (p->cstring)
        JS_FreeCString(ctx, p->cstring);
    p->cstring = NULL;
}

#endif
