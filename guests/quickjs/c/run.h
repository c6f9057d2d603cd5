/*
 * The run event: a script or a module, evaluated, awaited, answered.
 */
#ifndef RUN_H
#define RUN_H

/* Ends the event with the pending exception. One that was stopped has said what
 * there is to say. */
static void fail_event(JSContext *ctx)
{
    if (run.phase == RUN_ENDED) {
        drop_exception(ctx);
        return;
    }
    JSValue thrown = JS_GetException(ctx);
    report_failure(ctx, ORIGIN_EVENT, thrown);
    JS_FreeValue(ctx, thrown);
    run_end(ctx);
}

/* Waits for a value as await does: promises and thenables. Consumes it. */
static JSValue await_value(JSContext *ctx, JSValue v)
{
    JSValue promise = js_promise_resolve(ctx, ctx->promise_ctor, 1, vc(&v), 0);
    JS_FreeValue(ctx, v);
    return promise;
}

static JSValue wait_until(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    /* Every operation keeps the event from ending anyway, and a rejection that
     * nobody handles is reported: nothing to keep. */
    JSValue promise = await_value(ctx, js_dup(argv[0]));
    if (JS_IsException(promise))
        return promise;
    JS_FreeValue(ctx, promise);
    return JS_UNDEFINED;
}

static JSValue no_operation(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry context_functions[] = {
    JS_CFUNC_DEF("waitUntil", 1, wait_until),
    JS_CFUNC_DEF("passThroughOnException", 0, no_operation),
};

/* Classes can't be called. QuickJS has no mark for them but their source,
 * which a method named "class" doesn't share: there, a parenthesis follows. */
static bool is_class(JSValueConst v)
{
    if (!JS_IsObject(v) || JS_VALUE_GET_OBJ(v)->class_id != JS_CLASS_BYTECODE_FUNCTION)
        return false;
    JSFunctionBytecode *b = JS_VALUE_GET_OBJ(v)->u.func.function_bytecode;
    return b->source && b->source_len > 5 && memcmp(b->source, "class", 5) == 0 && b->source[5] != '(';
}

/* The third argument of a default export. A life has one event, so that one
 * object, made at boot, does for all. */
static int execution_init(JSContext *ctx)
{
    guest.execution = JS_NewObject(ctx);
    if (JS_IsException(guest.execution))
        return -1;
    guest.atom_input = JS_NewAtom(ctx, "input");
    guest.atom_events_count = JS_NewAtom(ctx, "_eventsCount");
    if (JS_DefinePropertyValue(ctx, ctx->global_obj, guest.atom_input, JS_UNDEFINED,
                               JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0)
        return -1;
    return JS_SetPropertyFunctionList(ctx, guest.execution, context_functions, countof(context_functions));
}

/* Calls a program's function with input, environment and execution context. */
static JSValue call_export(JSContext *ctx, JSValueConst f)
{
    JSValueConst args[3] = {run.input, guest.env, guest.execution};
    return JS_Call(ctx, f, JS_UNDEFINED, 3, args);
}

/* The default export of the module, which is evaluated. */
static JSValue module_default(JSContext *ctx)
{
    JSValue namespace = JS_GetModuleNamespace(ctx, run.entry);
    if (JS_IsException(namespace))
        return namespace;
    JSValue v = JS_GetProperty(ctx, namespace, JS_ATOM_default);
    JS_FreeValue(ctx, namespace);
    return v;
}

static bool is_callable(JSContext *ctx, JSValueConst v) { return JS_IsFunction(ctx, v) && !is_class(v); }

/* What the evaluation came to: a module's default export, or the value of a
 * script, which fulfills with {value}. Consumes that. */
static JSValue evaluated(JSContext *ctx, JSValue v)
{
    JSValue value = run.module ? module_default(ctx) : JS_GetProperty(ctx, v, JS_ATOM_value);
    JS_FreeValue(ctx, v);
    return value;
}

/* Keeps the function of a program that is prepared. Consumes it. */
static void keep_prepared(JSContext *ctx, JSValue f)
{
    if (!JS_IsException(f) && !is_callable(ctx, f)) {
        JS_FreeValue(ctx, f);
        f = JS_ThrowTypeError(ctx, run.module ? "The module's default export is not a function"
                                              : "The script's value is not a function");
    }
    if (JS_IsException(f)) {
        fail_event(ctx);
        return;
    }
    run.phase = RUN_ANSWERED;
    run.promise = JS_UNDEFINED;
    guest.prepared = f;
}

/* Waits for what the program came to, as await does. Consumes it. What is no
 * promise is as good as fulfilled: run_advance takes it from run.promise. */
static void await_result(JSContext *ctx, JSValue result)
{
    run.phase = RUN_AWAITING;
    run.module = false;
    if (JS_IsObject(result)) {
        bool thenable = true;
        if (!JS_IsPromise(result)) {
            JSValue then = JS_GetProperty(ctx, result, JS_ATOM_then);
            thenable = JS_IsFunction(ctx, then);
            if (JS_IsException(then)) {
                JS_FreeValue(ctx, result);
                result = JS_EXCEPTION;
            }
            JS_FreeValue(ctx, then);
        }
        if (thenable && !JS_IsException(result))
            result = await_value(ctx, result);
    }
    if (JS_IsException(result)) {
        fail_event(ctx);
        return;
    }
    if (JS_IsPromise(result))
        JS_PromiseMarkAsHandled(ctx, result);
    run.promise = result;
}

/* Lets the bootstrap turn a result into what it stands for (a Response into
 * its parts); answers a promise. Consumes the value. */
static JSValue present_result(JSContext *ctx, JSValue v)
{
    JSValue hook = JS_IsObject(v) ? js_dup(guest.hooks[ON_RESULT]) : JS_UNDEFINED;
    if (JS_IsUndefined(hook))
        return v;
    JSValue presented = JS_Call(ctx, hook, JS_UNDEFINED, 1, vc(&v));
    JS_FreeValue(ctx, hook);
    JS_FreeValue(ctx, v);
    return presented;
}

/* The parts of the event cell; see cell.h. */
static void cell_imported(JSContext *ctx, JSValue namespace);
static JSValue cell_value(JSContext *ctx, JSValue value);
static void cell_end(JSContext *ctx);

/* Advances the event as far as the promises that it waits for are settled.
 * Answers whether anything happened. */
static bool run_advance(JSContext *ctx)
{
    if (run.phase != RUN_IMPORTING && run.phase != RUN_EVALUATING && run.phase != RUN_AWAITING)
        return false;
    /* Unless the event is a cell, the promise is never freed, nor what it has:
     * the life ends soon, and what is not touched is not a page to put back. */
    JSValue v = run.promise;
    if (JS_IsPromise(v)) {
        JSPromiseStateEnum state = JS_PromiseState(ctx, v);
        if (state == JS_PROMISE_PENDING)
            return false;
        v = JS_PromiseResult(ctx, v);
        if (state == JS_PROMISE_REJECTED) {
            JS_Throw(ctx, v);
            fail_event(ctx);
            return true;
        }
        if (run.cell)
            JS_FreeValue(ctx, run.promise);
    }
    run.promise = JS_UNDEFINED;
    if (run.phase == RUN_IMPORTING) {
        cell_imported(ctx, v);
        return true;
    }
    if (run.phase == RUN_EVALUATING) {
        JSValue result = evaluated(ctx, v);
        if (run.cell)
            result = cell_value(ctx, result);
        if (run.preparing) {
            keep_prepared(ctx, result);
            return true;
        }
        if (run.module && is_callable(ctx, result)) {
            JSValue f = result;
            result = call_export(ctx, f);
            JS_FreeValue(ctx, f);
        }
        await_result(ctx, result);
        return true;
    }
    if (JS_IsObject(v)) {
        JSValue presented = present_result(ctx, js_dup(v));
        if (JS_IsException(presented)) {
            JS_FreeValue(ctx, v);
            fail_event(ctx);
            return true;
        }
        if (JS_IsPromise(presented)) {
            JS_PromiseMarkAsHandled(ctx, presented);
            run.promise = presented;
            if (run.cell)
                JS_FreeValue(ctx, v);
            return true;
        }
        if (run.cell)
            JS_FreeValue(ctx, v);
        v = presented;
    }
    run.phase = RUN_ANSWERED;
    answer_value(ctx, v);
    if (run.cell)
        JS_FreeValue(ctx, v);
    return true;
}

/* Calls a hook that takes nothing. True if it was there. */
static bool call_hook(JSContext *ctx, EventHook hook)
{
    if (JS_IsUndefined(guest.hooks[hook]))
        return false;
    JSValue v = JS_Call(ctx, guest.hooks[hook], JS_UNDEFINED, 0, NULL);
    if (JS_IsException(v))
        uncaught_exception(ctx);
    JS_FreeValue(ctx, v);
    return true;
}

/* Whether the program wants to hear of its end, or has set an exit code. */
static bool end_is_watched(void)
{
    if (guest.end_watched || !JS_IsObject(guest.emitter))
        return true;
    JSProperty *property;
    JSShapeProperty *shape = find_own_property(&property, JS_VALUE_GET_OBJ(guest.emitter), guest.atom_events_count);
    return !shape || (shape->flags & JS_PROP_TMASK) != JS_PROP_NORMAL ||
           JS_VALUE_GET_TAG(property->u.value) != JS_TAG_INT || JS_VALUE_GET_INT(property->u.value) != 0;
}

/* Ends the event prepare: what is at rest becomes an image. */
static int prepare_end(JSContext *ctx)
{
    JS_RunGC(guest.runtime); /* which may have finalizers to call */
    do
        pump(ctx);
    while (report_rejection(ctx));
    if (run.phase != RUN_ENDED && operations.live) {
        JS_ThrowPlainError(ctx, "The program has %u operations pending after its evaluation (timers, fetches, bodies); "
                                "start them in the function that it exports", operations.live);
        fail_event(ctx);
    }
    if (run.phase == RUN_ENDED) {
        JS_FreeValue(ctx, guest.prepared);
        guest.prepared = JS_UNDEFINED;
        return STATUS_DONE;
    }
    JS_RunGC(guest.runtime);
    run.phase = RUN_IDLE;
    run.preparing = false;
    image_seal(guest.runtime);
    return STATUS_DONE;
}

/* Runs all there is to run after something was delivered. */
static int run_turn(JSContext *ctx)
{
    /* The event's own promise comes first: that it rejected is not also a
     * rejection that nobody handled. */
    do
        pump(ctx);
    while (run_advance(ctx) || report_rejection(ctx));
    if (run.phase == RUN_ENDED)
        return STATUS_DONE;
    if (run.preparing && run.phase == RUN_ANSWERED)
        return prepare_end(ctx);
    if (operations.counted)
        return STATUS_PENDING;
    /* Nothing is under way any more. */
    if (run.phase == RUN_IMPORTING || run.phase == RUN_EVALUATING || run.phase == RUN_AWAITING) {
        JS_ThrowPlainError(ctx, run.cell ? "The cell awaits a promise that never settles"
                                : run.phase == RUN_EVALUATING && !run.module
                                    ? "The script awaits a promise that never settles"
                                    : "The module awaits a promise that never settles");
        fail_event(ctx);
        return STATUS_DONE;
    }
    if (run.cell) {
        run.phase = RUN_ENDED;
        return STATUS_DONE;
    }
    bool watched = end_is_watched();
    if (watched && call_hook(ctx, ON_BEFORE_EXIT)) {
        do
            pump(ctx);
        while (report_rejection(ctx));
        if (run.phase != RUN_ENDED && operations.counted)
            return STATUS_PENDING;
    }
    if (run.phase != RUN_ENDED && (watched || end_is_watched()))
        call_hook(ctx, ON_EXIT);
    run.phase = RUN_ENDED;
    return STATUS_DONE;
}

/* The same, and what is to be done at a cell's end. */
static int turn(JSContext *ctx)
{
    int status = run_turn(ctx);
    if (status == STATUS_DONE && run.cell)
        cell_end(ctx);
    return status;
}

/* Whether the source has import or export as a word: only then can it be a
 * module. */
static bool mentions_module_syntax(const char *s, size_t n)
{
    for (size_t i = 0; i + 6 <= n; i++) {
        if ((s[i] != 'i' || memcmp(s + i, "import", 6)) && (s[i] != 'e' || memcmp(s + i, "export", 6)))
            continue;
        bool starts = i == 0 || !lre_is_id_continue_byte((uint8_t)s[i - 1]);
        bool ends = i + 6 == n || !lre_is_id_continue_byte((uint8_t)s[i + 6]);
        if (starts && ends)
            return true;
    }
    return false;
}

/* Compiles a script: a function object, or an exception. One that never says
 * await need not be async. */
static JSValue compile_script(JSContext *ctx, const char *name, const char *source, size_t length, bool *async)
{
    *async = memmem(source, length, "await", 5) != NULL;
    return JS_Eval(ctx, source, length, name,
                   JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY | (*async ? JS_EVAL_FLAG_ASYNC : 0));
}

/* Starts the program: leaves the promise of its evaluation in run. */
static void run_start(JSContext *ctx, uint8_t kind, const char *name, const char *source, size_t length)
{
    JSValue code = JS_UNDEFINED;
    bool async = true;
    if (kind != RUN_MODULE) {
        code = compile_script(ctx, name, source, length, &async);
        if (JS_IsException(code) && kind == RUN_DETECT && mentions_module_syntax(source, length)) {
            /* Only a module may say import or export at its top level. Where
             * neither form compiles, the module's error is the one that helps:
             * the script's would name the first import. */
            drop_exception(ctx);
            kind = RUN_MODULE;
        }
    }
    run.module = kind == RUN_MODULE;
    run.phase = RUN_EVALUATING;
    if (run.module) {
        JSModuleDef *m = module_compile(ctx, name, source, length, true);
        code = m ? JS_MKPTR(JS_TAG_MODULE, m) : JS_EXCEPTION;
        if (m) {
            js_dup(code);
            run.entry = m;
        }
    } else if (!JS_IsException(code) && !JS_IsUndefined(run.input)) {
        /* The property is there from boot on, undefined. */
        if (JS_SetProperty(ctx, ctx->global_obj, guest.atom_input, js_dup(run.input)) < 0) {
            JS_FreeValue(ctx, code);
            code = JS_EXCEPTION;
        }
    }
    if (!JS_IsException(code) && !run.module)
        js_dup(code); /* never freed, like the promise */
    JSValue promise = JS_IsException(code) ? code : JS_EvalFunction(ctx, code);
    if (JS_IsException(promise)) {
        fail_event(ctx);
        return;
    }
    if (!run.module && !async) {
        if (run.preparing)
            keep_prepared(ctx, promise);
        else
            await_result(ctx, promise);
        return;
    }
    /* Its rejection is the event's own failure, not an unhandled one. */
    JS_PromiseMarkAsHandled(ctx, promise);
    run.promise = promise;
}

/* An array of strings. */
static JSValue reader_strings(Reader *r, JSContext *ctx)
{
    JSValue array = JS_NewArray(ctx);
    uint32_t n = reader_u32(r);
    for (uint32_t i = 0; i < n && !r->failed && !JS_IsException(array); i++) {
        if (JS_DefinePropertyValueUint32(ctx, array, i, reader_string(r, ctx), JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, array);
            array = JS_EXCEPTION;
        }
    }
    return array;
}

/* An object of strings. */
static JSValue reader_record(Reader *r, JSContext *ctx)
{
    JSValue object = JS_NewObject(ctx);
    uint32_t n = reader_u32(r);
    for (uint32_t i = 0; i < n && !r->failed && !JS_IsException(object); i++) {
        uint32_t length;
        const char *name = (const char *)reader_bytes(r, &length);
        JSAtom atom = JS_NewAtomLen(ctx, name, length);
        JSValue value = reader_string(r, ctx);
        int failed = atom == JS_ATOM_NULL || JS_DefinePropertyValue(ctx, object, atom, value, JS_PROP_C_W_E) < 0;
        JS_FreeAtom(ctx, atom);
        if (failed) {
            JS_FreeValue(ctx, object);
            object = JS_EXCEPTION;
        }
    }
    return object;
}

/* Hands the bootstrap what the program was told: hook start({name, args, env,
 * cwd}). Most programs never ask, so this waits until one does. -1 with an
 * exception pending. */
static int announce_run(JSContext *ctx)
{
    if (run.announced)
        return 0;
    run.announced = true;
    if (JS_IsUndefined(guest.hooks[ON_START]))
        return 0;
    static const char *const names[] = {"name", "args", "env", "cwd"};
    Reader r;
    reader_init(&r, run.told, run.told_length);
    JSValue info = JS_NewObject(ctx);
    int failed = JS_IsException(info);
    for (int i = 0; i < (int)countof(names) && !failed; i++) {
        JSValue v = i == 1 ? reader_strings(&r, ctx) : i == 2 ? reader_record(&r, ctx) : reader_string(&r, ctx);
        failed = JS_IsException(v) || JS_DefinePropertyValueStr(ctx, info, names[i], v, JS_PROP_C_W_E) < 0;
    }
    if (!failed) {
        JSValue v = JS_Call(ctx, guest.hooks[ON_START], JS_UNDEFINED, 1, vc(&info));
        failed = JS_IsException(v);
        JS_FreeValue(ctx, v);
    }
    JS_FreeValue(ctx, info);
    return failed ? -1 : 0;
}

/* Passes over a list of as many byte ranges an item. */
static void reader_skip_list(Reader *r, int ranges)
{
    uint32_t n = reader_u32(r), length;
    for (uint32_t i = 0; i < n && !r->failed; i++)
        for (int k = 0; k < ranges; k++)
            reader_bytes(r, &length);
}

static void cell_start(JSContext *ctx, const char *name, const char *source, size_t length);

/* The events run, prepare and cell. */
static int event_run(JSContext *ctx, Reader *r, uint32_t event)
{
    bool prepare = event == EVENT_PREPARE;
    uint8_t *message = (uint8_t *)r->at;
    uint8_t flags = reader_u8(r);
    uint8_t kind = reader_u8(r);
    uint32_t name_length, length, input_length;
    const char *name_bytes = (const char *)reader_bytes(r, &name_length);
    const char *source_bytes = (const char *)reader_bytes(r, &length);
    const char *input = (const char *)reader_bytes(r, &input_length);
    if (r->failed || kind > RUN_MODULE)
        return STATUS_MALFORMED;
    guest.allow_eval = flags & RUN_ALLOW_EVAL;

    /* QuickJS wants a NUL behind a source; and the message may be in the
     * mailbox, which the first operation overwrites. */
    char *name = malloc((size_t)name_length + 3);
    char *source = malloc((size_t)length + 1);
    char *json = malloc((size_t)input_length + 1);
    if (!name || !source || !json)
        return STATUS_NO_MEMORY; /* the life ends here: nothing to free */
    memcpy(name, name_bytes, name_length);
    name[name_length] = 0;
    if (is_internal_name(name)) { /* a file may be called so; it is not one of ours */
        memmove(name + 2, name, (size_t)name_length + 1);
        memcpy(name, "./", 2);
        name_length += 2;
    }
    memcpy(source, source_bytes, length);
    source[length] = 0;
    memcpy(json, input, input_length);
    json[input_length] = 0;
    const uint8_t *rest = r->at;
    reader_skip_list(r, 1);
    reader_skip_list(r, 2);
    uint32_t cwd_length;
    reader_bytes(r, &cwd_length);
    if (r->failed)
        return STATUS_MALFORMED;
    uint32_t rest_length = (uint32_t)(r->at - rest);
    run.told_length = 4 + name_length + rest_length;
    run.told = malloc(run.told_length);
    if (!run.told)
        return STATUS_NO_MEMORY;
    memcpy(run.told, &name_length, 4);
    memcpy(run.told + 4, name, name_length);
    memcpy(run.told + 4 + name_length, rest, rest_length);
    run.cwd_length = cwd_length;
    run.announced = false;

    run.preparing = prepare;
    if (event == EVENT_CELL) {
        /* What is not asked for stays out of the state that is kept. */
        memset(message, 0, (size_t)(r->end - message));
        run.cell = true;
    }
    run.input = input_length && !prepare ? JS_ParseJSON(ctx, json, input_length, "input") : JS_UNDEFINED;
    free(json);
    if (JS_IsException(run.input)) {
        run.input = JS_UNDEFINED;
        fail_event(ctx);
    } else if (event == EVENT_CELL) {
        cell_start(ctx, name, source, length);
    } else {
        run_start(ctx, kind, name, source, length);
    }
    free(name);
    free(source);
    return turn(ctx);
}

#endif
