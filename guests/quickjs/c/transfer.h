/*
 * The transfer list of structuredClone. Part of clone.h.
 * https://html.spec.whatwg.org/#structuredserializewithtransfer
 */
#ifndef TRANSFER_H
#define TRANSFER_H

static int clone_refuse_transfer(JSContext *ctx, const char *why)
{
    JS_ThrowDOMException(ctx, "DataCloneError", "%s could not be transferred", why);
    return -1;
}

/* Puts an object to be transferred before everything else: a buffer gets a
 * stand-in of the same length, which views can be made of, and its memory only
 * when the clone is complete. */
static int clone_add_transfer(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    if (clone_find(c, v))
        return clone_refuse_transfer(ctx, "an object that is listed twice");
    JSValue copy = JS_UNDEFINED;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    if (o->class_id == JS_CLASS_ARRAY_BUFFER) {
        JSArrayBuffer *from = o->u.array_buffer;
        uint64_t max = (uint64_t)from->max_byte_length;
        if (from->detached || from->immutable)
            return clone_refuse_transfer(ctx, from->detached ? "a detached ArrayBuffer" : "an immutable ArrayBuffer");
        if (wasm_owns_buffer(from))
            return clone_refuse_transfer(ctx, "the buffer of a WebAssembly.Memory");
        copy = js_array_buffer_constructor3(ctx, JS_UNDEFINED, 0, array_buffer_is_resizable(from) ? &max : NULL,
                                            JS_CLASS_ARRAY_BUFFER, NULL, NULL, NULL, false);
        if (!JS_IsException(copy))
            JS_VALUE_GET_OBJ(copy)->u.array_buffer->byte_length = from->byte_length;
    } else if (JS_IsFunction(ctx, cloning.transfer_hook)) {
        copy = JS_Call(ctx, cloning.transfer_hook, JS_UNDEFINED, 1, &v);
    }
    if (JS_IsUndefined(copy))
        return clone_refuse_transfer(ctx, "the object");
    if (JS_IsException(copy))
        return -1;
    int result = clone_remember(c, v, copy);
    JS_FreeValue(ctx, copy);
    if (result == 0)
        c->transferred++;
    return result;
}

/* Reads the transfer list of the options: all of it is converted first. */
static int clone_read_transfers(Clone *c, JSValueConst options)
{
    JSContext *ctx = c->ctx;
    int given = idl_dictionary(ctx, options, "options");
    if (given <= 0)
        return given;
    JSValue list = JS_GetPropertyStr(ctx, options, "transfer");
    if (JS_IsException(list) || JS_IsUndefined(list))
        return JS_IsException(list) ? -1 : 0;
    if (!JS_IsObject(list)) {
        JS_FreeValue(ctx, list);
        JS_ThrowTypeError(ctx, "transfer is not iterable");
        return -1;
    }
    JSValue objects = JS_NewArray(ctx);
    JSValue iterator = JS_IsException(objects) ? objects : JS_GetIterator(ctx, list, false);
    JSValue next = JS_IsException(iterator) ? iterator : JS_GetProperty(ctx, iterator, JS_ATOM_next);
    int result = JS_IsException(next) ? -1 : 0, done = false;
    uint32_t n = 0;
    while (result == 0) {
        JSValue v = JS_IteratorNext(ctx, iterator, next, 0, NULL, &done);
        if (JS_IsException(v)) {
            result = -1;
        } else if (done) {
            break;
        } else if (!JS_IsObject(v)) {
            JS_FreeValue(ctx, v);
            JS_ThrowTypeError(ctx, "only objects can be transferred");
            result = -1;
        } else if (JS_CreateDataPropertyUint32(ctx, objects, n++, v, JS_PROP_THROW) < 0) {
            result = -1;
        }
    }
    for (uint32_t i = 0; i < n && result == 0; i++) {
        JSValue v = JS_GetPropertyUint32(ctx, objects, i);
        result = JS_IsException(v) ? -1 : clone_add_transfer(c, v);
        JS_FreeValue(ctx, v);
    }
    JS_FreeValue(ctx, next);
    JS_FreeValue(ctx, iterator);
    JS_FreeValue(ctx, objects);
    JS_FreeValue(ctx, list);
    return result;
}

/* True where a buffer is as it was when its stand-in was made. */
static bool clone_buffer_unchanged(const CloneEntry *e)
{
    JSArrayBuffer *from = JS_VALUE_GET_OBJ(e->original)->u.array_buffer;
    JSArrayBuffer *to = JS_VALUE_GET_OBJ(e->copy)->u.array_buffer;
    return !from->detached && !from->immutable && from->byte_length == to->byte_length;
}

/* Gives the stand-ins the memory of the buffers, which are detached, and what
 * other objects have. Only the hook runs JavaScript, which is the platform's
 * own, and only after the buffers: what was checked of these still holds. */
static int clone_commit_transfers(Clone *c)
{
    JSContext *ctx = c->ctx;
    for (uint32_t i = 0; i < c->transferred; i++)
        if (JS_IsArrayBuffer(c->entries[i].original) && !clone_buffer_unchanged(&c->entries[i]))
            return clone_refuse_transfer(ctx, "an ArrayBuffer that changed meanwhile");
    for (uint32_t i = 0; i < c->transferred; i++) {
        CloneEntry *e = &c->entries[i];
        if (!JS_IsArrayBuffer(e->original))
            continue;
        JSArrayBuffer *from = JS_VALUE_GET_OBJ(e->original)->u.array_buffer;
        JSArrayBuffer *to = JS_VALUE_GET_OBJ(e->copy)->u.array_buffer;
        to->realloc_func(ctx->rt, to->opaque, to->data, 0);
        to->data = from->data;
        to->realloc_func = from->realloc_func;
        to->opaque = from->opaque;
        from->realloc_func = NULL;
        from->opaque = NULL;
        JS_DetachArrayBuffer(ctx, e->original);
        js_array_buffer_update_typed_arrays(to);
    }
    for (uint32_t i = 0; i < c->transferred; i++) {
        CloneEntry *e = &c->entries[i];
        if (JS_IsArrayBuffer(e->original) || !JS_IsFunction(ctx, cloning.moved_hook))
            continue;
        JSValueConst args[2] = { e->original, e->copy };
        JSValue moved = JS_Call(ctx, cloning.moved_hook, JS_UNDEFINED, 2, args);
        if (JS_IsException(moved))
            return -1;
        JS_FreeValue(ctx, moved);
    }
    return 0;
}

#endif
