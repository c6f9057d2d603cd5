/*
 * The events serve and dispatch: a worker's main module is evaluated, and then
 * answers any number of events, several at once. What an event is and how it
 * ends is the bootstrap's to know (js/worker.js): it is called by
 *
 *   serve(namespace)                 once, when the main module is evaluated
 *   fetch(event, request, entrypoint, props)   a fetch; entrypoint is undefined for
 *                                    the default one, props the bytes of a value,
 *                                    or undefined
 *   call(event, name, arguments)     a call of a method of the default entrypoint,
 *                                    without props, whose arguments are data
 *   dispatch(event, kind, message)   for every other event; message is a
 *                                    Uint8Array, or undefined if there is none
 *   idle()                           events are under way, and no operations
 *
 * It counts events by native.eventDone and native.endEvent.
 */
#ifndef SERVE_H
#define SERVE_H

/* Kinds of dispatched events that are told here by name. */
enum { DISPATCH_FETCH = 1, DISPATCH_CALL = 2, DISPATCH_TAIL = 4, DISPATCH_END = 7 };

/* Makes the Request of a dispatched fetch; see worker_http.h. */
static JSValue worker_request(JSContext *ctx, Reader *r);

static void end_event(JSContext *ctx, uint32_t event);

/* Reads a dispatched call; see call.h. */
static int call_read_plain(JSContext *ctx, const uint8_t *message, uint32_t length, JSValue parts[2]);

/* A turn begins. An interrupt that nobody has noticed was for the one before. */
static void serve_begin(void)
{
    if (door.interrupted)
        door.interrupted = 0;
    guest.stopped = false;
}

static void serve_call(JSContext *ctx, EventHook hook, int argc, JSValueConst *argv)
{
    JSValue f = js_dup(guest.hooks[hook]);
    JSValue v = JS_Call(ctx, f, JS_UNDEFINED, argc, argv);
    JS_FreeValue(ctx, f);
    if (JS_IsException(v))
        uncaught_exception(ctx);
    JS_FreeValue(ctx, v);
}

/* Runs jobs and reports rejections. */
static void serve_pump(JSContext *ctx)
{
    do
        pump(ctx);
    while (report_rejection(ctx));
}

/* Ends the event of the turn, which was interrupted: nothing of it goes on.
 * Jobs belong to the turn in which they were made, and so to the event. */
static void serve_stop(JSContext *ctx)
{
    static const char code[] = "ERR_INTERRUPTED", message[] = "the event was interrupted";
    uint8_t buffer[128];
    Writer w;
    drop_exception(ctx);
    cell_drop_jobs(ctx);
    while (rejections.count) {
        Rejection r = rejections.list[--rejections.count];
        JS_FreeValue(ctx, r.promise);
        JS_FreeValue(ctx, r.reason);
    }
    guest.ticks = 0;
    guest.stopped = false;
    writer_init(&w, buffer, sizeof buffer);
    writer_u32(&w, guest.event);
    writer_u8(&w, ORIGIN_EVENT);
    writer_cstring(&w, "Error");
    writer_cstring(&w, code);
    writer_cstring(&w, message);
    writer_cstring(&w, "");
    writer_u8(&w, 0);
    env_call(OP_EVENT_FAIL, w.bytes, w.length, NULL, 0);
    JSValueConst args[3] = {JS_NewUint32(ctx, guest.event), JS_NewInt32(ctx, DISPATCH_END), JS_UNDEFINED};
    serve_call(ctx, ON_DISPATCH, 3, args);
}

/* Runs all there is to run after something was delivered. */
static int serve_turn(JSContext *ctx)
{
    serve_pump(ctx);
    while (guest.stopped) {
        serve_stop(ctx);
        serve_pump(ctx);
    }
    if (memory_exhausted || guest.spent)
        return STATUS_NO_MEMORY;
    if (operations.counted)
        return STATUS_PENDING;
    if (guest.events) {
        serve_call(ctx, ON_IDLE, 0, NULL);
        serve_pump(ctx);
    }
    return operations.counted ? STATUS_PENDING : STATUS_DONE;
}

/* A collection writes to all of the image, which takes longer than to evaluate a
 * small worker: it is for those whose modules left more than this. */
#define SERVE_COLLECTS (2u << 20)

static size_t serve_begun; /* bytes of the heap before */

/* Ends the event serve: what is at rest becomes a state that others begin with. */
static int serve_end(JSContext *ctx, JSValue namespace)
{
    JSValue hook = js_dup(guest.hooks[ON_SERVE]);
    JSValue v = JS_Call(ctx, hook, JS_UNDEFINED, 1, vc(&namespace));
    JS_FreeValue(ctx, hook);
    JS_FreeValue(ctx, namespace);
    if (JS_IsException(v)) {
        fail_event(ctx);
        return STATUS_DONE;
    }
    JS_FreeValue(ctx, v);
    if (guest.runtime->malloc_state.malloc_size > serve_begun + SERVE_COLLECTS) {
        JS_RunGC(guest.runtime); /* which may have finalizers to call */
        do
            pump(ctx);
        while (report_rejection(ctx));
        if (run.phase == RUN_ENDED)
            return STATUS_DONE;
        JS_RunGC(guest.runtime);
    }
    run.phase = RUN_SERVING;
    guest.allow_eval = false;
    image_seal(guest.runtime);
    return STATUS_DONE;
}

/* Goes on with the evaluation of the main module. */
static int serve_advance(JSContext *ctx)
{
    JSValue promise = run.promise;
    do
        pump(ctx);
    while (JS_PromiseState(ctx, promise) != JS_PROMISE_REJECTED && report_rejection(ctx));
    if (run.phase == RUN_ENDED)
        return STATUS_DONE;
    JSValue namespace = JS_UNDEFINED;
    switch (JS_PromiseState(ctx, promise)) {
    case JS_PROMISE_FULFILLED:
        namespace = JS_PromiseResult(ctx, promise);
        break;
    case JS_PROMISE_REJECTED:
        JS_Throw(ctx, JS_PromiseResult(ctx, promise));
        break;
    default:
        if (operations.counted)
            return STATUS_PENDING; /* the host refuses them all */
        JS_ThrowPlainError(ctx, "Top-level await in module is not settled: what it waits for can only come in a handler.");
    }
    run.promise = JS_UNDEFINED;
    run.serve = false;
    JS_FreeValue(ctx, promise);
    if (JS_IsUndefined(namespace)) {
        fail_event(ctx);
        return STATUS_DONE;
    }
    return serve_end(ctx, namespace);
}

static int event_serve(JSContext *ctx, Reader *r)
{
    uint8_t flags = reader_u8(r);
    uint32_t name_length, cwd_length;
    const char *name_bytes = (const char *)reader_bytes(r, &name_length);
    const uint8_t *env = r->at;
    reader_skip_list(r, 2);
    uint32_t env_length = (uint32_t)(r->at - env);
    const uint8_t *cwd = reader_bytes(r, &cwd_length);
    if (r->failed)
        return STATUS_MALFORMED;
    guest.allow_eval = flags & RUN_ALLOW_EVAL;
    char *name = malloc((size_t)name_length + 1);
    /* What announce_run hands on: name, arguments (none), environment, directory. */
    run.told_length = 4 + name_length + 4 + env_length + 4 + cwd_length;
    run.told = malloc(run.told_length);
    if (!name || !run.told)
        return STATUS_NO_MEMORY;
    memcpy(name, name_bytes, name_length);
    name[name_length] = 0;
    uint8_t *to = run.told;
    memcpy(to, &name_length, 4);
    memcpy(to + 4, name, name_length);
    to += 4 + name_length;
    memset(to, 0, 4);
    memcpy(to + 4, env, env_length);
    to += 4 + env_length;
    memcpy(to, &cwd_length, 4);
    memcpy(to + 4, cwd, cwd_length);
    run.cwd_length = cwd_length;
    run.announced = false;
    run.phase = RUN_EVALUATING;
    run.module = true;
    serve_begun = guest.runtime->malloc_state.malloc_size;

    run.serve = true;
    run.promise = JS_LoadModule(ctx, name, name);
    free(name);
    if (JS_IsException(run.promise)) {
        run.promise = JS_UNDEFINED;
        fail_event(ctx);
        return STATUS_DONE;
    }
    JS_PromiseMarkAsHandled(ctx, run.promise);
    return serve_advance(ctx);
}

/* Delivers a fetch: the rest of its message is behind r. */
static void dispatch_fetch(JSContext *ctx, uint32_t event, const uint8_t *message, uint32_t length)
{
    Reader r;
    uint32_t n;
    reader_init(&r, message, length);
    const char *name = (const char *)reader_bytes(&r, &n);
    const uint8_t *props = r.at;
    uint32_t value, capabilities;
    reader_bytes(&r, &value);
    capabilities = reader_u32(&r);
    reader_raw(&r, (size_t)capabilities * 5);
    JSValue args[4] = {JS_NewUint32(ctx, event), JS_UNDEFINED, JS_UNDEFINED, JS_UNDEFINED};
    bool made = true;
    if (!r.failed && n && !(n == 7 && memcmp(name, "default", 7) == 0))
        args[2] = JS_NewStringLen(ctx, name, n);
    if (!r.failed && (value || capabilities))
        args[3] = JS_NewUint8ArrayCopy(ctx, props, (size_t)(r.at - props));
    args[1] = worker_request(ctx, &r);
    for (int i = 1; i < 4; i++)
        made = made && !JS_IsException(args[i]);
    if (made)
        serve_call(ctx, ON_FETCH, 4, vc(args));
    else
        uncaught_exception(ctx);
    for (int i = 1; i < 4; i++)
        JS_FreeValue(ctx, args[i]);
}

static int event_dispatch(JSContext *ctx, Reader *r)
{
    uint32_t event = reader_u32(r);
    uint8_t kind = reader_u8(r);
    uint32_t length;
    const uint8_t *message = reader_bytes(r, &length);
    if (r->failed)
        return STATUS_MALFORMED;
    serve_begin();
    guest.event = event;
    guest.events += kind <= DISPATCH_TAIL;
    if (kind == DISPATCH_FETCH) {
        dispatch_fetch(ctx, event, message, length);
        return serve_turn(ctx);
    }
    JSValue args[3] = {JS_NewUint32(ctx, event), JS_UNDEFINED, JS_UNDEFINED};
    if (kind == DISPATCH_CALL && call_read_plain(ctx, message, length, args + 1)) {
        serve_call(ctx, ON_CALL, 3, vc(args));
        JS_FreeValue(ctx, args[1]);
        JS_FreeValue(ctx, args[2]);
        return serve_turn(ctx);
    }
    args[1] = JS_NewInt32(ctx, kind);
    args[2] = JS_NewUint8ArrayCopy(ctx, message, length);
    if (JS_IsException(args[2]))
        uncaught_exception(ctx);
    else
        serve_call(ctx, ON_DISPATCH, 3, vc(args));
    JS_FreeValue(ctx, args[2]);
    return serve_turn(ctx);
}

/* The number of the event whose turn it is. */
static JSValue native_current_event(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_NewUint32(ctx, guest.event);
}

/* Has the turn be that of another event, which the one that was delivered is a
 * part of: enterEvent(event). */
static JSValue native_enter_event(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    if (JS_ToUint32(ctx, &event, argv[0]))
        return JS_EXCEPTION;
    guest.event = event;
    return JS_UNDEFINED;
}

/* Tells the host of an error of an event: failEvent(event, origin, error). The
 * origin may have ORIGIN_PASS_THROUGH. */
static JSValue native_fail_event(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event, turn = guest.event;
    int32_t origin;
    if (JS_ToUint32(ctx, &event, argv[0]) || JS_ToInt32(ctx, &origin, argv[1]))
        return JS_EXCEPTION;
    guest.event = event;
    report_failure(ctx, origin, argv[2]);
    guest.event = turn;
    return JS_UNDEFINED;
}

/* Drops what an event has under way. The host does so by itself. */
static void end_event(JSContext *ctx, uint32_t event)
{
    guest.events -= guest.events != 0;
    for (int32_t i = 0; i < operations.size && operations.live; i++) {
        Operation *o = &operations.table[i];
        if (!o->live || o->event != event)
            continue;
        JSValue resolve = o->resolve, reject = o->reject;
        operation_release(o);
        JS_FreeValue(ctx, resolve); /* which may be the last of anything: the table may have grown */
        JS_FreeValue(ctx, reject);
    }
}

/* eventDone(event) says that an event is over that is under way; endEvent(event)
 * ends one that the host has ended. */
enum { EVENT_SAY_DONE, EVENT_IS_ENDED };

static JSValue native_end_event(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic)
{
    uint32_t event;
    if (JS_ToUint32(ctx, &event, argv[0]))
        return JS_EXCEPTION;
    if (magic == EVENT_SAY_DONE)
        env_call(OP_EVENT_DONE, &event, sizeof event, NULL, 0);
    end_event(ctx, event);
    return JS_UNDEFINED;
}

/* Whether this is a worker, if only one that is being evaluated. */
static JSValue native_is_worker(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_NewBool(ctx, run.serve || is_serving());
}

static const JSCFunctionListEntry serve_functions[] = {
    JS_CFUNC_DEF("isWorker", 0, native_is_worker),
    JS_CFUNC_DEF("failEvent", 3, native_fail_event),
    JS_CFUNC_MAGIC_DEF("eventDone", 1, native_end_event, EVENT_SAY_DONE),
    JS_CFUNC_MAGIC_DEF("endEvent", 1, native_end_event, EVENT_IS_ENDED),
    JS_CFUNC_DEF("enterEvent", 1, native_enter_event),
    JS_CFUNC_DEF("currentEvent", 0, native_current_event),
};

#endif
