/*
 * The asynchronous context: one value that is current, follows a program
 * through promises, await, microtasks and operations of the host, and is
 * undefined unless somebody sets it (AsyncLocalStorage does). Callbacks that
 * are kept for later while it is set are bound to it; while it is not, nothing
 * is done: whatever runs by itself runs without a context.
 */
#ifndef CONTEXT_H
#define CONTEXT_H

static JSValue async_context = JS_UNDEFINED;

static bool context_is_set(void) { return !JS_IsUndefined(async_context); }

/* Replaces the current context. Consumes the value. */
static void context_set(JSContext *ctx, JSValue value)
{
    JSValue before = async_context;
    async_context = value;
    JS_FreeValue(ctx, before);
}

/* What the host enters with has no context. */
static void context_clear(JSContext *ctx)
{
    if (context_is_set())
        context_set(ctx, JS_UNDEFINED);
}

static JSValue call_in_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int magic,
                               JSValueConst *data)
{
    JSValue before = async_context;
    async_context = js_dup(data[0]);
    JSValue result = JS_Call(ctx, data[1], this_val, argc, argv);
    context_set(ctx, before);
    return result;
}

/* A function that calls another in the current context. */
static JSValue context_bind(JSContext *ctx, JSValueConst f)
{
    JSValueConst data[2] = {async_context, f};
    return JS_NewCFunctionData(ctx, call_in_context, 0, 0, 2, data);
}

/* The same of what a callback may be: bound if it is a function and there is a
 * context. Consumes the value; an exception if there is no memory. */
static JSValue context_bind_callback(JSContext *ctx, JSValue f)
{
    if (!context_is_set() || !JS_IsFunction(ctx, f))
        return f;
    JSValue bound = context_bind(ctx, f);
    JS_FreeValue(ctx, f);
    return bound;
}

static int captured_then(JSContext *ctx, JSValueConst promise, JSValueConst *handlers, JSValueConst *resolving)
{
    if (!context_is_set())
        return interpreter_then(ctx, promise, handlers, resolving);
    JSValue bound[2] = {context_bind_callback(ctx, js_dup(handlers[0])), JS_UNDEFINED};
    if (!JS_IsException(bound[0]))
        bound[1] = context_bind_callback(ctx, js_dup(handlers[1]));
    int result = JS_IsException(bound[0]) || JS_IsException(bound[1])
                     ? -1 : interpreter_then(ctx, promise, vc(bound), resolving);
    JS_FreeValue(ctx, bound[0]);
    JS_FreeValue(ctx, bound[1]);
    return result;
}

static int captured_job(JSContext *ctx, JSJobFunc *job, int argc, JSValueConst *argv)
{
    /* Reactions have the context of then, which they were given there. */
    int callback = job == js_microtask_job ? 0 : job == js_promise_resolve_thenable_job ? 2 : -1;
    if (!context_is_set() || callback < 0 || argc > 3)
        return interpreter_job(ctx, job, argc, argv);
    JSValueConst bound[3];
    for (int i = 0; i < argc; i++)
        bound[i] = argv[i];
    JSValue f = context_bind(ctx, argv[callback]);
    if (JS_IsException(f))
        return -1;
    bound[callback] = f;
    int result = interpreter_job(ctx, job, argc, bound);
    JS_FreeValue(ctx, f);
    return result;
}

#endif
