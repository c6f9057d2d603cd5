/*
 * Errors in messages. Part of value_write.h.
 */
#ifndef VALUE_ERRORS_H
#define VALUE_ERRORS_H

/* Writes a property of an error, unless it can't be passed on: an error is told
 * even if something hangs on it that can't. *written says whether it was. */
static int write_error_property(ValueWriter *w, JSAtom key, JSValueConst v, bool *written)
{
    JSContext *ctx = w->ctx;
    uint32_t length = w->out->length, numbered = w->numbered, count = w->seen.count, depth = w->depth;
    *written = true;
    write_atom(w->out, ctx, key);
    if (JS_IsSymbol(v) || JS_IsFunction(ctx, v)) {
        JS_Throw(ctx, JS_UNDEFINED);
    } else if (value_write(w, v) == 0) {
        return 0;
    }
    JSValue why = JS_GetException(ctx);
    if (JS_IsUncatchableError(why) || JS_IsNull(why)) {
        JS_Throw(ctx, why);
        return -1;
    }
    JS_FreeValue(ctx, why);
    *written = false;
    w->out->length = length;
    w->numbered = numbered;
    w->depth = depth;
    while (w->seen.count > count) {
        CloneEntry e = w->seen.entries[--w->seen.count];
        JS_FreeValue(ctx, e.original);
        JS_FreeValue(ctx, e.copy);
    }
    return w->seen.table ? clone_rehash(&w->seen, w->seen.mask + 1) : 0;
}

static size_t error_class_of(JSContext *ctx, JSObject *o)
{
    for (JSObject *p = o->shape->proto; p && p->class_id != JS_CLASS_PROXY; p = p->shape->proto)
        for (size_t i = 0; i < countof(error_classes); i++)
            if (p == JS_VALUE_GET_OBJ(error_class_proto(ctx, i)))
                return i;
    return 0;
}

/* Gathers what an error is: its name, if that is not its class's, the stack that
 * the engine keeps, and its own properties, those that don't enumerate too. */
static int gather_error(ValueWriter *w, JSValueConst v, const char *class_name)
{
    JSContext *ctx = w->ctx;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    if (!find_own_property1(o, JS_ATOM_name)) {
        JSValue name = JS_GetProperty(ctx, v, JS_ATOM_name);
        if (JS_IsException(name))
            return -1;
        bool own = JS_VALUE_GET_TAG(name) == JS_TAG_STRING && !string_is(string_of(name), class_name);
        if (!own)
            JS_FreeValue(ctx, name);
        else if (value_push(w, JS_ATOM_name, name))
            return -1;
    }
    if (JS_IsString(o->u.object_data) && !find_own_property1(o, JS_ATOM_stack) && value_push(w, JS_ATOM_stack, js_dup(o->u.object_data)))
        return -1;
    JSPropertyEnum *keys;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &keys, &count, v, JS_GPN_STRING_MASK))
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++) {
        JSPropertyDescriptor d;
        int found = JS_GetOwnPropertyInternal(ctx, &d, o, keys[i].atom);
        if (found <= 0) {
            result = found;
            continue;
        }
        if (!(d.flags & JS_PROP_GETSET))
            result = value_push(w, keys[i].atom, js_dup(d.value));
        js_free_desc(ctx, &d);
    }
    JS_FreePropertyEnum(ctx, keys, count);
    return result;
}

static int write_error_value(ValueWriter *w, JSValueConst v)
{
    size_t class = error_class_of(w->ctx, JS_VALUE_GET_OBJ(v));
    uint32_t base = w->count;
    if (value_remember(w, v))
        return -1;
    write_object(w, CBOR_TAG, TAG_ERROR);
    write_object(w, CBOR_ARRAY, 2);
    write_text(w->out, error_classes[class].name);
    int result = gather_error(w, v, error_classes[class].name);
    uint32_t count = w->count, written = 0;
    /* How many there will be is known only afterwards: a head of a fixed size. */
    uint32_t head = w->out->length;
    w->numbered++;
    uint8_t *at = writer_reserve(w->out, 3);
    if (at)
        at[0] = CBOR_MAP | 25;
    for (uint32_t i = base; i < count && result == 0 && written < 0xFFFF; i++) {
        bool one;
        result = write_error_property(w, w->entries[i].key, w->entries[i].value, &one);
        written += one;
    }
    value_pop(w, base);
    if (!w->out->failed) {
        w->out->bytes[head + 1] = (uint8_t)(written >> 8);
        w->out->bytes[head + 2] = (uint8_t)written;
    }
    return result;
}

static int write_dom_exception(ValueWriter *w, JSValueConst v)
{
    JSDOMExceptionData *data = JS_GetOpaque(v, JS_CLASS_DOM_EXCEPTION);
    JSValue parts[3] = { js_dup(data->name), js_dup(data->message), JS_GetProperty(w->ctx, v, JS_ATOM_stack) };
    int result = JS_IsException(parts[2]) ? -1 : value_remember(w, v);
    if (!JS_IsString(parts[2])) {
        JS_FreeValue(w->ctx, parts[2]);
        parts[2] = JS_UNDEFINED;
    }
    write_object(w, CBOR_TAG, TAG_DOM_EXCEPTION);
    write_object(w, CBOR_ARRAY, 3);
    for (int i = 0; i < 3; i++) {
        if (result == 0)
            result = value_write(w, parts[i]);
        JS_FreeValue(w->ctx, parts[i]);
    }
    return result;
}

#endif
