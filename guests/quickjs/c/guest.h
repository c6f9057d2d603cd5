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

/* Files of packages that are part of the image. */
#define PACKAGE_PREFIX "mayfly:npm/"

/* What the bootstrap wants to be called for; see native.h. */
typedef enum EventHook {
    ON_START, ON_INVOKE, ON_CELL, ON_INSPECT, ON_RESULT, ON_UNCAUGHT, ON_DOM_EXCEPTION, ON_BEFORE_EXIT, ON_EXIT,
    ON_COMMONJS, ON_TICK, ON_WASM_MODULE, ON_SERVE, ON_DISPATCH, ON_FETCH, ON_CALL, ON_IDLE,
    EVENT_HOOKS
} EventHook;

static struct Guest {
    JSRuntime *runtime;
    JSContext *context;
    bool booted;      /* the image is sealed: from now on user code runs */
    bool allow_eval;  /* flag 1 of the events run and prepare; true during boot */
    JSValue native;   /* the services object of the bootstrap */
    JSValue hooks[EVENT_HOOKS]; /* functions, or undefined */
    JSValue env;       /* the second argument of a default export */
    JSValue execution; /* the third */
    JSValue emitter;   /* what counts its listeners in _eventsCount: process, or undefined */
    uint32_t ticks;    /* calls of ON_TICK that are due */
    bool end_watched;  /* the hooks of the end are wanted, whatever that says */
    JSAtom atom_input, atom_events_count;
    uint32_t event;   /* of a worker: whose turn it is; 0 is nobody's */
    uint32_t events;  /* of a worker: how many are under way */
    bool stopped;     /* of a worker: nothing more of this turn's event runs */
    bool spent;       /* of a worker: memory is out, and with it the life */
    JSValue prepared; /* the function that the event prepare found, or undefined */
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

#endif
