/*
 * Objects that stand for what is elsewhere: any name is a member of theirs. The
 * bootstrap makes them: stubs, services (which are no functions), loopbacks
 * (services which are), and the promises that calls answer. Their properties,
 * and those of properties, are made here. Each has a state, a value of the
 * bootstrap; that of a property is the state that its path begins at.
 *
 *   native.setStubs({ prototypes, call })   prototypes by kind, from 1 on;
 *       call(state, path, arguments) is called for calls of them
 *   native.newStub(kind, state) → object
 *   native.stubState(value) → state, or undefined for what is no stub, service or
 *       promise
 *   native.stubKind(value) → kind, 0 for anything else
 *   native.stubPath(value) → [state, path]  of a property
 */
#ifndef STUB_H
#define STUB_H

enum { STUB_NONE, STUB_STUB, STUB_SERVICE, STUB_LOOPBACK, STUB_PROMISE, STUB_PROPERTY, STUB_KINDS };

#define STUB_PATH 64 /* names that a path may have */

typedef struct Stub {
    uint8_t kind;
    JSAtom name;  /* of a property */
    JSValue state; /* of others; a property's parent */
} Stub;

static JSClassID stub_class;    /* callable */
static JSClassID service_class; /* not callable */

static struct {
    JSValue prototypes[STUB_KINDS];
    JSValue call;
    JSAtom dup, fetch, connect;
} stubs;

static Stub *stub_of(JSValueConst v)
{
    if (JS_VALUE_GET_TAG(v) != JS_TAG_OBJECT)
        return NULL;
    JSObject *o = JS_VALUE_GET_OBJ(v);
    return o->class_id == stub_class || o->class_id == service_class ? o->u.opaque : NULL;
}

static void stub_finalizer(JSRuntime *rt, JSValueConst v)
{
    Stub *s = JS_VALUE_GET_OBJ(v)->u.opaque;
    if (!s)
        return;
    JS_FreeAtomRT(rt, s->name);
    JS_FreeValueRT(rt, s->state);
    js_free_rt(rt, s);
}

static void stub_mark(JSRuntime *rt, JSValueConst v, JS_MarkFunc *mark)
{
    Stub *s = JS_VALUE_GET_OBJ(v)->u.opaque;
    if (s)
        JS_MarkValue(rt, s->state, mark);
}

/* Makes an object; the state and the atom are the caller's. */
static JSValue stub_new(JSContext *ctx, int kind, JSValueConst state, JSAtom name)
{
    Stub *s = js_malloc(ctx, sizeof *s);
    if (!s)
        return JS_EXCEPTION;
    JSValue v = JS_NewObjectProtoClass(ctx, stubs.prototypes[kind], kind == STUB_SERVICE ? service_class : stub_class);
    if (JS_IsException(v)) {
        js_free(ctx, s);
        return v;
    }
    *s = (Stub){ (uint8_t)kind, JS_DupAtom(ctx, name), js_dup(state) };
    JS_VALUE_GET_OBJ(v)->u.opaque = s;
    return v;
}

/* ---- members ---- */

/* Whether a name is that of a member of the prototype. */
static bool stub_own_member(JSContext *ctx, const Stub *s, JSAtom name)
{
    if (name == JS_ATOM_constructor || (!__JS_AtomIsTaggedInt(name) && JS_AtomGetKind(ctx, name) != JS_ATOM_KIND_STRING))
        return true;
    if (s->kind >= STUB_PROMISE)
        return name == JS_ATOM_then || name == JS_ATOM_catch || name == JS_ATOM_finally;
    return name == stubs.dup || (s->kind != STUB_STUB && (name == stubs.fetch || name == stubs.connect));
}

static JSValue stub_get_property(JSContext *ctx, JSValueConst v, JSAtom name, JSValueConst receiver)
{
    Stub *s = stub_of(v);
    if (stub_own_member(ctx, s, name))
        return JS_GetPropertyInternal(ctx, stubs.prototypes[s->kind], name, receiver, false);
    /* A thenable would be awaited wherever a promise is resolved with the stub. */
    if (name == JS_ATOM_then)
        return JS_UNDEFINED;
    return stub_new(ctx, STUB_PROPERTY, v, name);
}

static int stub_has_property(JSContext *ctx, JSValueConst v, JSAtom name)
{
    Stub *s = stub_of(v);
    return stub_own_member(ctx, s, name) ? JS_HasProperty(ctx, stubs.prototypes[s->kind], name) : name != JS_ATOM_then;
}

static int stub_get_own_property(JSContext *ctx, JSPropertyDescriptor *d, JSValueConst v, JSAtom name)
{
    return false;
}

static int stub_own_names(JSContext *ctx, JSPropertyEnum **names, uint32_t *count, JSValueConst v)
{
    *names = NULL;
    *count = 0;
    return 0;
}

static int stub_set_property(JSContext *ctx, JSValueConst v, JSAtom name, JSValueConst value, JSValueConst receiver, int flags)
{
    return JS_ThrowTypeErrorOrFalse(ctx, flags, "members of what is called over RPC can't be set");
}

static int stub_define_property(JSContext *ctx, JSValueConst v, JSAtom name, JSValueConst value, JSValueConst getter, JSValueConst setter, int flags)
{
    return JS_ThrowTypeErrorOrFalse(ctx, flags, "members of what is called over RPC can't be defined");
}

static int stub_delete_property(JSContext *ctx, JSValueConst v, JSAtom name)
{
    return false;
}

/* ---- calls ---- */

/* Calls that are one operation; see call.h. */
static JSValue call_plain(JSContext *ctx, JSValueConst f, int argc, JSValueConst *argv);

/* The path to a property: its names as an array, and the state where it begins
 * in *state, which is not the caller's. A path that is too long has one name
 * more than it may. */
static JSValue stub_path(JSContext *ctx, JSValueConst v, JSValueConst *state)
{
    JSAtom names[STUB_PATH + 1];
    uint32_t n = 0;
    Stub *s = stub_of(v);
    for (; s->kind == STUB_PROPERTY; s = stub_of(s->state))
        if (n <= STUB_PATH)
            names[n++] = s->name;
    *state = s->state;
    JSValue path = js_allocate_fast_array(ctx, n);
    for (uint32_t i = 0; i < n && !JS_IsException(path); i++) {
        JSValue name = JS_AtomToString(ctx, names[n - 1 - i]);
        if (JS_IsException(name)) {
            JS_FreeValue(ctx, path);
            return name;
        }
        JS_VALUE_GET_OBJ(path)->u.array.u.values[i] = name;
    }
    return path;
}

static JSValue stub_call(JSContext *ctx, JSValueConst f, JSValueConst this_val, int argc, JSValueConst *argv, int flags)
{
    JSValueConst state;
    if (flags & JS_CALL_FLAG_CONSTRUCTOR)
        return JS_ThrowTypeError(ctx, "what is called over RPC is not a constructor");
    JSValue plain = call_plain(ctx, f, argc, argv);
    if (JS_VALUE_GET_TAG(plain) != JS_TAG_UNINITIALIZED)
        return plain;
    JSValue path = stub_path(ctx, f, &state);
    JSValue list = JS_IsException(path) ? path : js_create_array(ctx, argc, argv);
    JSValue answer = JS_EXCEPTION;
    if (!JS_IsException(list)) {
        JSValueConst args[3] = { state, path, list };
        answer = JS_Call(ctx, stubs.call, JS_UNDEFINED, 3, args);
        JS_FreeValue(ctx, list);
    }
    JS_FreeValue(ctx, path);
    return answer;
}

static const JSClassExoticMethods stub_exotic = {
    .get_own_property = stub_get_own_property,
    .get_own_property_names = stub_own_names,
    .delete_property = stub_delete_property,
    .define_own_property = stub_define_property,
    .has_property = stub_has_property,
    .get_property = stub_get_property,
    .set_property = stub_set_property,
};

/* ---- services ---- */

static JSValue stub_set_stubs(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue prototypes = JS_GetPropertyStr(ctx, argv[0], "prototypes");
    for (uint32_t i = 1; i < STUB_KINDS && !JS_IsException(prototypes); i++) {
        JS_FreeValue(ctx, stubs.prototypes[i]);
        stubs.prototypes[i] = JS_GetPropertyUint32(ctx, prototypes, i);
    }
    JS_FreeValue(ctx, prototypes);
    JS_FreeValue(ctx, stubs.call);
    stubs.call = JS_GetPropertyStr(ctx, argv[0], "call");
    return JS_IsException(stubs.call) ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue stub_make(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    int32_t kind;
    if (JS_ToInt32(ctx, &kind, argv[0]))
        return JS_EXCEPTION;
    if (kind < STUB_STUB || kind > STUB_PROMISE)
        return JS_ThrowRangeError(ctx, "no kind of stub");
    return stub_new(ctx, kind, argv[1], JS_ATOM_NULL);
}

static JSValue stub_state(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Stub *s = stub_of(argv[0]);
    return s && s->kind != STUB_PROPERTY ? js_dup(s->state) : JS_UNDEFINED;
}

static JSValue stub_kind(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Stub *s = stub_of(argv[0]);
    return js_int32(s ? s->kind : STUB_NONE);
}

static JSValue stub_state_and_path(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Stub *s = stub_of(argv[0]);
    if (!s || s->kind != STUB_PROPERTY)
        return JS_ThrowTypeError(ctx, "Illegal invocation");
    JSValueConst state;
    JSValue path = stub_path(ctx, argv[0], &state);
    if (JS_IsException(path))
        return path;
    JSValue pair[2] = { js_dup(state), path };
    return JS_NewArrayFrom(ctx, 2, pair);
}

static int stub_init(JSContext *ctx, JSValueConst native)
{
    static const JSClassDef classes[] = {
        { .class_name = "RpcStub", .finalizer = stub_finalizer, .gc_mark = stub_mark, .call = stub_call, .exotic = (JSClassExoticMethods *)&stub_exotic },
        { .class_name = "Fetcher", .finalizer = stub_finalizer, .gc_mark = stub_mark, .exotic = (JSClassExoticMethods *)&stub_exotic },
    };
    static const JSCFunctionListEntry services[] = {
        JS_CFUNC_DEF("setStubs", 1, stub_set_stubs),
        JS_CFUNC_DEF("newStub", 2, stub_make),
        JS_CFUNC_DEF("stubState", 1, stub_state),
        JS_CFUNC_DEF("stubKind", 1, stub_kind),
        JS_CFUNC_DEF("stubPath", 1, stub_state_and_path),
    };
    JSClassID *const ids[] = { &stub_class, &service_class };
    for (int i = 0; i < 2; i++) {
        JS_NewClassID(ctx->rt, ids[i]);
        if (!JS_IsRegisteredClass(ctx->rt, *ids[i]) && JS_NewClass(ctx->rt, *ids[i], &classes[i]))
            return -1;
    }
    for (int i = 0; i < STUB_KINDS; i++)
        stubs.prototypes[i] = JS_NULL;
    stubs.call = JS_UNDEFINED;
    stubs.dup = JS_NewAtom(ctx, "dup");
    stubs.fetch = JS_NewAtom(ctx, "fetch");
    stubs.connect = JS_NewAtom(ctx, "connect");
    return JS_SetPropertyFunctionList(ctx, native, services, countof(services));
}

#endif
