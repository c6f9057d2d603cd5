/*
 * The event loop. The host enters with an event or with a settlement; JavaScript
 * runs until the job queue is dry; the host is told whether operations are
 * still under way. Between entries the wasm stack is empty.
 */
#ifndef EVENTS_H
#define EVENTS_H

/* What event() and settle() answer. */
enum { STATUS_DONE = 0, STATUS_PENDING = 1, STATUS_NO_MEMORY = 2, STATUS_MALFORMED = 3 };

/* Flags of the events run, prepare and cell. */
enum { RUN_ALLOW_EVAL = 1 };
enum { RUN_DETECT = 0, RUN_SCRIPT = 1, RUN_MODULE = 2 };

/* The event that runs. */
static struct Run {
    enum { RUN_IDLE, RUN_IMPORTING, RUN_EVALUATING, RUN_AWAITING, RUN_ANSWERED, RUN_SERVING, RUN_ENDED } phase;
    bool module;
    bool cell;            /* the event is cell: its state is kept, so that nothing may leak */
    bool failed;          /* the event ended before its end */
    bool announced;       /* the bootstrap knows what is in told, or there is nothing to know */
    bool serve;           /* the event is serve: its module is being evaluated */
    bool preparing;       /* the event is prepare: up to the function, no further */
    JSModuleDef *entry;   /* owned by the context's list of modules */
    JSValue promise;      /* of the evaluation, then of the result */
    JSValue input;
    uint8_t *told;        /* the rest of the message: str name, then args, env, cwd */
    uint32_t told_length;
    uint32_t cwd_length;  /* of the working directory at its end */
} run = {.announced = true};

static bool is_serving(void) { return run.phase == RUN_SERVING; }

static const char *working_directory(size_t *length)
{
    const char *cwd = (const char *)run.told + (run.told_length - run.cwd_length);
    *length = run.cwd_length;
    while (*length && cwd[*length - 1] == '/')
        --*length;
    return cwd;
}

/* Rejections that nobody has handled yet. A growing list, oldest first. */
typedef struct Rejection {
    JSValue promise;
    JSValue reason;
} Rejection;

static struct {
    Rejection *list;
    uint32_t count, capacity;
} rejections;

static void rejection_tracker(JSContext *ctx, JSValueConst promise, JSValueConst reason, bool handled, void *opaque)
{
    if (!handled) {
        if (rejections.count == rejections.capacity) {
            uint32_t capacity = rejections.capacity ? rejections.capacity * 2 : 8;
            Rejection *list = realloc(rejections.list, capacity * sizeof *list);
            if (!list)
                return; /* heap.refused is set: memory is what will be reported */
            rejections.list = list;
            rejections.capacity = capacity;
        }
        rejections.list[rejections.count++] = (Rejection){js_dup(promise), js_dup(reason)};
        return;
    }
    for (uint32_t i = rejections.count; i-- > 0;) {
        if (JS_VALUE_GET_PTR(rejections.list[i].promise) != JS_VALUE_GET_PTR(promise))
            continue;
        Rejection gone = rejections.list[i];
        rejections.count--;
        memmove(&rejections.list[i], &rejections.list[i + 1], (rejections.count - i) * sizeof gone);
        JS_FreeValue(ctx, gone.promise);
        JS_FreeValue(ctx, gone.reason);
        return;
    }
}

static void run_end(JSContext *ctx)
{
    if (run.phase == RUN_SERVING)
        return; /* other events go on */
    run.phase = RUN_ENDED;
    run.failed = true;
    JS_FreeValue(ctx, run.promise);
    run.promise = JS_UNDEFINED;
}

/* An error outside of the event's own evaluation: the bootstrap's hook may
 * take it (process.on, addEventListener), else it ends the event. */
static void uncaught(JSContext *ctx, int origin, JSValueConst thrown, JSValueConst promise)
{
    if (run.phase == RUN_ENDED || guest.stopped)
        return;
    JSValue hook = is_out_of_memory(ctx, thrown) ? JS_UNDEFINED : js_dup(guest.hooks[ON_UNCAUGHT]);
    if (!JS_IsUndefined(hook)) {
        JSValue args[3] = {js_dup(thrown), JS_NewInt32(ctx, origin), js_dup(promise)};
        JSValue taken = JS_Call(ctx, hook, JS_UNDEFINED, 3, vc(args));
        JS_FreeValue(ctx, args[0]);
        JS_FreeValue(ctx, args[2]);
        JS_FreeValue(ctx, hook);
        if (JS_IsException(taken)) {
            /* A handler that throws: its error is the one to report. */
            JSValue second = JS_GetException(ctx);
            report_failure(ctx, origin, second);
            JS_FreeValue(ctx, second);
            run_end(ctx);
            return;
        }
        bool handled = JS_ToBoolFree(ctx, taken) > 0;
        if (handled)
            return;
    }
    report_failure(ctx, origin, thrown);
    run_end(ctx);
}

static void uncaught_exception(JSContext *ctx)
{
    JSValue thrown = JS_GetException(ctx);
    uncaught(ctx, ORIGIN_UNCAUGHT, thrown, JS_UNDEFINED);
    JS_FreeValue(ctx, thrown);
}

/* Nothing more may run in this turn. */
static bool turn_is_over(void) { return run.phase == RUN_ENDED || guest.stopped; }

/* Runs what process.nextTick has put before the other jobs. */
static void pump_ticks(JSContext *ctx)
{
    while (guest.ticks && !turn_is_over()) {
        guest.ticks--;
        JSValue v = JS_Call(ctx, guest.hooks[ON_TICK], JS_UNDEFINED, 0, NULL);
        if (JS_IsException(v))
            uncaught_exception(ctx);
        JS_FreeValue(ctx, v);
        context_clear(ctx);
    }
}

/* Runs jobs until there are none. */
static void pump(JSContext *ctx)
{
    JSRuntime *rt = JS_GetRuntime(ctx);
    JSContext *job_context;
    int result;
    context_clear(ctx);
    do {
        pump_ticks(ctx);
        while (!turn_is_over() && (result = JS_ExecutePendingJob(rt, &job_context)) != 0) {
            if (result < 0)
                uncaught_exception(ctx);
            context_clear(ctx); /* a job that entered one without leaving it */
        }
    } while (guest.ticks && !turn_is_over());
}

/* Reports the oldest rejection that nobody has handled. False if there is
 * none. */
static bool report_rejection(JSContext *ctx)
{
    if (turn_is_over() || rejections.count == 0)
        return false;
    Rejection r = rejections.list[0];
    rejections.count--;
    memmove(&rejections.list[0], &rejections.list[1], rejections.count * sizeof r);
    uncaught(ctx, ORIGIN_REJECTION, r.reason, r.promise);
    JS_FreeValue(ctx, r.promise);
    JS_FreeValue(ctx, r.reason);
    return true;
}

#endif
