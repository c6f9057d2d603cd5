/*
 * The invoke event: the function that the event prepare found is called, in a
 * clone of the state that it left.
 */
#ifndef INVOKE_H
#define INVOKE_H

/* Adds what the message has to the environment. -1 with an exception pending. */
static int extend_env(JSContext *ctx, Reader *r)
{
    JSValue env = reader_record(r, ctx);
    if (JS_IsException(env))
        return -1;
    JSValue v = JS_Call(ctx, guest.hooks[ON_INVOKE], JS_UNDEFINED, 1, vc(&env));
    JS_FreeValue(ctx, env);
    JS_FreeValue(ctx, v);
    return JS_IsException(v) ? -1 : 0;
}

static int event_invoke(JSContext *ctx, Reader *r)
{
    uint32_t length;
    const char *input = (const char *)reader_bytes(r, &length);
    Reader env = *r;
    bool more = reader_u32(r) > 0;
    if (r->failed)
        return STATUS_MALFORMED;
    int failed = 0;
    run.phase = RUN_EVALUATING;
    if (length) {
        char *json = malloc((size_t)length + 1); /* QuickJS wants a NUL behind it */
        if (!json)
            return STATUS_NO_MEMORY;
        memcpy(json, input, length);
        json[length] = 0;
        run.input = JS_ParseJSON(ctx, json, length, "input");
        free(json);
        if (JS_IsException(run.input)) {
            run.input = JS_UNDEFINED;
            failed = -1;
        }
    }
    if (!failed && more && !JS_IsUndefined(guest.hooks[ON_INVOKE])) {
        failed = extend_env(ctx, &env);
        if (env.failed)
            return STATUS_MALFORMED;
    }
    if (failed)
        fail_event(ctx);
    else
        await_result(ctx, call_export(ctx, guest.prepared));
    return turn(ctx);
}

#endif
