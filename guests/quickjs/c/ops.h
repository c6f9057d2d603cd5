/*
 * Operations on the host, as JavaScript sees them: errors made from error
 * records, and the table of asynchronous operations under way.
 */
#ifndef OPS_H
#define OPS_H

#define ERROR_DEPTH 8 /* causes of causes that are kept */

/* Makes an Error from an error record. The name selects a constructor that
 * exists; other names become a property. */
static JSValue error_from_record(JSContext *ctx, Reader *r, int depth)
{
    static const char *const native_names[] = {
        [JS_EVAL_ERROR] = "EvalError",           [JS_RANGE_ERROR] = "RangeError",
        [JS_REFERENCE_ERROR] = "ReferenceError", [JS_SYNTAX_ERROR] = "SyntaxError",
        [JS_TYPE_ERROR] = "TypeError",           [JS_URI_ERROR] = "URIError",
        [JS_INTERNAL_ERROR] = "InternalError",
    };
    uint32_t name_length, code_length, message_length, stack_length;
    const char *name = (const char *)reader_bytes(r, &name_length);
    const char *code = (const char *)reader_bytes(r, &code_length);
    const char *message = (const char *)reader_bytes(r, &message_length);
    reader_bytes(r, &stack_length); /* a host's error has no stack of interest */
    bool has_cause = reader_u8(r) != 0;

    int kind = JS_PLAIN_ERROR;
    for (int i = 0; i < (int)countof(native_names); i++)
        if (native_names[i] && strlen(native_names[i]) == name_length &&
            memcmp(native_names[i], name, name_length) == 0)
            kind = i;
    JSValue error;
    bool named = kind != JS_PLAIN_ERROR || name_length == 0 ||
                 (name_length == 5 && memcmp(name, "Error", 5) == 0);
    JSValue dom = JS_UNDEFINED;
    if (!named && guest.booted) {
        /* AbortError, TimeoutError, DataCloneError …: the web's names. */
        JSValue make = js_dup(guest.hooks[ON_DOM_EXCEPTION]);
        if (!JS_IsUndefined(make)) {
            JSValue args[2] = {JS_NewStringLen(ctx, message, message_length),
                               JS_NewStringLen(ctx, name, name_length)};
            dom = JS_Call(ctx, make, JS_UNDEFINED, 2, vc(args));
            JS_FreeValue(ctx, args[0]);
            JS_FreeValue(ctx, args[1]);
            JS_FreeValue(ctx, make);
            if (JS_IsException(dom))
                return JS_EXCEPTION;
        }
    }
    if (JS_IsObject(dom)) {
        error = dom;
    } else {
        JS_FreeValue(ctx, dom);
        error = kind == JS_PLAIN_ERROR
                    ? JS_NewObjectClass(ctx, JS_CLASS_ERROR)
                    : JS_NewObjectProtoClass(ctx, ctx->native_error_proto[kind], JS_CLASS_ERROR);
        if (JS_IsException(error))
            return error;
        const int flags = JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE;
        if (JS_DefinePropertyValueStr(ctx, error, "message",
                                      JS_NewStringLen(ctx, message, message_length), flags) < 0)
            goto fail;
        if (!named && JS_DefinePropertyValueStr(
                          ctx, error, "name", JS_NewStringLen(ctx, name, name_length), flags) < 0)
            goto fail;
        build_backtrace(ctx, error, JS_UNDEFINED, NULL, 0, 0, 0);
    }
    if (code_length && JS_DefinePropertyValueStr(ctx, error, "code",
                                                 JS_NewStringLen(ctx, code, code_length),
                                                 JS_PROP_C_W_E) < 0)
        goto fail;
    if (has_cause && depth < ERROR_DEPTH) {
        JSValue cause = error_from_record(ctx, r, depth + 1);
        if (JS_IsException(cause) ||
            JS_DefinePropertyValueStr(ctx, error, "cause", cause,
                                      JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE) < 0)
            goto fail;
    }
    return error;
fail:
    JS_FreeValue(ctx, error);
    return JS_EXCEPTION;
}

/* Throws what an answer that is not ok says, and frees the answer. */
static JSValue throw_answer(JSContext *ctx, Answer *a)
{
    if (!a->bytes || !answer_keep(a)) /* making the error may call the host */
        return JS_ThrowOutOfMemory(ctx);
    Reader r;
    reader_init(&r, a->bytes, a->length);
    JSValue error = error_from_record(ctx, &r, 0);
    answer_free(a);
    return JS_IsException(error) ? error : JS_Throw(ctx, error);
}

/* Performs a synchronous operation. 0, or -1 with its error thrown. The answer
 * is to be freed, and used or kept before the next operation. */
static int call_or_throw(JSContext *ctx, uint32_t op, const void *in, uint32_t length, Answer *a)
{
    *a = host_call(op, in, length);
    if (a->ok)
        return 0;
    throw_answer(ctx, a);
    return -1;
}

/* What settles with the answer to an operation. */
typedef enum OperationAnswer {
    ANSWER_BYTES,    /* functions, with the bytes */
    ANSWER_RESPONSE, /* resolve is a promise, with the Response of a fetch: see fetch.h */
    ANSWER_CALL,     /* resolve is the state of a call: see call.h */
} OperationAnswer;

/* An operation under way. Its id is its place in the table and a generation,
 * so that an id that was settled or cancelled is never mistaken for the next
 * operation in the same place. */
typedef struct Operation {
    uint32_t generation; /* of the id that the place has or had last */
    bool live;
    bool counted;  /* keeps the event from ending (node: ref) */
    bool timer;    /* resolve is a callback, with arguments in reject */
    bool repeat;
    uint8_t answer; /* an OperationAnswer */
    double interval;
    int32_t next;   /* place after this one on the free list, -1 at its end */
    JSValue resolve;
    JSValue reject;
    uint32_t event; /* in whose turn it began */
} Operation;

#define OPERATION_PLACE_BITS 18 /* 262,144 at once: the host's limit is lower */
#define OPERATION_PLACES (1u << OPERATION_PLACE_BITS)
#define OPERATION_GENERATIONS (1u << (31 - OPERATION_PLACE_BITS)) /* ids stay positive as int32 */

static struct {
    Operation *table;
    int32_t size;
    int32_t free; /* first free place, -1 if none */
    uint32_t counted;
    uint32_t live;
} operations = {.free = -1};

static uint32_t operation_id(const Operation *o)
{
    return o->generation << OPERATION_PLACE_BITS | (uint32_t)(o - operations.table);
}

/* The live operation with this id, or NULL. */
static Operation *operation_find(uint32_t id)
{
    uint32_t place = id & (OPERATION_PLACES - 1);
    if ((int32_t)place >= operations.size)
        return NULL;
    Operation *o = &operations.table[place];
    return o->live && o->generation == id >> OPERATION_PLACE_BITS ? o : NULL;
}

static bool operations_grow(void)
{
    int32_t size = operations.size ? operations.size * 2 : 16;
    if (size > (int32_t)OPERATION_PLACES)
        return false;
    Operation *table = realloc(operations.table, (size_t)size * sizeof *table);
    if (!table)
        return false;
    for (int32_t i = size - 1; i >= operations.size; i--) {
        table[i] = (Operation){.resolve = JS_UNDEFINED, .reject = JS_UNDEFINED, .next = operations.free};
        operations.free = i;
    }
    operations.table = table;
    operations.size = size;
    return true;
}

/* Takes a place; the values become the operation's. NULL, with the values
 * freed and an exception pending, if there is no room. */
static Operation *operation_place(JSContext *ctx, JSValue resolve, JSValue reject)
{
    if (operations.free < 0 && !operations_grow()) {
        JS_FreeValue(ctx, resolve);
        JS_FreeValue(ctx, reject);
        JS_ThrowOutOfMemory(ctx);
        return NULL;
    }
    Operation *o = &operations.table[operations.free];
    operations.free = o->next;
    o->generation = (o->generation + 1) & (OPERATION_GENERATIONS - 1);
    if (o->generation == 0)
        o->generation = 1; /* so that no id is 0 */
    o->live = o->counted = true;
    o->timer = o->repeat = false;
    o->answer = ANSWER_BYTES;
    o->resolve = resolve;
    o->reject = reject;
    o->event = guest.event;
    operations.counted++;
    operations.live++;
    return o;
}

/* The same of functions, which are called in the context of now. */
static Operation *operation_new(JSContext *ctx, JSValue resolve, JSValue reject)
{
    resolve = context_bind_callback(ctx, resolve);
    reject = context_bind_callback(ctx, reject);
    if (JS_IsException(resolve) || JS_IsException(reject)) {
        JS_FreeValue(ctx, resolve);
        JS_FreeValue(ctx, reject);
        return NULL;
    }
    return operation_place(ctx, resolve, reject);
}

/* Gives the place back. The values are the caller's to free before. */
static void operation_release(Operation *o)
{
    operations.counted -= o->counted;
    operations.live--;
    o->live = o->counted = false;
    o->resolve = o->reject = JS_UNDEFINED;
    o->next = operations.free;
    operations.free = (int32_t)(o - operations.table);
}

/* Drops an operation: it will not settle. Its values may be the last reference
 * to anything, so the table is consistent before they are freed. */
static void operation_cancel(JSContext *ctx, Operation *o)
{
    uint32_t id = operation_id(o);
    JSValue resolve = o->resolve, reject = o->reject;
    operation_release(o);
    env_call(OP_CANCEL, &id, sizeof id, NULL, 0);
    JS_FreeValue(ctx, resolve);
    JS_FreeValue(ctx, reject);
}

/* Begins an asynchronous operation. Answers the promise of its result, a
 * Uint8Array, and its id. */
static JSValue operation_start(JSContext *ctx, uint32_t op, const void *in, uint32_t length, uint32_t *id)
{
    JSValue functions[2];
    JSValue promise = JS_NewPromiseCapability(ctx, functions);
    if (JS_IsException(promise))
        return promise;
    Operation *o = operation_new(ctx, functions[0], functions[1]);
    if (!o) {
        JS_FreeValue(ctx, promise);
        return JS_EXCEPTION;
    }
    *id = operation_id(o);
    env_start(op, *id, in, length);
    return promise;
}

/* A promise without functions that resolve it. */
static JSValue promise_make(JSContext *ctx)
{
    JSValue o = JS_NewObjectClass(ctx, JS_CLASS_PROMISE);
    if (JS_IsException(o))
        return o;
    JSPromiseData *s = js_mallocz(ctx, sizeof *s);
    if (!s) {
        JS_FreeValue(ctx, o);
        return JS_EXCEPTION;
    }
    s->promise_state = JS_PROMISE_PENDING;
    init_list_head(&s->promise_reactions[0]);
    init_list_head(&s->promise_reactions[1]);
    s->promise_result = JS_UNDEFINED;
    JS_SetOpaqueInternal(o, s);
    return o;
}

/* Resolves or rejects it, as its functions would. -1 with an exception pending. */
static int promise_settle(JSContext *ctx, JSValueConst promise, JSValueConst value, bool rejected)
{
    if (rejected || !JS_IsObject(value)) {
        fulfill_or_reject_promise(ctx, promise, value, rejected);
        return 0;
    }
    JSValue functions[2];
    if (js_create_resolving_functions(ctx, functions, promise))
        return -1;
    JSValue result = JS_Call(ctx, functions[0], JS_UNDEFINED, 1, vc(&value));
    JS_FreeValue(ctx, functions[0]);
    JS_FreeValue(ctx, functions[1]);
    JS_FreeValue(ctx, result);
    return JS_IsException(result) ? -1 : 0;
}

/* Begins an operation that settles a promise or a call. Its id; 0 with an
 * exception pending. */
static uint32_t operation_begin(JSContext *ctx, uint32_t op, JSValueConst settled, OperationAnswer answer, Writer *w)
{
    if (w->failed) {
        JS_ThrowOutOfMemory(ctx);
        return 0;
    }
    Operation *o = operation_place(ctx, js_dup(settled), JS_UNDEFINED);
    if (!o)
        return 0;
    o->answer = answer;
    uint32_t id = operation_id(o);
    env_start(op, id, w->bytes, w->length);
    return id;
}

/* Begins a timer: after delay milliseconds callback is called with the
 * arguments in args, an array or undefined. Answers its id, 0 if it threw. */
static uint32_t timer_start(JSContext *ctx, JSValue callback, JSValue args, double delay, bool repeat)
{
    /* As the web and node do: not a number, or past 31 bits, means at once. */
    if (!(delay >= 1) || delay > 2147483647)
        delay = 1;
    Operation *o = operation_new(ctx, callback, args);
    if (!o)
        return 0;
    o->timer = true;
    o->repeat = repeat;
    o->interval = delay;
    uint32_t id = operation_id(o);
    env_start(OP_SLEEP, id, &delay, sizeof delay);
    return id;
}

#endif
