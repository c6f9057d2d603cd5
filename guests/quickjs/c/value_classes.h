/*
 * Objects of messages that are neither plain nor arrays, maps or sets. Part of
 * value_read.h.
 */
#ifndef VALUE_CLASSES_H
#define VALUE_CLASSES_H

static JSValue read_bigint(ValueReader *r, bool negative)
{
    uint64_t n;
    const uint8_t *p = read_expected(r, CBOR_BYTES, &n) && n <= value_left(r) ? reader_raw(&r->in, (size_t)n) : NULL;
    if (!p)
        return value_malformed(r);
    size_t limbs = (size_t)n / sizeof(js_limb_t) + 1; /* the uppermost has room for the sign */
    if (limbs > JS_BIGINT_MAX_SIZE)
        return JS_ThrowRangeError(r->ctx, "BigInt is too large to allocate");
    JSBigInt *b = js_bigint_new(r->ctx, (int)limbs);
    if (!b)
        return JS_EXCEPTION;
    memset(b->tab, 0, limbs * sizeof(js_limb_t));
    for (size_t i = 0; i < n; i++)
        b->tab[i / sizeof(js_limb_t)] |= (js_limb_t)p[n - 1 - i] << (i % sizeof(js_limb_t) * 8);
    for (size_t i = 0; negative && i < limbs; i++)
        b->tab[i] = ~b->tab[i];
    return JS_CompactBigInt(r->ctx, js_bigint_normalize(r->ctx, b));
}

static JSValue read_buffer(ValueReader *r, uint64_t n, uint64_t *most)
{
    const uint8_t *p = n <= value_left(r) ? reader_raw(&r->in, (size_t)n) : NULL;
    if (!p)
        return value_malformed(r);
    return js_array_buffer_constructor3(r->ctx, JS_UNDEFINED, n, most, JS_CLASS_ARRAY_BUFFER, (uint8_t *)p, js_array_buffer_realloc, NULL, true);
}

static JSValue read_resizable(ValueReader *r, uint32_t number)
{
    uint64_t n, most;
    if (!read_parts(r, 2))
        return JS_HasException(r->ctx) ? JS_EXCEPTION : value_malformed(r);
    r->owed -= 2;
    Reader before = r->in;
    if (!read_expected(r, CBOR_BYTES, &n) || n > value_left(r))
        return value_malformed(r);
    r->in.at += n;
    if (!read_expected(r, CBOR_UINT, &most) || most < n || most > INT32_MAX)
        return value_malformed(r);
    Reader after = r->in;
    r->in = before;
    if (!read_expected(r, CBOR_BYTES, &n))
        return value_malformed(r);
    JSValue b = read_buffer(r, n, &most);
    r->in = after;
    if (JS_IsException(b))
        return b;
    r->objects[number] = js_dup(b);
    return read_finish(r, b, read_number(r, JS_UNINITIALIZED) == UINT32_MAX ? -1 : 0);
}

/* The buffer of a view, which a byte string, a tag or a reference says. */
static JSValue read_view_buffer(ValueReader *r)
{
    JSValue b = read_item(r);
    if (JS_IsException(b) || JS_IsArrayBuffer(b))
        return b;
    JS_FreeValue(r->ctx, b);
    return value_malformed(r);
}

static JSValue read_view(ValueReader *r, uint32_t tag)
{
    JSContext *ctx = r->ctx;
    JSClassID class_id = JS_CLASS_DATAVIEW;
    uint32_t shift = 0;
    for (size_t i = 0; i < countof(view_tags); i++) {
        if (view_tags[i].tag == tag) {
            class_id = view_tags[i].class_id;
            shift = view_tags[i].shift;
        }
    }
    uint64_t offset = 0, length = 0;
    bool whole = r->in.at < r->in.end && (*r->in.at & 0xE0) != CBOR_ARRAY, tracks = false;
    if (whole ? !value_open(r, 1) : !read_parts(r, 3))
        return JS_HasException(ctx) ? JS_EXCEPTION : value_malformed(r);
    JSValue buffer = read_view_buffer(r);
    if (JS_IsException(buffer))
        return buffer;
    JSArrayBuffer *b = JS_VALUE_GET_OBJ(buffer)->u.array_buffer;
    uint64_t size = (uint64_t)b->byte_length;
    bool ok = true;
    if (!whole) {
        int info;
        r->owed -= 2;
        ok = read_expected(r, CBOR_UINT, &offset);
        int major = ok ? read_head(r, &length, &info) : -1;
        tracks = major == CBOR_SIMPLE && info == (CBOR_NULL & 31);
        ok = ok && (major == CBOR_UINT || tracks) && offset <= size && (offset & ((1u << shift) - 1)) == 0;
        ok = ok && (tracks ? array_buffer_is_resizable(b) : length <= (size - offset) >> shift);
        if (tracks)
            length = (size - offset) >> shift;
    } else {
        length = size >> shift;
        ok = (size & ((1u << shift) - 1)) == 0;
    }
    if (!ok) {
        JS_FreeValue(ctx, buffer);
        return value_malformed(r);
    }
    JSValue view = js_create_from_ctor(ctx, JS_UNDEFINED, class_id);
    if (JS_IsException(view)) {
        JS_FreeValue(ctx, buffer);
        return view;
    }
    if (class_id != JS_CLASS_DATAVIEW)
        return read_finish(r, view, typed_array_init(ctx, view, buffer, offset, length, tracks));
    JSTypedArray *to = js_malloc(ctx, sizeof *to);
    if (!to) {
        JS_FreeValue(ctx, buffer);
        return read_finish(r, view, -1);
    }
    *to = (JSTypedArray){ .obj = JS_VALUE_GET_OBJ(view), .buffer = JS_VALUE_GET_OBJ(buffer), .offset = (uint32_t)offset, .length = (uint32_t)length, .track_rab = tracks };
    list_add_tail(&to->link, &b->array_list);
    JS_VALUE_GET_OBJ(view)->u.typed_array = to;
    return view;
}

static JSValue read_boxed(ValueReader *r, bool date)
{
    if (!value_open(r, 1))
        return value_malformed(r);
    JSValue v = read_item(r);
    if (JS_IsException(v))
        return v;
    JSContext *ctx = r->ctx;
    JSValue o = JS_EXCEPTION;
    if (date) {
        double ms;
        if (JS_IsNumber(v) && JS_ToFloat64(ctx, &ms, v) == 0)
            o = JS_NewDate(ctx, ms);
        else
            value_malformed(r);
    } else if (JS_IsObject(v) || JS_IsNull(v) || JS_IsUndefined(v)) {
        value_malformed(r);
    } else {
        o = JS_ToObject(ctx, v);
    }
    JS_FreeValue(ctx, v);
    return o;
}

/* Reads that many strings, the last of which may be undefined. They are freed
 * where it fails. */
static int read_strings(ValueReader *r, JSValue *parts, int n)
{
    int done = 0, result = read_parts(r, (uint64_t)n) ? 0 : -1;
    if (result && !JS_HasException(r->ctx))
        value_malformed(r);
    for (; result == 0 && done < n; done++) {
        parts[done] = read_item(r);
        if (JS_IsException(parts[done])) {
            result = -1;
        } else if (!JS_IsString(parts[done]) && !(done == 2 && JS_IsUndefined(parts[done]))) {
            JS_FreeValue(r->ctx, parts[done]);
            value_malformed(r);
            result = -1;
        }
        if (result)
            break;
    }
    while (result && done > 0)
        JS_FreeValue(r->ctx, parts[--done]);
    return result;
}

static JSValue read_regexp(ValueReader *r)
{
    JSValue parts[2];
    if (read_strings(r, parts, 2))
        return JS_EXCEPTION;
    JSValue code = js_compile_regexp(r->ctx, parts[0], parts[1]);
    JS_FreeValue(r->ctx, parts[1]);
    if (!JS_IsException(code))
        return js_regexp_constructor_internal(r->ctx, JS_UNDEFINED, parts[0], code);
    JS_FreeValue(r->ctx, parts[0]);
    return code;
}

static JSValue read_dom_exception(ValueReader *r)
{
    JSContext *ctx = r->ctx;
    JSValue parts[3];
    if (read_strings(r, parts, 3))
        return JS_EXCEPTION;
    JSValueConst args[2] = { parts[1], parts[0] };
    JSValue e = js_domexception_constructor0(ctx, JS_UNDEFINED, 2, args, 0);
    JS_FreeValue(ctx, parts[0]);
    JS_FreeValue(ctx, parts[1]);
    if (JS_IsUndefined(parts[2]) || JS_IsException(e)) {
        JS_FreeValue(ctx, parts[2]);
        return e;
    }
    int result = JS_DefinePropertyValue(ctx, e, JS_ATOM_stack, parts[2], JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0 ? -1 : 0;
    return read_finish(r, e, result);
}

static JSValue read_error(ValueReader *r, uint32_t number)
{
    JSContext *ctx = r->ctx;
    uint64_t n;
    if (!read_parts(r, 2))
        return JS_HasException(ctx) ? JS_EXCEPTION : value_malformed(r);
    r->owed -= 2;
    const uint8_t *name = read_expected(r, CBOR_TEXT, &n) && n < 32 ? reader_raw(&r->in, (size_t)n) : NULL;
    size_t class = 0;
    while (name && class < countof(error_classes) && (strlen(error_classes[class].name) != n || memcmp(error_classes[class].name, name, n) != 0))
        class++;
    if (!name || class == countof(error_classes) || !read_expected(r, CBOR_MAP, &n))
        return value_malformed(r);
    JSValue e = JS_NewObjectProtoClass(ctx, error_class_proto(ctx, class), JS_CLASS_ERROR);
    if (JS_IsException(e))
        return e;
    r->objects[number] = js_dup(e);
    int result = read_number(r, JS_UNINITIALIZED) == UINT32_MAX ? -1 : read_properties(r, e, n, true);
    return read_finish(r, e, result);
}

/* ---- what is not the language's ---- */

/* Takes a capability: 0 with an exception pending if it isn't there, is another
 * than one of two kinds, or was taken before. */
static uint32_t read_capability(ValueReader *r, uint32_t index, uint32_t *kind)
{
    if (index >= r->capability_count || (r->taken[index >> 3] >> (index & 7) & 1)) {
        value_malformed(r);
        return 0;
    }
    r->taken[index >> 3] |= (uint8_t)(1 << (index & 7));
    uint32_t handle;
    *kind = r->capabilities[index * 5];
    memcpy(&handle, r->capabilities + index * 5 + 1, 4);
    if (!handle)
        value_malformed(r);
    return handle;
}

static JSValue read_foreign(ValueReader *r, uint32_t tag)
{
    JSContext *ctx = r->ctx;
    if (!JS_IsFunction(ctx, values.decode_hook) || !value_open(r, 1))
        return value_malformed(r);
    JSValue args[3] = { JS_NewUint32(ctx, tag), read_item(r), JS_UNDEFINED };
    if (JS_IsException(args[1]))
        return JS_EXCEPTION;
    if (tag >= TAG_FIRST_CAPABILITY && tag <= TAG_LAST_CAPABILITY) {
        uint32_t kind = 0;
        uint32_t handle = JS_VALUE_GET_TAG(args[1]) == JS_TAG_INT && JS_VALUE_GET_INT(args[1]) >= 0
                              ? read_capability(r, (uint32_t)JS_VALUE_GET_INT(args[1]), &kind)
                              : (value_malformed(r), 0);
        JS_FreeValue(ctx, args[1]);
        if (!handle)
            return JS_EXCEPTION;
        args[1] = JS_NewUint32(ctx, handle);
        args[2] = JS_NewUint32(ctx, kind);
    }
    JSValue v = JS_Call(ctx, values.decode_hook, JS_UNDEFINED, 3, vc(args));
    JS_FreeValue(ctx, args[1]);
    if (JS_IsException(v) || JS_IsObject(v))
        return v;
    JS_FreeValue(ctx, v);
    return value_malformed(r);
}

#endif
