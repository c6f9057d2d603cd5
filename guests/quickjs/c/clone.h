/*
 * structuredClone. https://html.spec.whatwg.org/#safe-passing-of-structured-data
 * Serialization and deserialization are one pass: what is read is copied at
 * once, and nothing of the copy can be seen before it is complete.
 *
 * Platform classes that are written in JavaScript are ordinary objects to the
 * engine. The bootstrap tells by
 *
 *   native.setCloneHooks({
 *     clone(object) → its clone, or undefined if it is no platform object; throws
 *                     a DataCloneError if it can't be cloned
 *     transfer(object) → what stands for it at the other side, or undefined
 *     moved(object, other) gives what is the object's to what stands for it
 *   })
 *
 * clone is asked about objects whose prototype is neither Object.prototype nor
 * null.
 */
#ifndef CLONE_H
#define CLONE_H

#include "webidl.h"

static struct {
    JSValue clone_hook;
    JSValue transfer_hook;
    JSValue moved_hook;
} cloning;

/* What was met so far, and the copy of it. Originals are held, so that no other
 * object can come to their place. */
typedef struct CloneEntry {
    JSValue original;
    JSValue copy;
} CloneEntry;

typedef struct Clone {
    JSContext *ctx;
    CloneEntry *entries;
    uint32_t count;
    uint32_t capacity;
    uint32_t *table; /* places in entries plus one, by address; NULL while few */
    uint32_t mask;
    uint32_t transferred; /* the first entries are these */
} Clone;

#define CLONE_FEW 8 /* entries that are searched one by one */

static uint32_t clone_hash(JSValueConst v)
{
    return (uint32_t)(((uintptr_t)JS_VALUE_GET_PTR(v) >> 3) * 2654435761u >> 7);
}

static JSValue *clone_find(Clone *c, JSValueConst v)
{
    if (!c->table) {
        for (uint32_t i = 0; i < c->count; i++)
            if (same_object(c->entries[i].original, v))
                return &c->entries[i].copy;
        return NULL;
    }
    for (uint32_t h = clone_hash(v);; h++) {
        uint32_t place = c->table[h & c->mask];
        if (place == 0)
            return NULL;
        if (same_object(c->entries[place - 1].original, v))
            return &c->entries[place - 1].copy;
    }
}

static int clone_rehash(Clone *c, uint32_t size)
{
    uint32_t *table = js_mallocz(c->ctx, size * sizeof *table);
    if (!table)
        return -1;
    js_free(c->ctx, c->table);
    c->table = table;
    c->mask = size - 1;
    for (uint32_t i = 0; i < c->count; i++) {
        uint32_t h = clone_hash(c->entries[i].original);
        while (table[h & c->mask])
            h++;
        table[h & c->mask] = i + 1;
    }
    return 0;
}

/* Remembers the copy of an object. It holds both; the copy stays the caller's. */
static int clone_remember(Clone *c, JSValueConst original, JSValueConst copy)
{
    if (c->count == c->capacity) {
        uint32_t capacity = c->capacity ? c->capacity * 2 : CLONE_FEW;
        CloneEntry *grown = js_realloc(c->ctx, c->entries, capacity * sizeof *grown);
        if (!grown)
            return -1;
        c->entries = grown;
        c->capacity = capacity;
    }
    c->entries[c->count++] = (CloneEntry){ js_dup(original), js_dup(copy) };
    if (c->count < CLONE_FEW)
        return 0;
    if (!c->table || c->count * 2 > c->mask)
        return clone_rehash(c, c->table ? (c->mask + 1) * 2 : CLONE_FEW * 4);
    uint32_t h = clone_hash(original);
    while (c->table[h & c->mask])
        h++;
    c->table[h & c->mask] = c->count;
    return 0;
}

static void clone_clear(Clone *c)
{
    for (uint32_t i = 0; i < c->count; i++) {
        JS_FreeValue(c->ctx, c->entries[i].original);
        JS_FreeValue(c->ctx, c->entries[i].copy);
    }
    js_free(c->ctx, c->entries);
    js_free(c->ctx, c->table);
}

static JSValue clone_refuse(JSContext *ctx, const char *what)
{
    return JS_ThrowDOMException(ctx, "DataCloneError", "%s could not be cloned", what);
}

static JSValue clone_value(Clone *c, JSValueConst v);

/* Ends the making of a copy: frees it where filling it failed. */
static JSValue clone_finish(Clone *c, JSValue copy, int result)
{
    if (result == 0)
        return copy;
    JS_FreeValue(c->ctx, copy);
    return JS_EXCEPTION;
}

/* Copies one property, if the original still has it. */
static int clone_property(Clone *c, JSValueConst from, JSValueConst to, JSAtom key)
{
    JSContext *ctx = c->ctx;
    int found = JS_GetOwnPropertyInternal(ctx, NULL, JS_VALUE_GET_OBJ(from), key);
    if (found <= 0)
        return found;
    JSValue v = JS_GetProperty(ctx, from, key);
    if (JS_IsException(v))
        return -1;
    JSValue copy = clone_value(c, v);
    JS_FreeValue(ctx, v);
    if (JS_IsException(copy))
        return -1;
    return JS_DefinePropertyValue(ctx, to, key, copy, JS_PROP_C_W_E) < 0 ? -1 : 0;
}

static int clone_properties(Clone *c, JSValueConst from, JSValueConst to)
{
    JSPropertyEnum *keys;
    uint32_t count;
    if (JS_GetOwnPropertyNames(c->ctx, &keys, &count, from, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY))
        return -1;
    int result = 0;
    for (uint32_t i = 0; i < count && result == 0; i++)
        result = clone_property(c, from, to, keys[i].atom);
    JS_FreePropertyEnum(c->ctx, keys, count);
    return result;
}

/* Copies an array without holes or other properties, as long as it stays so.
 * Answers how many elements are done. */
static int clone_elements(Clone *c, JSValueConst from, JSValueConst to, uint32_t length, uint32_t *done)
{
    JSObject *o = JS_VALUE_GET_OBJ(from);
    for (*done = 0; *done < length && o->fast_array && *done < o->u.array.count; ++*done) {
        JSValue v = js_dup(o->u.array.u.values[*done]);
        JSValue copy = clone_value(c, v);
        JS_FreeValue(c->ctx, v);
        if (JS_IsException(copy) || JS_CreateDataPropertyUint32(c->ctx, to, *done, copy, JS_PROP_THROW) < 0)
            return -1;
    }
    return 0;
}

static JSValue clone_array(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    uint32_t length, done = 0;
    if (js_get_length32(ctx, &length, v))
        return JS_EXCEPTION;
    JSValue copy = JS_NewArray(ctx);
    if (JS_IsException(copy))
        return copy;
    int result = clone_remember(c, v, copy);
    bool plain = o->fast_array && o->shape->prop_count == 1 && o->u.array.count == length;
    if (result == 0 && plain) {
        result = clone_elements(c, v, copy, length, &done);
        for (; result == 0 && done < length; done++) {
            /* A getter has changed the array: look at each place again. */
            JSAtom key = JS_NewAtomUInt32(ctx, done);
            result = key == JS_ATOM_NULL ? -1 : clone_property(c, v, copy, key);
            JS_FreeAtom(ctx, key);
        }
    } else if (result == 0) {
        result = clone_properties(c, v, copy);
    }
    if (result == 0 && JS_SetLength(ctx, copy, length) < 0)
        result = -1;
    return clone_finish(c, copy, result);
}

static JSValue clone_map(Clone *c, JSValueConst v, bool is_set)
{
    JSContext *ctx = c->ctx;
    JSMapState *state = JS_VALUE_GET_OBJ(v)->u.map_state;
    JSValue copy = js_map_constructor(ctx, JS_UNDEFINED, 0, NULL, is_set ? MAGIC_SET : 0);
    if (JS_IsException(copy))
        return copy;
    int result = clone_remember(c, v, copy);
    /* Take the entries first: cloning them may change the map. */
    uint32_t n = state->record_count * (is_set ? 1 : 2), i = 0;
    JSValue *list = n && result == 0 ? js_malloc(ctx, n * sizeof *list) : NULL;
    if (n && !list)
        return clone_finish(c, copy, -1);
    struct list_head *at;
    if (list) {
        list_for_each(at, &state->records) {
            JSMapRecord *record = list_entry(at, JSMapRecord, link);
            if (record->empty)
                continue;
            list[i++] = js_dup(record->key);
            if (!is_set)
                list[i++] = js_dup(record->value);
        }
        n = i;
    }
    for (i = 0; i < n && result == 0; i += is_set ? 1 : 2) {
        JSValue args[2] = { clone_value(c, list[i]), JS_UNDEFINED };
        if (!is_set && !JS_IsException(args[0]))
            args[1] = clone_value(c, list[i + 1]);
        JSValue r = JS_EXCEPTION;
        if (!JS_IsException(args[0]) && !JS_IsException(args[1]))
            r = js_map_set(ctx, copy, 2, vc(args), is_set ? MAGIC_SET : 0);
        if (JS_IsException(r))
            result = -1;
        JS_FreeValue(ctx, r);
        JS_FreeValue(ctx, args[0]);
        JS_FreeValue(ctx, args[1]);
    }
    for (i = 0; i < n; i++)
        JS_FreeValue(ctx, list[i]);
    js_free(ctx, list);
    return clone_finish(c, copy, result);
}

/* Date and the wrappers of primitives. */
static JSValue clone_boxed(Clone *c, JSValueConst v, int class_id)
{
    JSContext *ctx = c->ctx;
    JSValue data = js_dup(JS_VALUE_GET_OBJ(v)->u.object_data);
    JSValue copy;
    if (class_id == JS_CLASS_STRING) {
        copy = JS_ToObject(ctx, data); /* has properties of its own */
        JS_FreeValue(ctx, data);
    } else {
        copy = JS_NewObjectClass(ctx, (JSClassID)class_id);
        if (JS_IsException(copy))
            JS_FreeValue(ctx, data);
        else
            JS_SetObjectData(ctx, copy, data);
    }
    if (JS_IsException(copy))
        return copy;
    return clone_finish(c, copy, clone_remember(c, v, copy));
}

static JSValue clone_regexp(Clone *c, JSValueConst v)
{
    JSRegExp *re = &JS_VALUE_GET_OBJ(v)->u.regexp;
    JSValue copy = js_regexp_constructor_internal(c->ctx, JS_UNDEFINED, string_value(string_dup(re->pattern)),
                                                  string_value(string_dup(re->bytecode)));
    if (JS_IsException(copy))
        return copy;
    return clone_finish(c, copy, clone_remember(c, v, copy));
}

static JSValue clone_buffer(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    JSArrayBuffer *from = JS_VALUE_GET_OBJ(v)->u.array_buffer;
    if (from->detached)
        return clone_refuse(ctx, "a detached ArrayBuffer");
    uint64_t max = (uint64_t)from->max_byte_length;
    bool resizable = array_buffer_is_resizable(from);
    JSValue copy = js_array_buffer_constructor3(ctx, JS_UNDEFINED, (uint64_t)from->byte_length, resizable ? &max : NULL,
                                                JS_CLASS_ARRAY_BUFFER, from->data, js_array_buffer_realloc, NULL, true);
    if (JS_IsException(copy))
        return copy;
    return clone_finish(c, copy, clone_remember(c, v, copy));
}

static JSValue clone_view(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    JSTypedArray *view = o->u.typed_array;
    JSArrayBuffer *from = view->buffer->u.array_buffer;
    uint64_t size = (uint64_t)from->byte_length;
    bool data_view = o->class_id == JS_CLASS_DATAVIEW;
    if (from->detached || view->offset > size || (!view->track_rab && view->length > size - view->offset))
        return clone_refuse(ctx, "a view whose buffer is detached or too short");
    if (from->shared)
        return clone_refuse(ctx, "a SharedArrayBuffer");
    uint32_t offset = view->offset, length = view->length;
    bool tracks = view->track_rab;
    uint32_t count = data_view ? 0 : o->u.array.count;
    JSValue buffer = clone_value(c, JS_MKPTR(JS_TAG_OBJECT, view->buffer));
    JSValue copy = JS_IsException(buffer) ? buffer : js_create_from_ctor(ctx, JS_UNDEFINED, o->class_id);
    if (JS_IsException(copy)) {
        JS_FreeValue(ctx, buffer);
        return copy;
    }
    int result = 0;
    if (!data_view) {
        result = typed_array_init(ctx, copy, buffer, offset, count, tracks);
    } else {
        JSTypedArray *to = js_malloc(ctx, sizeof *to);
        if (to) {
            JSObject *b = JS_VALUE_GET_OBJ(buffer);
            *to = (JSTypedArray){ .obj = JS_VALUE_GET_OBJ(copy), .buffer = b, .offset = offset, .length = length, .track_rab = tracks };
            list_add_tail(&to->link, &b->u.array_buffer->array_list);
            JS_VALUE_GET_OBJ(copy)->u.typed_array = to;
        } else {
            JS_FreeValue(ctx, buffer);
            result = -1;
        }
    }
    if (result == 0)
        result = clone_remember(c, v, copy);
    return clone_finish(c, copy, result);
}

/* Copies an own data property of an error, as it is defined on errors. */
static int clone_error_property(Clone *c, JSValueConst from, JSValueConst to, JSAtom key, bool as_string)
{
    JSContext *ctx = c->ctx;
    JSPropertyDescriptor d;
    int found = JS_GetOwnPropertyInternal(ctx, &d, JS_VALUE_GET_OBJ(from), key);
    if (found <= 0)
        return found;
    JSValue v = d.flags & JS_PROP_GETSET ? JS_UNINITIALIZED : js_dup(d.value);
    js_free_desc(ctx, &d);
    if (JS_IsUninitialized(v))
        return 0;
    JSValue copy = as_string ? JS_ToString(ctx, v) : clone_value(c, v);
    JS_FreeValue(ctx, v);
    if (JS_IsException(copy))
        return -1;
    return JS_DefinePropertyValue(ctx, to, key, copy, JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0 ? -1 : 0;
}

static JSValue clone_error(Clone *c, JSValueConst v)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {
        { "EvalError", JS_EVAL_ERROR },     { "RangeError", JS_RANGE_ERROR }, { "ReferenceError", JS_REFERENCE_ERROR },
        { "SyntaxError", JS_SYNTAX_ERROR }, { "TypeError", JS_TYPE_ERROR },   { "URIError", JS_URI_ERROR },
    };
    JSContext *ctx = c->ctx;
    JSValue name = JS_GetProperty(ctx, v, JS_ATOM_name);
    if (JS_IsException(name))
        return name;
    JSValue text = JS_IsUndefined(name) ? js_empty_string(ctx->rt) : idl_string(ctx, name);
    JS_FreeValue(ctx, name);
    if (JS_IsException(text))
        return text;
    JSValue proto = ctx->class_proto[JS_CLASS_ERROR];
    for (size_t i = 0; i < countof(kinds); i++)
        if (string_is(string_of(text), kinds[i].name))
            proto = ctx->native_error_proto[kinds[i].kind];
    JS_FreeValue(ctx, text);
    JSValue copy = JS_NewObjectProtoClass(ctx, proto, JS_CLASS_ERROR);
    if (JS_IsException(copy))
        return copy;
    JSObject *from = JS_VALUE_GET_OBJ(v), *to = JS_VALUE_GET_OBJ(copy);
    if (JS_IsString(from->u.object_data)) {
        JSValue old = to->u.object_data;
        to->u.object_data = js_dup(from->u.object_data);
        JS_FreeValue(ctx, old);
    }
    int result = clone_remember(c, v, copy);
    if (result == 0)
        result = clone_error_property(c, v, copy, JS_ATOM_message, true);
    if (result == 0)
        result = clone_error_property(c, v, copy, JS_ATOM_cause, false);
    return clone_finish(c, copy, result);
}

static JSValue clone_dom_exception(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    JSDOMExceptionData *data = JS_GetOpaque(v, JS_CLASS_DOM_EXCEPTION);
    JSValueConst args[2] = { data->message, data->name };
    JSValue copy = js_domexception_constructor0(ctx, JS_UNDEFINED, 2, args, 0);
    if (JS_IsException(copy))
        return copy;
    int result = clone_remember(c, v, copy);
    if (result == 0)
        result = clone_error_property(c, v, copy, JS_ATOM_stack, true);
    return clone_finish(c, copy, result);
}

/* An ordinary object, or one of a platform class that is written in JavaScript. */
static JSValue clone_object(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    JSObject *proto = JS_VALUE_GET_OBJ(v)->shape->proto;
    bool plain = !proto || proto == JS_VALUE_GET_OBJ(ctx->class_proto[JS_CLASS_OBJECT]);
    if (!plain && JS_IsFunction(ctx, cloning.clone_hook)) {
        JSValue copy = JS_Call(ctx, cloning.clone_hook, JS_UNDEFINED, 1, &v);
        if (JS_IsException(copy))
            return copy;
        if (!JS_IsUndefined(copy))
            return clone_finish(c, copy, clone_remember(c, v, copy));
    }
    JSValue copy = JS_NewObject(ctx);
    if (JS_IsException(copy))
        return copy;
    int result = clone_remember(c, v, copy);
    if (result == 0)
        result = clone_properties(c, v, copy);
    return clone_finish(c, copy, result);
}

static JSValue clone_value(Clone *c, JSValueConst v)
{
    JSContext *ctx = c->ctx;
    if (JS_IsSymbol(v))
        return clone_refuse(ctx, "a symbol");
    if (!JS_IsObject(v))
        return js_dup(v);
    JSValue *known = clone_find(c, v);
    if (known)
        return js_dup(*known);
    if (js_check_stack_overflow(ctx->rt, 0))
        return JS_ThrowStackOverflow(ctx);
    if (js_poll_interrupts(ctx))
        return JS_EXCEPTION;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    switch (o->class_id) {
    case JS_CLASS_OBJECT:
    case JS_CLASS_ARGUMENTS:
    case JS_CLASS_MAPPED_ARGUMENTS:
        return clone_object(c, v);
    case JS_CLASS_ARRAY:
        return clone_array(c, v);
    case JS_CLASS_ERROR:
        return clone_error(c, v);
    case JS_CLASS_DOM_EXCEPTION:
        return clone_dom_exception(c, v);
    case JS_CLASS_NUMBER:
    case JS_CLASS_STRING:
    case JS_CLASS_BOOLEAN:
    case JS_CLASS_BIG_INT:
    case JS_CLASS_DATE:
        return clone_boxed(c, v, o->class_id);
    case JS_CLASS_REGEXP:
        return clone_regexp(c, v);
    case JS_CLASS_MAP:
        return clone_map(c, v, false);
    case JS_CLASS_SET:
        return clone_map(c, v, true);
    case JS_CLASS_ARRAY_BUFFER:
        return clone_buffer(c, v);
    }
    if (is_typed_array(o->class_id) || o->class_id == JS_CLASS_DATAVIEW)
        return clone_view(c, v);
    if (JS_IsFunction(ctx, v))
        return clone_refuse(ctx, "a function");
    char name[64];
    JSAtom class_name = ctx->rt->class_array[o->class_id].class_name;
    return clone_refuse(ctx, JS_AtomGetStrRT(ctx->rt, name, sizeof name, class_name));
}

#include "transfer.h"

static JSValue structured_clone(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Clone c = { .ctx = ctx };
    if (idl_require(ctx, argc, 1, "structuredClone"))
        return JS_EXCEPTION;
    JSValue copy = JS_EXCEPTION;
    if (argc < 2 || clone_read_transfers(&c, argv[1]) == 0)
        copy = clone_value(&c, argv[0]);
    if (!JS_IsException(copy) && clone_commit_transfers(&c)) {
        JS_FreeValue(ctx, copy);
        copy = JS_EXCEPTION;
    }
    clone_clear(&c);
    return copy;
}

static JSValue clone_set_hooks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    static const char *const names[] = { "clone", "transfer", "moved" };
    JSValue *const hooks[] = { &cloning.clone_hook, &cloning.transfer_hook, &cloning.moved_hook };
    for (size_t i = 0; i < countof(names); i++) {
        JSValue hook = JS_GetPropertyStr(ctx, argv[0], names[i]);
        if (JS_IsException(hook))
            return hook;
        JS_FreeValue(ctx, *hooks[i]);
        *hooks[i] = hook;
    }
    return JS_UNDEFINED;
}

static int clone_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    static const JSCFunctionListEntry functions[] = { IDL_METHOD("structuredClone", 1, structured_clone) };
    static const JSCFunctionListEntry services[] = { JS_CFUNC_DEF("setCloneHooks", 1, clone_set_hooks) };
    cloning.clone_hook = cloning.transfer_hook = cloning.moved_hook = JS_UNDEFINED;
    if (JS_SetPropertyFunctionList(ctx, global, functions, countof(functions)))
        return -1;
    JSValue made = JS_GetPropertyStr(ctx, global, "structuredClone"); /* into the image */
    JS_FreeValue(ctx, made);
    return JS_IsException(made) ? -1 : JS_SetPropertyFunctionList(ctx, native, services, countof(services));
}

#endif
