/*
 * The result of an event, as the host is told it: JSON where that says what
 * the value is, else a readable text; always with the name of its type.
 */
#ifndef RESULT_H
#define RESULT_H

/* Kinds of the operation "result". */
enum { RESULT_NONE = 0, RESULT_JSON = 1, RESULT_TEXT = 2 };

/* A readable name of a value's type. */
static void write_type(Writer *w, JSContext *ctx, JSValueConst v)
{
    if (JS_IsUndefined(v)) {
        writer_cstring(w, "undefined");
    } else if (JS_IsNull(v)) {
        writer_cstring(w, "null");
    } else if (JS_IsBool(v)) {
        writer_cstring(w, "boolean");
    } else if (JS_IsNumber(v)) {
        writer_cstring(w, "number");
    } else if (JS_IsString(v)) {
        writer_cstring(w, "string");
    } else if (JS_IsSymbol(v)) {
        writer_cstring(w, "symbol");
    } else if (JS_IsBigInt(v)) {
        writer_cstring(w, "bigint");
    } else if (JS_IsProxy(v)) {
        writer_cstring(w, "Proxy");
    } else if (JS_IsFunction(ctx, v)) {
        writer_cstring(w, "function");
    } else if (JS_IsArray(v)) {
        writer_cstring(w, "array");
    } else {
        JSObject *o = JS_VALUE_GET_OBJ(v);
        JSAtom atom;
        if (o->class_id == JS_CLASS_OBJECT || o->class_id == JS_CLASS_ERROR) {
            /* The name of the class, by data properties only: no code runs. */
            JSObject *proto = o->shape->proto;
            atom = JS_ATOM_NULL;
            if (proto && proto->class_id != JS_CLASS_PROXY) {
                JSProperty *property;
                JSShapeProperty *shape = find_own_property(&property, proto, JS_ATOM_constructor);
                if (shape && (shape->flags & JS_PROP_TMASK) == JS_PROP_NORMAL && JS_IsObject(property->u.value) &&
                    !JS_IsProxy(property->u.value)) {
                    JSObject *constructor = JS_VALUE_GET_OBJ(property->u.value);
                    shape = find_own_property(&property, constructor, JS_ATOM_name);
                    if (shape && (shape->flags & JS_PROP_TMASK) == JS_PROP_NORMAL && JS_IsString(property->u.value))
                        atom = JS_ValueToAtom(ctx, property->u.value);
                }
            }
            if (atom == JS_ATOM_Object || atom == JS_ATOM_NULL || atom == JS_ATOM_empty_string) {
                JS_FreeAtom(ctx, atom);
                writer_cstring(w, o->class_id == JS_CLASS_ERROR ? "Error" : "object");
                return;
            }
        } else {
            atom = JS_GetClassName(JS_GetRuntime(ctx), o->class_id);
        }
        size_t n;
        const char *s = JS_AtomToCStringLen(ctx, &n, atom);
        JS_FreeAtom(ctx, atom);
        if (s)
            writer_bytes(w, s, text_cut(s, n, 256));
        else {
            drop_exception(ctx);
            writer_cstring(w, "object");
        }
        JS_FreeCString(ctx, s);
    }
}

/* Objects of these classes lose all that they are when made JSON. */
static bool json_says_nothing(JSContext *ctx, JSValueConst v)
{
    if (!JS_IsObject(v) || JS_IsProxy(v))
        return false;
    if (JS_IsFunction(ctx, v))
        return true;
    switch (JS_VALUE_GET_OBJ(v)->class_id) {
    case JS_CLASS_OBJECT:
    case JS_CLASS_ARRAY:
    case JS_CLASS_NUMBER:
    case JS_CLASS_STRING:
    case JS_CLASS_BOOLEAN:
    case JS_CLASS_DATE:
    case JS_CLASS_ARGUMENTS:
    case JS_CLASS_MAPPED_ARGUMENTS:
    case JS_CLASS_MODULE_NS:
    case JS_CLASS_RAWJSON:
        return false;
    }
    JSValue to_json = JS_GetPropertyStr(ctx, v, "toJSON");
    if (JS_IsException(to_json))
        drop_exception(ctx);
    bool has = JS_IsFunction(ctx, to_json);
    JS_FreeValue(ctx, to_json);
    return !has;
}

/* Writes what inspect would say of a Response that is as most are; false if it
 * is not. Defined in shown.h. */
static bool write_plain_response(Writer *w, JSContext *ctx, JSValueConst v);

/* Writes the whole answer for the values that need no code of JavaScript. */
static bool write_simple_answer(Writer *w, JSContext *ctx, JSValueConst v)
{
    char digits[16];
    switch (JS_VALUE_GET_TAG(v)) {
    case JS_TAG_UNDEFINED:
        writer_u8(w, RESULT_NONE);
        writer_cstring(w, "undefined");
        writer_bytes(w, NULL, 0);
        return true;
    case JS_TAG_BOOL:
        writer_u8(w, RESULT_JSON);
        writer_cstring(w, "boolean");
        writer_cstring(w, JS_VALUE_GET_BOOL(v) ? "true" : "false");
        return true;
    case JS_TAG_INT:
        writer_u8(w, RESULT_JSON);
        writer_cstring(w, "number");
        writer_bytes(w, digits, i32toa(digits, JS_VALUE_GET_INT(v)));
        return true;
    case JS_TAG_OBJECT:
        return write_plain_response(w, ctx, v);
    }
    return false;
}

/* Answers the event with a value. */
static void answer_value(JSContext *ctx, JSValueConst v)
{
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    if (write_simple_answer(&w, ctx, v) && !w.failed) {
        env_call(OP_RESULT, w.bytes, w.length, NULL, 0);
        writer_free(&w);
        return;
    }
    JSValue json = JS_UNDEFINED;
    if (!JS_IsUndefined(v) && !json_says_nothing(ctx, v)) {
        json = JS_JSONStringify(ctx, v, JS_UNDEFINED, JS_UNDEFINED);
        if (JS_IsException(json)) { /* a cycle, a BigInt, or its toJSON threw */
            JSValue thrown = JS_GetException(ctx);
            if (is_out_of_memory(ctx, thrown)) {
                report_failure(ctx, ORIGIN_EVENT, thrown);
                JS_FreeValue(ctx, thrown);
                run_end(ctx);
                return;
            }
            JS_FreeValue(ctx, thrown);
            json = JS_UNDEFINED;
        }
    }
    size_t n = 0;
    const char *s = JS_IsString(json) ? JS_ToCStringLen(ctx, &n, json) : NULL;
    /* NaN, infinities and invalid dates are null in JSON, but not null. */
    if (s && n == 4 && memcmp(s, "null", 4) == 0 && !JS_IsNull(v) && !JS_IsProxy(v)) {
        JS_FreeCString(ctx, s);
        s = NULL;
    }
    writer_u8(&w, JS_IsUndefined(v) ? RESULT_NONE : s ? RESULT_JSON : RESULT_TEXT);
    write_type(&w, ctx, v);
    if (s)
        writer_bytes(&w, s, n);
    else if (JS_IsUndefined(v))
        writer_bytes(&w, NULL, 0);
    else
        write_inspected(&w, ctx, v, INT32_MAX);
    JS_FreeCString(ctx, s);
    JS_FreeValue(ctx, json);
    if (w.failed) {
        heap.refused = true;
        report_failure(ctx, ORIGIN_EVENT, JS_NULL);
        run_end(ctx);
    } else {
        env_call(OP_RESULT, w.bytes, w.length, NULL, 0);
    }
    writer_free(&w);
}

#endif
