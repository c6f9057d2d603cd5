/*
 * The events serve and dispatch: a worker's main module is evaluated, and then
 * answers any number of events, several at once. What an event is and how it
 * ends is the bootstrap's to know (js/worker.js): it is called by
 *
 *   serve(namespace)                 once, when the main module is evaluated
 *   dispatch(event, kind, message)   for every event; message is a Uint8Array
 */
#ifndef SERVE_H
#define SERVE_H

/* Runs all there is to run after something was delivered. */
static int serve_turn(JSContext *ctx)
{
    do
        pump(ctx);
    while (report_rejection(ctx));
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

static int event_dispatch(JSContext *ctx, Reader *r)
{
    uint32_t event = reader_u32(r);
    uint8_t kind = reader_u8(r);
    uint32_t length;
    const uint8_t *message = reader_bytes(r, &length);
    if (r->failed)
        return STATUS_MALFORMED;
    guest.event = event;
    JSValue args[3] = {JS_NewUint32(ctx, event), JS_NewInt32(ctx, kind), JS_NewUint8ArrayCopy(ctx, message, length)};
    JSValue hook = js_dup(guest.hooks[ON_DISPATCH]);
    JSValue v = JS_IsException(args[2]) ? JS_EXCEPTION : JS_Call(ctx, hook, JS_UNDEFINED, 3, vc(args));
    JS_FreeValue(ctx, hook);
    JS_FreeValue(ctx, args[2]);
    if (JS_IsException(v))
        uncaught_exception(ctx);
    JS_FreeValue(ctx, v);
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

/* Tells the host of an error of an event: failEvent(event, origin, error). */
static JSValue native_fail_event(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    int32_t origin;
    if (JS_ToUint32(ctx, &event, argv[0]) || JS_ToInt32(ctx, &origin, argv[1]))
        return JS_EXCEPTION;
    uint32_t current = guest.event;
    guest.event = event;
    report_failure(ctx, origin, argv[2]);
    guest.event = current;
    return JS_UNDEFINED;
}

/* Drops what an event has under way: endOperations(event). */
static JSValue native_end_operations(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t event;
    if (JS_ToUint32(ctx, &event, argv[0]))
        return JS_EXCEPTION;
    for (int32_t i = 0; i < operations.size; i++) {
        Operation *o = &operations.table[i];
        if (!o->live || o->event != event)
            continue;
        JSValue resolve = o->resolve, reject = o->reject;
        operation_release(o);
        JS_FreeValue(ctx, resolve); /* which may be the last of anything: the table may have grown */
        JS_FreeValue(ctx, reject);
    }
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry serve_functions[] = {
    JS_CFUNC_DEF("failEvent", 3, native_fail_event),
    JS_CFUNC_DEF("endOperations", 1, native_end_operations),
    JS_CFUNC_DEF("enterEvent", 1, native_enter_event),
    JS_CFUNC_DEF("currentEvent", 0, native_current_event),
};

#endif
