/*
 * Messages of values. Part of value.h.
 *
 * Getters of users, and hooks, may run in between: what is read of an object is
 * read before anything that it has is written.
 */
#ifndef VALUE_WRITE_H
#define VALUE_WRITE_H

typedef struct ValueEntry {
    JSAtom key;
    JSValue value;
} ValueEntry;

/* What the bootstrap has to do around a message that has more than data in it:
 * begun when the first of that is met. */
typedef struct MessageFrame {
    bool lent; /* its stubs are */
    bool begun;
    JSValue outer; /* what begin answered */
} MessageFrame;

typedef struct ValueWriter {
    JSContext *ctx;
    MessageFrame *frame; /* NULL: the bootstrap has done that */
    Writer *out;
    Writer capabilities; /* five bytes each */
    uint32_t capability_count;
    Clone seen;          /* objects, and their numbers for copies */
    uint32_t numbered;   /* objects so far */
    uint32_t depth;
    ValueEntry *entries; /* a stack of properties that are still to be written */
    uint32_t count;
    uint32_t capacity;
    struct ValueWriter *outer; /* which a getter interrupted */
} ValueWriter;

static ValueWriter *value_writer; /* the one under way */

static int value_write(ValueWriter *w, JSValueConst v);

/* The head of an object, which has a number. */
static void write_object(ValueWriter *w, int major, uint64_t n)
{
    write_head(w->out, major, n);
    w->numbered++;
}

/* Any string, ropes too. */
static int write_string_value(ValueWriter *w, JSValueConst v)
{
    if (JS_VALUE_GET_TAG(v) == JS_TAG_STRING) {
        write_string(w->out, string_of(v));
        return 0;
    }
    JSValue flat = JS_ToString(w->ctx, v);
    if (JS_IsException(flat))
        return -1;
    write_string(w->out, string_of(flat));
    JS_FreeValue(w->ctx, flat);
    return 0;
}

/* ---- objects ---- */

/* Gives the next number to an object. */
static int value_remember(ValueWriter *w, JSValueConst v)
{
    return clone_remember(&w->seen, v, JS_MKVAL(JS_TAG_INT, (int32_t)w->numbered));
}

static int value_push(ValueWriter *w, JSAtom key, JSValue v)
{
    if (w->count == w->capacity) {
        uint32_t capacity = w->capacity ? w->capacity * 2 : 32;
        ValueEntry *grown = js_realloc(w->ctx, w->entries, capacity * sizeof *grown);
        if (!grown) {
            JS_FreeValue(w->ctx, v);
            return -1;
        }
        w->entries = grown;
        w->capacity = capacity;
    }
    w->entries[w->count++] = (ValueEntry){ JS_DupAtom(w->ctx, key), v };
    return 0;
}

static void value_pop(ValueWriter *w, uint32_t to)
{
    while (w->count > to) {
        ValueEntry e = w->entries[--w->count];
        JS_FreeAtom(w->ctx, e.key);
        JS_FreeValue(w->ctx, e.value);
    }
}

/* Gathers the own enumerable properties with names of an object that is as most
 * are: 1 if it was, -1 where memory is out. */
static int gather_plain(ValueWriter *w, JSObject *o)
{
    JSShape *shape = o->shape;
    JSShapeProperty *p = get_shape_prop(shape);
    uint32_t base = w->count;
    for (int i = 0; i < shape->prop_count; i++) {
        if (p[i].atom == JS_ATOM_NULL || !(p[i].flags & JS_PROP_ENUMERABLE))
            continue;
        if (__JS_AtomIsTaggedInt(p[i].atom) || (p[i].flags & JS_PROP_TMASK) != JS_PROP_NORMAL) {
            value_pop(w, base);
            return 0;
        }
        if (JS_AtomGetKind(w->ctx, p[i].atom) != JS_ATOM_KIND_STRING)
            continue;
        if (value_push(w, p[i].atom, js_dup(o->prop[i].u.value)))
            return -1;
    }
    return 1;
}

static int gather(ValueWriter *w, JSValueConst v)
{
    JSObject *o = JS_VALUE_GET_OBJ(v);
    if (o->class_id == JS_CLASS_OBJECT) {
        int done = gather_plain(w, o);
        if (done)
            return done < 0 ? -1 : 0;
    }
    JSPropertyEnum *keys;
    uint32_t count;
    if (JS_GetOwnPropertyNames(w->ctx, &keys, &count, v, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        /* A getter before may have deleted it. */
        int found = JS_GetOwnPropertyInternal(w->ctx, NULL, o, keys[i].atom);
        if (found <= 0) {
            result = found;
            continue;
        }
        JSValue field = JS_GetProperty(w->ctx, v, keys[i].atom);
        result = JS_IsException(field) ? -1 : value_push(w, keys[i].atom, field);
    }
    JS_FreePropertyEnum(w->ctx, keys, count);
    return result;
}

/* Writes the entries from base on as a map. */
static int write_entries(ValueWriter *w, uint32_t base)
{
    uint32_t count = w->count;
    write_object(w, CBOR_MAP, count - base);
    int result = 0;
    for (uint32_t i = base; i < count && result == 0; i++) {
        write_atom(w->out, w->ctx, w->entries[i].key);
        result = value_write(w, w->entries[i].value);
    }
    return result;
}

static int write_properties(ValueWriter *w, JSValueConst v)
{
    uint32_t base = w->count;
    int result = gather(w, v);
    if (result == 0)
        result = write_entries(w, base);
    value_pop(w, base);
    return result;
}

/* Whether an array has nothing but its items, or besides them what it was given as
 * a result. */
static bool is_plain_array(JSObject *o, uint32_t length)
{
    int count = o->shape->prop_count;
    return o->fast_array && o->u.array.count == length &&
           (count == 1 || (count == 2 && get_shape_prop(o->shape)[1].atom == JS_ATOM_Symbol_dispose));
}

static int write_array(ValueWriter *w, JSValueConst v)
{
    JSObject *o = JS_VALUE_GET_OBJ(v);
    uint32_t length;
    if (js_get_length32(w->ctx, &length, v) || value_remember(w, v))
        return -1;
    if (!is_plain_array(o, length)) {
        write_object(w, CBOR_TAG, TAG_SPARSE);
        write_object(w, CBOR_ARRAY, 2);
        write_head(w->out, CBOR_UINT, length);
        return write_properties(w, v);
    }
    write_object(w, CBOR_ARRAY, length);
    for (uint32_t i = 0; i < length; i++) {
        /* A getter may have changed the array. */
        JSValue item = o->fast_array && i < o->u.array.count ? js_dup(o->u.array.u.values[i]) : JS_UNDEFINED;
        int result = value_write(w, item);
        JS_FreeValue(w->ctx, item);
        if (result)
            return result;
    }
    return 0;
}

static int write_map(ValueWriter *w, JSValueConst v, bool is_set)
{
    JSMapState *state = JS_VALUE_GET_OBJ(v)->u.map_state;
    uint32_t base = w->count;
    int result = value_remember(w, v);
    struct list_head *at;
    list_for_each(at, &state->records) {
        JSMapRecord *record = list_entry(at, JSMapRecord, link);
        if (record->empty || result)
            continue;
        result = value_push(w, JS_ATOM_NULL, js_dup(record->key));
        if (!is_set && result == 0)
            result = value_push(w, JS_ATOM_NULL, js_dup(record->value));
    }
    uint32_t count = w->count;
    write_object(w, CBOR_TAG, is_set ? TAG_SET : TAG_MAP);
    write_object(w, is_set ? CBOR_ARRAY : CBOR_MAP, (count - base) / (is_set ? 1 : 2));
    for (uint32_t i = base; i < count && result == 0; i++)
        result = value_write(w, w->entries[i].value);
    value_pop(w, base);
    return result;
}

static int write_boxed(ValueWriter *w, JSValueConst v, int class_id)
{
    JSValueConst data = JS_VALUE_GET_OBJ(v)->u.object_data;
    if (value_remember(w, v))
        return -1;
    write_object(w, CBOR_TAG, class_id == JS_CLASS_DATE ? TAG_DATE : TAG_BOXED);
    return value_write(w, data);
}

static int write_regexp(ValueWriter *w, JSValueConst v)
{
    static const struct {
        int mask;
        char letter;
    } letters[] = {
        { LRE_FLAG_INDICES, 'd' }, { LRE_FLAG_GLOBAL, 'g' },  { LRE_FLAG_IGNORECASE, 'i' },   { LRE_FLAG_MULTILINE, 'm' },
        { LRE_FLAG_DOTALL, 's' },  { LRE_FLAG_UNICODE, 'u' }, { LRE_FLAG_UNICODE_SETS, 'v' }, { LRE_FLAG_STICKY, 'y' },
    };
    JSRegExp *re = &JS_VALUE_GET_OBJ(v)->u.regexp;
    int flags = lre_get_flags(str8(re->bytecode));
    char text[sizeof letters / sizeof *letters + 1];
    size_t n = 0;
    for (size_t i = 0; i < countof(letters); i++)
        if (flags & letters[i].mask)
            text[n++] = letters[i].letter;
    text[n] = 0;
    if (value_remember(w, v))
        return -1;
    write_object(w, CBOR_TAG, TAG_REGEXP);
    write_object(w, CBOR_ARRAY, 2);
    write_string(w->out, re->pattern);
    write_text(w->out, text);
    return 0;
}

static int write_buffer(ValueWriter *w, JSValueConst v)
{
    JSArrayBuffer *b = JS_VALUE_GET_OBJ(v)->u.array_buffer;
    if (b->detached || b->shared) {
        clone_refuse(w->ctx, b->shared ? "a SharedArrayBuffer" : "a detached ArrayBuffer");
        return -1;
    }
    if (value_remember(w, v))
        return -1;
    bool resizable = array_buffer_is_resizable(b);
    if (resizable) {
        write_object(w, CBOR_TAG, TAG_RESIZABLE);
        write_object(w, CBOR_ARRAY, 2);
    }
    w->numbered++;
    write_blob(w->out, b->data, (size_t)b->byte_length);
    if (resizable)
        write_head(w->out, CBOR_UINT, (uint64_t)b->max_byte_length);
    return 0;
}

static int write_view(ValueWriter *w, JSValueConst v)
{
    JSObject *o = JS_VALUE_GET_OBJ(v);
    JSTypedArray *view = o->u.typed_array;
    JSArrayBuffer *b = view->buffer->u.array_buffer;
    uint64_t size = (uint64_t)b->byte_length;
    if (b->detached || b->shared || view->offset > size || (!view->track_rab && view->length > size - view->offset)) {
        clone_refuse(w->ctx, b->shared ? "a SharedArrayBuffer" : "a view whose buffer is detached or too short");
        return -1;
    }
    uint32_t tag = TAG_DATA_VIEW, shift = 0;
    for (size_t i = 0; i < countof(view_tags); i++) {
        if (view_tags[i].class_id == o->class_id) {
            tag = view_tags[i].tag;
            shift = view_tags[i].shift;
        }
    }
    uint32_t offset = view->offset, length = view->track_rab ? (uint32_t)(size - offset) : view->length;
    if (value_remember(w, v))
        return -1;
    write_object(w, CBOR_TAG, tag);
    /* Node's Buffer is a part of memory that others have parts of, too. */
    if (o->shape->proto != JS_VALUE_GET_OBJ(w->ctx->class_proto[o->class_id])) {
        w->numbered++;
        write_blob(w->out, b->data + offset, length >> shift << shift);
        return 0;
    }
    JSValueConst buffer = JS_MKPTR(JS_TAG_OBJECT, view->buffer);
    if (offset == 0 && length == size && !view->track_rab)
        return value_write(w, buffer);
    bool tracks = view->track_rab;
    write_object(w, CBOR_ARRAY, 3);
    if (value_write(w, buffer))
        return -1;
    write_head(w->out, CBOR_UINT, offset);
    if (tracks)
        writer_u8(w->out, CBOR_NULL);
    else
        write_head(w->out, CBOR_UINT, length >> shift);
    return 0;
}

#include "value_errors.h"

/* ---- what is not the language's ---- */

/* Throws that an object can't be passed on, by the name of its class. */
static int refuse_object(JSContext *ctx, JSValueConst v)
{
    char buffer[64], name[128];
    JSObject *o = JS_VALUE_GET_OBJ(v);
    snprintf(name, sizeof name, "%s", JS_AtomGetStrRT(ctx->rt, buffer, sizeof buffer, ctx->rt->class_array[o->class_id].class_name));
    if ((o->class_id == JS_CLASS_OBJECT || is_typed_array(o->class_id)) && o->shape->proto) {
        JSValue constructor = JS_GetProperty(ctx, v, JS_ATOM_constructor);
        JSValue text = JS_IsObject(constructor) ? JS_GetProperty(ctx, constructor, JS_ATOM_name) : JS_UNDEFINED;
        if (JS_IsException(constructor) || JS_IsException(text))
            JS_FreeValue(ctx, JS_GetException(ctx));
        if (JS_IsString(text)) {
            const char *s = JS_ToCString(ctx, text);
            if (s && *s)
                snprintf(name, sizeof name, "%s", s);
            JS_FreeCString(ctx, s);
        }
        JS_FreeValue(ctx, text);
        JS_FreeValue(ctx, constructor);
    }
    JS_ThrowDOMException(ctx, "DataCloneError", "Could not serialize object of type \"%s\". This type does not support serialization.", name);
    return -1;
}

static int write_foreign(ValueWriter *w, JSValueConst v)
{
    JSContext *ctx = w->ctx;
    JSValue parts = JS_UNDEFINED;
    if (w->frame && !w->frame->begun) {
        JSValueConst lent = js_bool(w->frame->lent);
        w->frame->outer = JS_Call(ctx, values.begin_hook, JS_UNDEFINED, 1, &lent);
        if (JS_IsException(w->frame->outer))
            return -1;
        w->frame->begun = true;
    }
    if (JS_IsFunction(ctx, values.encode_hook)) {
        parts = JS_Call(ctx, values.encode_hook, JS_UNDEFINED, 1, &v);
        if (JS_IsException(parts))
            return -1;
    }
    if (!JS_IsObject(parts))
        return refuse_object(ctx, v);
    JSValue tag = JS_GetPropertyUint32(ctx, parts, 0), content = JS_GetPropertyUint32(ctx, parts, 1);
    uint32_t n;
    int result = JS_IsException(tag) || JS_IsException(content) || JS_ToUint32(ctx, &n, tag) || value_remember(w, v) ? -1 : 0;
    if (result == 0) {
        write_object(w, CBOR_TAG, n);
        result = value_write(w, content);
    }
    JS_FreeValue(ctx, tag);
    JS_FreeValue(ctx, content);
    JS_FreeValue(ctx, parts);
    return result;
}

static int write_object_value(ValueWriter *w, JSValueConst v)
{
    JSObject *o = JS_VALUE_GET_OBJ(v);
    switch (o->class_id) {
    case JS_CLASS_OBJECT:
        if (o->shape->proto != JS_VALUE_GET_OBJ(w->ctx->class_proto[JS_CLASS_OBJECT]))
            return write_foreign(w, v);
        /* fall through */
    case JS_CLASS_ARGUMENTS:
    case JS_CLASS_MAPPED_ARGUMENTS:
        return value_remember(w, v) ? -1 : write_properties(w, v);
    case JS_CLASS_ARRAY:
        return write_array(w, v);
    case JS_CLASS_ERROR:
        return write_error_value(w, v);
    case JS_CLASS_DOM_EXCEPTION:
        return write_dom_exception(w, v);
    case JS_CLASS_NUMBER:
    case JS_CLASS_STRING:
    case JS_CLASS_BOOLEAN:
    case JS_CLASS_BIG_INT:
    case JS_CLASS_DATE:
        return write_boxed(w, v, o->class_id);
    case JS_CLASS_REGEXP:
        return write_regexp(w, v);
    case JS_CLASS_MAP:
        return write_map(w, v, false);
    case JS_CLASS_SET:
        return write_map(w, v, true);
    case JS_CLASS_ARRAY_BUFFER:
        return write_buffer(w, v);
    }
    if (is_typed_array(o->class_id) || o->class_id == JS_CLASS_DATAVIEW)
        return write_view(w, v);
    return write_foreign(w, v);
}

static int value_write(ValueWriter *w, JSValueConst v)
{
    JSContext *ctx = w->ctx;
    switch (JS_VALUE_GET_NORM_TAG(v)) {
    case JS_TAG_INT: {
        int32_t n = JS_VALUE_GET_INT(v);
        write_head(w->out, n < 0 ? CBOR_NEGATIVE : CBOR_UINT, (uint32_t)(n < 0 ? -1 - n : n));
        return 0;
    }
    case JS_TAG_FLOAT64:
        write_double(w->out, JS_VALUE_GET_FLOAT64(v));
        return 0;
    case JS_TAG_BOOL:
        writer_u8(w->out, JS_VALUE_GET_BOOL(v) ? CBOR_TRUE : CBOR_FALSE);
        return 0;
    case JS_TAG_NULL:
        writer_u8(w->out, CBOR_NULL);
        return 0;
    case JS_TAG_UNDEFINED:
        writer_u8(w->out, CBOR_UNDEFINED);
        return 0;
    case JS_TAG_STRING:
    case JS_TAG_STRING_ROPE:
        return write_string_value(w, v);
    case JS_TAG_BIG_INT:
    case JS_TAG_SHORT_BIG_INT:
        write_bigint(w->out, v);
        return 0;
    case JS_TAG_OBJECT:
        break;
    case JS_TAG_SYMBOL: {
        JSValue text = js_symbol_toString(ctx, v, 0, NULL);
        const char *s = JS_IsException(text) ? NULL : JS_ToCString(ctx, text);
        if (s)
            clone_refuse(ctx, s);
        JS_FreeCString(ctx, s);
        JS_FreeValue(ctx, text);
        return -1;
    }
    default:
        clone_refuse(ctx, "the value");
        return -1;
    }
    JSValue *known = clone_find(&w->seen, v);
    if (known) {
        write_head(w->out, CBOR_TAG, TAG_REFERENCE);
        write_head(w->out, CBOR_UINT, (uint32_t)JS_VALUE_GET_INT(*known));
        return 0;
    }
    if (w->depth == VALUE_NESTING) {
        JS_ThrowDOMException(ctx, "DataCloneError", "Could not serialize a value that is nested more than %d deep.", VALUE_NESTING);
        return -1;
    }
    if (js_check_stack_overflow(ctx->rt, 0)) {
        JS_ThrowStackOverflow(ctx);
        return -1;
    }
    if (js_poll_interrupts(ctx))
        return -1;
    if (w->out->failed) {
        JS_ThrowOutOfMemory(ctx);
        return -1;
    }
    w->depth++;
    int result = write_object_value(w, v);
    w->depth--;
    return result;
}

/* Writes "value" of the wire: a message and its capabilities. 0, or -1 with an
 * exception pending; what is in the writer is then incomplete. */
static int write_framed(JSContext *ctx, Writer *out, JSValueConst v, MessageFrame *frame)
{
    ValueWriter w = { .ctx = ctx, .frame = frame, .out = out, .seen = { .ctx = ctx }, .outer = value_writer };
    uint8_t buffer[80];
    writer_init(&w.capabilities, buffer, sizeof buffer);
    value_writer = &w;
    uint32_t start = out->length;
    writer_u32(out, 0);
    int result = value_write(&w, v);
    value_writer = w.outer;
    uint32_t length = out->length - start - 4;
    if (result == 0 && !out->failed && length > VALUE_LIMIT) {
        JS_ThrowPlainError(ctx, "Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: %u bytes.", length);
        result = -1;
    }
    writer_u32(out, w.capability_count);
    writer_raw(out, w.capabilities.bytes, w.capabilities.length);
    if (result == 0 && (out->failed || w.capabilities.failed)) {
        JS_ThrowOutOfMemory(ctx);
        result = -1;
    }
    if (result == 0)
        memcpy(out->bytes + start, &length, 4);
    writer_free(&w.capabilities);
    clone_clear(&w.seen);
    js_free(ctx, w.entries);
    return result;
}

static int write_value(JSContext *ctx, Writer *out, JSValueConst v)
{
    return write_framed(ctx, out, v, NULL);
}

#endif
