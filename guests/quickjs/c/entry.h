/*
 * The entry points by which the host delivers events and what they wait for.
 */
#ifndef ENTRY_H
#define ENTRY_H

/* Delivers an event. A message that is not the mailbox's is freed. */
HOST_EXPORT("event") int32_t guest_event(uint32_t kind, uint8_t *message, uint32_t length)
{
    JSContext *ctx = guest.context;
    if (run.phase != (kind == EVENT_DISPATCH ? RUN_SERVING : RUN_IDLE))
        return STATUS_MALFORMED;
    context_clear(ctx);
    bool prepared = !JS_IsUndefined(guest.prepared);
    Reader r;
    reader_init(&r, message, length);
    int32_t status = STATUS_MALFORMED;
    if (kind == EVENT_DISPATCH)
        status = event_dispatch(ctx, &r);
    else if (kind == EVENT_INVOKE && prepared)
        status = event_invoke(ctx, &r);
    else if (kind == EVENT_SERVE && !prepared)
        status = event_serve(ctx, &r);
    else if ((kind == EVENT_RUN || kind == EVENT_PREPARE || kind == EVENT_CELL) && !prepared)
        status = event_run(ctx, &r, kind);
    if (message != mailbox)
        free(message);
    return status;
}

/* Calls a timer's callback with the arguments in its array. */
static void timer_fire(JSContext *ctx, Operation *o)
{
    JSValue callback = js_dup(o->resolve), args = js_dup(o->reject);
    if (o->repeat) {
        /* Settled at the host, so the same id may be started again. */
        env_start(OP_SLEEP, operation_id(o), &o->interval, sizeof o->interval);
    } else {
        JSValue resolve = o->resolve, reject = o->reject;
        operation_release(o);
        JS_FreeValue(ctx, resolve);
        JS_FreeValue(ctx, reject);
    }
    JSValue result;
    JSValue *values;
    uint32_t n;
    if (JS_IsObject(args) && js_get_fast_array(ctx, args, &values, &n))
        result = JS_Call(ctx, callback, JS_UNDEFINED, (int)n, vc(values));
    else
        result = JS_Call(ctx, callback, JS_UNDEFINED, 0, NULL);
    if (JS_IsException(result))
        uncaught_exception(ctx);
    JS_FreeValue(ctx, result);
    JS_FreeValue(ctx, callback);
    JS_FreeValue(ctx, args);
}

/* See fetch.h and call.h. */
static JSValue fetch_answered(JSContext *ctx, const uint8_t *answer, uint32_t length);
static int call_answered(JSContext *ctx, JSValueConst state, const uint8_t *answer, uint32_t length, JSValueConst error);

/* Settles what an operation is for: with its answer, or with an error, which is
 * consumed, unless that is undefined. */
static void operation_settle(JSContext *ctx, OperationAnswer answer, JSValueConst resolve, JSValueConst reject, const uint8_t *message,
                             uint32_t length, JSValue error)
{
    bool rejected = !JS_IsUndefined(error);
    if (answer == ANSWER_CALL) {
        if (call_answered(ctx, resolve, message, length, error))
            uncaught_exception(ctx);
        JS_FreeValue(ctx, error);
        return;
    }
    JSValue v = rejected ? error : answer == ANSWER_RESPONSE ? fetch_answered(ctx, message, length) : JS_NewUint8ArrayCopy(ctx, message, length);
    if (JS_IsException(v)) {
        rejected = true;
        v = JS_GetException(ctx);
    }
    JSValue result = answer == ANSWER_RESPONSE ? (promise_settle(ctx, resolve, v, rejected) ? JS_EXCEPTION : JS_UNDEFINED)
                                               : JS_Call(ctx, rejected ? reject : resolve, JS_UNDEFINED, 1, vc(&v));
    if (JS_IsException(result))
        uncaught_exception(ctx);
    JS_FreeValue(ctx, result);
    JS_FreeValue(ctx, v);
}

/* Completes an operation. A message that is not the mailbox's is freed. An id
 * that is not under way is ignored; so the host enters to interrupt an event
 * that waits. */
HOST_EXPORT("settle") int32_t guest_settle(uint32_t id, uint32_t ok, uint8_t *message, uint32_t length)
{
    JSContext *ctx = guest.context;
    if (run.phase == RUN_IDLE)
        return STATUS_MALFORMED;
    context_clear(ctx);
    if (run.phase == RUN_SERVING)
        serve_begin();
    else
        cell_interrupted(ctx);
    Operation *o = run.phase == RUN_ENDED ? NULL : operation_find(id);
    if (o)
        guest.event = o->event;
    if (o && o->timer && ok) {
        timer_fire(ctx, o);
    } else if (o) {
        JSValue resolve = o->resolve, reject = o->reject;
        bool timer = o->timer;
        OperationAnswer answer = o->answer;
        operation_release(o);
        JSValue error = JS_UNDEFINED;
        if (!ok) {
            Reader r;
            reader_init(&r, message, length);
            /* Making an error may call the host, which writes to the mailbox. */
            uint8_t *copy = message == mailbox ? malloc(length + 1) : NULL;
            if (copy) {
                memcpy(copy, message, length);
                reader_init(&r, copy, length);
            }
            error = error_from_record(ctx, &r, 0);
            free(copy);
            if (JS_IsException(error))
                error = JS_GetException(ctx);
        }
        if (timer) {
            uncaught(ctx, ORIGIN_UNCAUGHT, error, JS_UNDEFINED);
            JS_FreeValue(ctx, error);
        } else {
            operation_settle(ctx, answer, resolve, reject, message, length, error);
        }
        JS_FreeValue(ctx, resolve);
        JS_FreeValue(ctx, reject);
    }
    if (message != mailbox)
        free(message);
    return run.phase == RUN_SERVING ? serve_turn(ctx) : run.serve ? serve_advance(ctx) : turn(ctx);
}

#endif
