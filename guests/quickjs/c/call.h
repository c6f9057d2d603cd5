/*
 * Calls of stubs of the host that are one operation: most of them. What a path
 * from a promise leads to, a loopback itself, an object of this isolate, and what
 * fails, is the bootstrap's (js/rpc-stub.js), which sees the same objects: the
 * link that a stub holds, and the state of a call's promise.
 *
 *   native.setCalls({ begin, end, fail, settle, dispose })
 *       begin(lent) → frame, end(frame), fail(frame)   around a message that has
 *           more than data in it
 *       settle(state, bytes)   ends a call whose result has, or which was disposed of
 *       dispose                the Symbol.dispose of a result with nothing in it
 *   native.settlePromise(promise, value, rejected)   of such a call
 *   native.thenOfCall          RpcPromise.prototype.then
 *   native.answerPlain(event, value, last)   the operation answer, and event_done
 */
#ifndef CALL_H
#define CALL_H

enum { CALL_PENDING = 0, CALL_RESOLVED = 1 }; /* states, as rpc-stub.js has them */

static struct {
    JSValue begin, end, fail, settle, dispose;
    JSAtom link, object, handle, event, kind, state, result, local, promise;
} calls;

/* ---- the call ---- */

/* The state of the promise of a call. */
static JSValue call_state(JSContext *ctx)
{
    JSValue state = JS_NewObjectProto(ctx, JS_NULL);
    if (JS_IsException(state))
        return state;
    JSValue promise = promise_make(ctx);
    if (JS_IsException(promise) ||
        JS_DefinePropertyValue(ctx, state, calls.kind, JS_NewInt32(ctx, STUB_PROMISE), JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, state, calls.state, JS_NewInt32(ctx, CALL_PENDING), JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, state, calls.result, JS_UNDEFINED, JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, state, calls.local, JS_FALSE, JS_PROP_C_W_E) < 0 ||
        JS_DefinePropertyValue(ctx, state, calls.promise, promise, JS_PROP_C_W_E) < 0) {
        JS_FreeValue(ctx, state);
        return JS_EXCEPTION;
    }
    return state;
}

/* The handle of the stub that a state holds; 0 if the call is the bootstrap's. */
static uint32_t call_handle(JSContext *ctx, JSValueConst state)
{
    uint32_t handle = 0;
    int32_t event = 0;
    JSValue link = JS_GetProperty(ctx, state, calls.link);
    if (JS_IsObject(link)) {
        JSValue object = JS_GetProperty(ctx, link, calls.object), of = JS_GetProperty(ctx, link, calls.event),
                number = JS_GetProperty(ctx, link, calls.handle);
        if (!JS_IsUndefined(object) || JS_ToInt32(ctx, &event, of) || JS_ToUint32(ctx, &handle, number) ||
            (event && (uint32_t)event != guest.event))
            handle = 0;
        JS_FreeValue(ctx, object);
        JS_FreeValue(ctx, of);
        JS_FreeValue(ctx, number);
    }
    JS_FreeValue(ctx, link);
    return handle;
}

/* Writes the path to a property, as a list of strings. */
static int call_write_path(JSContext *ctx, Writer *w, const Stub *s)
{
    JSAtom names[STUB_PATH];
    uint32_t n = 0;
    for (; s->kind == STUB_PROPERTY; s = stub_of(s->state))
        names[n++] = s->name;
    writer_u32(w, n);
    while (n-- > 0) {
        size_t length;
        const char *name = JS_AtomToCStringLen(ctx, &length, names[n]);
        if (!name)
            return -1;
        writer_bytes(w, name, length);
        JS_FreeCString(ctx, name);
    }
    return 0;
}

/* Whether the path to a property is longer than it may be; *root is where it
 * begins. */
static bool call_is_long(const Stub *s, const Stub **root)
{
    uint32_t n = 0;
    for (; s->kind == STUB_PROPERTY; s = stub_of(s->state))
        n++;
    *root = s;
    return n > STUB_PATH;
}

static JSValue call_ask(JSContext *ctx, JSValueConst f, JSValueConst argument)
{
    return JS_Call(ctx, f, JS_UNDEFINED, 1, &argument);
}

/* Calls what a stub stands for: the promise of the result. Uninitialized where
 * the call is the bootstrap's. */
static JSValue call_plain(JSContext *ctx, JSValueConst f, int argc, JSValueConst *argv)
{
    const Stub *s = stub_of(f), *root;
    if (call_is_long(s, &root) || root->kind == STUB_PROMISE || (root->kind == STUB_LOOPBACK && root == s))
        return JS_UNINITIALIZED;
    uint32_t handle = call_handle(ctx, root->state);
    if (!handle)
        return JS_UNINITIALIZED;
    JSValue list = js_create_array(ctx, argc, argv);
    if (JS_IsException(list))
        return list;
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u32(&w, handle);
    writer_u8(&w, 0); /* a call */
    MessageFrame frame = { .lent = true, .outer = JS_UNDEFINED };
    JSValue promise = JS_EXCEPTION, state = JS_EXCEPTION, failed = JS_UNDEFINED;
    if (call_write_path(ctx, &w, s) == 0) {
        if (write_framed(ctx, &w, list, &frame))
            failed = JS_GetException(ctx);
        state = call_state(ctx);
    }
    JS_FreeValue(ctx, list);
    if (JS_IsObject(state)) {
        promise = stub_new(ctx, STUB_PROMISE, state, JS_ATOM_NULL);
        if (!JS_IsException(promise) && JS_IsUndefined(failed) && !operation_begin(ctx, OP_STUB_CALL, state, ANSWER_CALL, &w))
            failed = JS_GetException(ctx);
    }
    writer_free(&w);
    if (frame.begun) {
        JSValue said = call_ask(ctx, JS_IsUndefined(failed) && JS_IsObject(promise) ? calls.end : calls.fail, frame.outer);
        if (JS_IsException(said)) {
            JS_FreeValue(ctx, promise);
            promise = JS_EXCEPTION;
        }
        JS_FreeValue(ctx, said);
        JS_FreeValue(ctx, frame.outer);
    }
    if (!JS_IsUndefined(failed)) {
        /* What can't be sent is the promise's to tell; an end of all is not. */
        if (JS_IsUncatchableError(failed)) {
            JS_FreeValue(ctx, promise);
            promise = JS_Throw(ctx, js_dup(failed));
        } else if (JS_IsObject(promise)) {
            JSValue inner = JS_GetProperty(ctx, state, calls.promise);
            fulfill_or_reject_promise(ctx, inner, failed, true);
            JS_FreeValue(ctx, inner);
        }
        JS_FreeValue(ctx, failed);
    }
    JS_FreeValue(ctx, state);
    return promise;
}

/* Ends a call: with the operation's answer, or with an error. -1 with an
 * exception pending. */
static int call_answered(JSContext *ctx, JSValueConst state, const uint8_t *answer, uint32_t length, JSValueConst error)
{
    JSValue promise = JS_GetProperty(ctx, state, calls.promise);
    if (!JS_IsUndefined(error)) {
        int result = promise_settle(ctx, promise, error, true);
        JS_FreeValue(ctx, promise);
        return result;
    }
    Reader in;
    uint32_t n;
    int32_t now = CALL_RESOLVED;
    reader_init(&in, answer, length);
    reader_bytes(&in, &n);
    bool data = reader_u32(&in) == 0 && !in.failed;
    JSValue before = JS_GetProperty(ctx, state, calls.state);
    JS_ToInt32(ctx, &now, before);
    if (!data || now != CALL_PENDING) {
        JS_FreeValue(ctx, promise);
        JSValue args[2] = { js_dup(state), JS_NewUint8ArrayCopy(ctx, answer, length) };
        JSValue said = JS_IsException(args[1]) ? JS_EXCEPTION : JS_Call(ctx, calls.settle, JS_UNDEFINED, 2, vc(args));
        JS_FreeValue(ctx, args[0]);
        JS_FreeValue(ctx, args[1]);
        JS_FreeValue(ctx, said);
        return JS_IsException(said) ? -1 : 0;
    }
    /* Decoding may call the host, which writes to the mailbox. */
    uint8_t small[256], *copy = length <= sizeof small ? small : js_malloc(ctx, length);
    JSValue value = JS_EXCEPTION;
    if (copy) {
        memcpy(copy, answer, length);
        reader_init(&in, copy, length);
        value = read_value(ctx, &in);
    }
    if (copy != small)
        js_free(ctx, copy);
    if (JS_IsObject(value) && JS_DefinePropertyValue(ctx, value, JS_ATOM_Symbol_dispose, js_dup(calls.dispose), JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0) {
        JS_FreeValue(ctx, value);
        value = JS_EXCEPTION;
    }
    bool rejected = JS_IsException(value);
    if (rejected)
        value = JS_GetException(ctx);
    int result = rejected ? 0 : JS_SetProperty(ctx, state, calls.result, js_dup(value));
    if (result >= 0 && !rejected)
        result = JS_SetProperty(ctx, state, calls.state, JS_NewInt32(ctx, CALL_RESOLVED));
    if (result >= 0)
        result = promise_settle(ctx, promise, value, rejected);
    JS_FreeValue(ctx, value);
    JS_FreeValue(ctx, promise);
    return result < 0 ? -1 : 0;
}

/* ---- the other end ---- */

/* Reads a dispatched call of a method of the default entrypoint, without props,
 * whose arguments are data: its name and its arguments. False if it is another,
 * or malformed: nothing of it was read then. */
static int call_read_plain(JSContext *ctx, const uint8_t *message, uint32_t length, JSValue parts[2])
{
    Reader r;
    uint32_t n;
    reader_init(&r, message, length);
    bool exported = reader_u8(&r) != 0;
    reader_bytes(&r, &n);
    bool plain = !exported && n == 0;
    reader_bytes(&r, &n); /* props */
    plain = plain && n == 0 && reader_u32(&r) == 0;
    reader_u32(&r); /* an export, which is none */
    plain = plain && reader_u8(&r) == 0 && reader_u32(&r) == 1;
    const char *name = (const char *)reader_bytes(&r, &length);
    Reader args = r;
    reader_bytes(&r, &n);
    if (!plain || r.failed || reader_u32(&r) != 0 || r.failed)
        return false;
    parts[0] = JS_NewStringLen(ctx, name, length);
    parts[1] = JS_IsException(parts[0]) ? JS_EXCEPTION : read_value(ctx, &args);
    if (JS_IsArray(parts[1]))
        return true;
    JS_FreeValue(ctx, parts[0]);
    JS_FreeValue(ctx, parts[1]);
    JS_FreeValue(ctx, JS_GetException(ctx)); /* it is the bootstrap that says what is wrong */
    parts[0] = parts[1] = JS_UNDEFINED;
    return false;
}

/* Answers a call: answerPlain(event, value, last). If it is last the event is over
 * by that, unless others get something of it; whether it is. */
static JSValue call_answer_plain(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    if (JS_ToUint32(ctx, &event, argv[0]))
        return JS_EXCEPTION;
    uint8_t buffer[1024];
    Writer w;
    Answer a;
    writer_init(&w, buffer, sizeof buffer);
    writer_u32(&w, event);
    MessageFrame frame = { .outer = JS_UNDEFINED };
    int result = write_framed(ctx, &w, argv[1], &frame);
    if (result == 0 && (result = call_or_throw(ctx, OP_ANSWER, w.bytes, w.length, &a)) == 0)
        answer_free(&a);
    writer_free(&w);
    if (frame.begun) {
        JSValue error = result ? JS_GetException(ctx) : JS_UNDEFINED;
        JSValue said = call_ask(ctx, result ? calls.fail : calls.end, frame.outer);
        JS_FreeValue(ctx, frame.outer);
        if (JS_IsException(said))
            result = -1;
        else if (result)
            JS_Throw(ctx, error);
        else
            JS_FreeValue(ctx, error);
        JS_FreeValue(ctx, said);
    }
    if (result)
        return JS_EXCEPTION;
    bool over = !frame.begun && JS_IsBool(argv[2]) && JS_VALUE_GET_BOOL(argv[2]);
    if (over) {
        env_call(OP_EVENT_DONE, &event, sizeof event, NULL, 0);
        end_event(ctx, event);
    }
    return JS_NewBool(ctx, over);
}

/* RpcPromise.prototype.then. */
static JSValue call_then(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Stub *s = stub_of(this_val);
    if (!s || s->kind != STUB_PROMISE)
        return JS_ThrowTypeError(ctx, "Illegal invocation: then of no RpcPromise");
    JSValue promise = JS_GetProperty(ctx, s->state, calls.promise);
    if (JS_IsException(promise))
        return promise;
    JSValueConst handlers[2] = { argc > 0 ? argv[0] : JS_UNDEFINED, argc > 1 ? argv[1] : JS_UNDEFINED };
    JSValue then = js_promise_then(ctx, promise, 2, handlers);
    JS_FreeValue(ctx, promise);
    return then;
}

static JSValue call_settle_promise(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return promise_settle(ctx, argv[0], argv[1], JS_ToBool(ctx, argv[2]) > 0) ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue call_set_hooks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    static const char *const names[] = { "begin", "end", "fail", "settle", "dispose" };
    JSValue *const hooks[] = { &calls.begin, &calls.end, &calls.fail, &calls.settle, &calls.dispose };
    for (size_t i = 0; i < countof(names); i++) {
        JS_FreeValue(ctx, *hooks[i]);
        *hooks[i] = JS_GetPropertyStr(ctx, argv[0], names[i]);
        if (JS_IsException(*hooks[i]))
            return JS_EXCEPTION;
    }
    values.begin_hook = calls.begin;
    return JS_UNDEFINED;
}

static int call_init(JSContext *ctx, JSValueConst native)
{
    static const struct {
        JSAtom *atom;
        const char *name;
    } names[] = {
        { &calls.link, "link" },   { &calls.object, "object" }, { &calls.handle, "handle" }, { &calls.event, "event" },
        { &calls.kind, "kind" },   { &calls.state, "state" },   { &calls.result, "result" }, { &calls.local, "local" },
        { &calls.promise, "promise" },
    };
    static const JSCFunctionListEntry services[] = {
        JS_CFUNC_DEF("setCalls", 1, call_set_hooks),
        JS_CFUNC_DEF("answerPlain", 3, call_answer_plain),
        JS_CFUNC_DEF("settlePromise", 3, call_settle_promise),
    };
    calls.begin = calls.end = calls.fail = calls.settle = calls.dispose = JS_UNDEFINED;
    for (size_t i = 0; i < countof(names); i++)
        if ((*names[i].atom = JS_NewAtom(ctx, names[i].name)) == JS_ATOM_NULL)
            return -1;
    if (JS_DefinePropertyValueStr(ctx, native, "thenOfCall", JS_NewCFunction(ctx, call_then, "then", 2), JS_PROP_C_W_E) < 0)
        return -1;
    return JS_SetPropertyFunctionList(ctx, native, services, countof(services));
}

#endif
