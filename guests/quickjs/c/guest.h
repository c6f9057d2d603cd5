/*
 * The state of the guest that is not the interpreter's: one runtime, one
 * context, one event. All of it lives in linear memory, so that putting the
 * image's pages back undoes a whole life.
 */
#ifndef GUEST_H
#define GUEST_H

/* Stack frames of files under these prefixes are ours, and not shown. */
#define INTERNAL_PREFIX "mayfly:"
#define BUILTIN_PREFIX "node:"

static struct Guest {
    JSRuntime *runtime;
    JSContext *context;
    bool booted;      /* the image is sealed: from now on user code runs */
    bool allow_eval;  /* flag 1 of the run event; true during boot */
    JSValue native;   /* the services object of the bootstrap */
    JSValue hooks;    /* what the bootstrap wants to be called for; an object */
} guest;

static bool has_prefix(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Our own files, by the name that a stack frame or module has. */
static bool is_internal_name(const char *name)
{
    return has_prefix(name, INTERNAL_PREFIX) || has_prefix(name, BUILTIN_PREFIX);
}

/* A function of the hooks object, or undefined. Never throws. */
static JSValue guest_hook(JSContext *ctx, const char *name)
{
    if (!JS_IsObject(guest.hooks))
        return JS_UNDEFINED;
    JSValue f = JS_GetPropertyStr(ctx, guest.hooks, name);
    if (JS_IsException(f)) {
        JS_FreeValue(ctx, JS_GetException(ctx));
        return JS_UNDEFINED;
    }
    if (!JS_IsFunction(ctx, f)) {
        JS_FreeValue(ctx, f);
        return JS_UNDEFINED;
    }
    return f;
}

#endif
