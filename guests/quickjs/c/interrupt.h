/*
 * How the interpreter lets the host in. It polls at jumps backwards, at calls
 * and in the builtins that take long, and asks at every so many polls. Its
 * dispatch loop is not metered otherwise, so that what a program may do between
 * two polls counts: as much as its longest function has instructions.
 */
#ifndef INTERRUPT_H
#define INTERRUPT_H

/* Bytes that a life may allocate before cycles are collected: collecting
 * writes to every object's header, and so to every page of the image. */
#define GC_FIRST (24u << 20)

/* The same of a worker, which lives long: garbage costs it more than pages. */
#define GC_FIRST_SERVING (8u << 20)

/* Bytes between two collections where memory is short. */
#define GC_STEP (4u << 20)

static size_t gc_ceiling; /* of the threshold, so that garbage is not mistaken for need */

/* Instructions between two yields, at most: about 50 ms of the slowest. */
#define INTERRUPT_PERIOD 10000000u

static uint32_t longest_function = 1; /* in bytes: an instruction has one at least */

static int interrupt_polls(void)
{
    uint32_t polls = INTERRUPT_PERIOD / longest_function;
    return polls > JS_INTERRUPT_COUNTER_INIT ? JS_INTERRUPT_COUNTER_INIT : polls ? (int)polls : 1;
}

/* QuickJS asks whether to go on. The host decides, and does not come back if
 * not. */
static int interrupt_handler(JSRuntime *rt, void *opaque)
{
    /* After a collection QuickJS waits for half as much again, which may be
     * more than the life's limit allows. Collect earlier then, but not at
     * every allocation when nearly all that there is is in use. */
    if (rt->malloc_gc_threshold > gc_ceiling) {
        size_t soon = rt->malloc_state.malloc_size + GC_STEP;
        rt->malloc_gc_threshold = soon > gc_ceiling ? soon : gc_ceiling;
    }
    guest.context->interrupt_counter = interrupt_polls();
    env_yield();
    if (guest.stopped)
        guest.context->interrupt_counter = 1; /* a promise's executor was stopped, but not who made it */
    return memory_exhausted || guest.stopped || cell_interrupted(guest.context); /* can't be caught */
}

/* From now on code runs of which a function may be so long. */
static void expect_function(JSContext *ctx, size_t length)
{
    if (length <= longest_function)
        return;
    longest_function = length > UINT32_MAX ? UINT32_MAX : (uint32_t)length;
    if (ctx->interrupt_counter > interrupt_polls())
        ctx->interrupt_counter = interrupt_polls();
}

/* The same of compiled code, and of all functions in it. */
static void expect_code(JSContext *ctx, JSValueConst code)
{
    if (JS_VALUE_GET_TAG(code) == JS_TAG_MODULE)
        code = ((JSModuleDef *)JS_VALUE_GET_PTR(code))->func_obj;
    if (JS_VALUE_GET_TAG(code) != JS_TAG_FUNCTION_BYTECODE)
        return;
    JSFunctionBytecode *b = JS_VALUE_GET_PTR(code);
    expect_function(ctx, (size_t)b->byte_code_len);
    for (int i = 0; i < b->cpool_count; i++)
        expect_code(ctx, b->cpool[i]);
}

/* Takes the place of the evaluator: user code that makes code from strings
 * has to be allowed to. */
static JSValue (*evaluate)(JSContext *, JSValueConst, const char *, size_t, const char *, int, int, int);

static JSValue guarded_evaluate(JSContext *ctx, JSValueConst this_obj, const char *input, size_t length,
                                const char *filename, int line, int flags, int scope)
{
    int type = flags & JS_EVAL_TYPE_MASK;
    if (!guest.allow_eval && (type == JS_EVAL_TYPE_DIRECT || type == JS_EVAL_TYPE_INDIRECT)) {
        JSValue error = JS_MakeError2(ctx, JS_EVAL_ERROR, true,
                                      "Code generation from strings disallowed for this context");
        return JS_IsException(error) ? error : JS_Throw(ctx, error);
    }
    if (!guest.booted)
        return evaluate(ctx, this_obj, input, length, filename, line, flags, scope);
    if (!(flags & JS_EVAL_FLAG_COMPILE_ONLY))
        expect_function(ctx, length); /* it runs before there is anything to look at */
    JSValue v = evaluate(ctx, this_obj, input, length, filename, line, flags, scope);
    if (flags & JS_EVAL_FLAG_COMPILE_ONLY)
        expect_code(ctx, v);
    return v;
}

static void interrupt_init(JSContext *ctx)
{
    JS_SetInterruptHandler(ctx->rt, interrupt_handler, NULL);
    evaluate = ctx->eval_internal;
    ctx->eval_internal = guarded_evaluate;
}

#endif
