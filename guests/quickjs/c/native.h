/*
 * Services for the bootstrap, on the object "native" (import native from
 * "mayfly:native"), which user code never gets hold of. Its functions trust
 * that they are called as described, but not the values that they are given.
 *
 *   call(op, payload) → Uint8Array       a synchronous operation; throws its error
 *   start(op, payload, resolve, reject) → id    an asynchronous one, by callbacks
 *   start(op, payload) → [id, promise]          … or by a promise
 *   cancel(id)                           drops an operation; unknown ids are ignored
 *   ref(id, counts)                      whether it keeps the event from ending
 *   timer(callback, delay, repeat, args) → id   a sleep with a callback; cancel clears it
 *   setHooks(object)                     functions that the guest calls, all optional:
 *     start({name, args, env, cwd})        what the program is told, when announce() asks
 *     emitter                              an object that counts its listeners in _eventsCount
 *     invoke(env)                          a prepared program gets more environment
 *     env                                  the object that a default export gets
 *     inspect(value) → string              a rendering for results and errors
 *     result(value) → value or promise     presents a result that is an object
 *     uncaught(error, origin, promise) → handled     origin 1 exception, 2 rejection
 *     domException(message, name) → error  errors with names of the web
 *     cell()                               another cell of a session begins
 *     commonjs(name, source, maybe) → exports   runs a CommonJS file; native itself: it is an
 *                                          ES module, which it may be if maybe is true
 *     beforeExit(), exit()                 as node's events; called if the emitter has
 *                                          listeners, or after watchEnd()
 *     tick()                               due before other jobs, once for each dueTick()
 *     serve, dispatch, fetch, call, idle   of workers: see serve.h
 *   dueTick(), forgetTicks()
 *   announce()                           calls start, once in a life
 *   watchEnd()
 *   reportError(error)                   ends the event as an uncaught error
 *   writeText(fd, string)                the operation "write"
 *   utf8Encode(string) → Uint8Array, utf8Decode(bytes) → string (lossy, keeps a BOM)
 *   latin1Encode(string), latin1Decode(bytes)
 *   className(object) → string           the engine's class; undefined for primitives
 *   proxyDetails(value) → [target, handler]     undefined for others
 *   promiseDetails(promise) → [state, result]   0 pending, 1 fulfilled, 2 rejected
 *   previewEntries(value) → [entries, isKeyValue]   of a Map, Set or their iterators
 *   ownNonIndexKeys(object, enumerableOnly) → keys  strings that aren't indices, and symbols
 *   functionKind(f) → "class", "async" …
 *   userStack(error) → string            its frames without ours
 *   now() → milliseconds since the start, monotonic; unixNow() → of Unix time
 *   memory() → {used, total}             of the heap, in bytes
 *   builtin(name) → namespace            of a module that is in the image
 *   evalAllowed() → boolean
 *   evaluate(source, name) → value       of a script of a file; its first line counts as 1
 *   importNow(name) → namespace          of an ES module, evaluated; throws if it awaits
 *   bootSource(name) → string            of one of our files, at boot only
 *   bindContext(f) → f                   the same if there is no context
 *   asyncContext() → value, setAsyncContext(value)   see context.h
 *   gc()
 */
#ifndef NATIVE_H
#define NATIVE_H

static JSValue native_call(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t op;
    Payload in;
    Answer a;
    if (JS_ToUint32(ctx, &op, argv[0]) || get_payload(ctx, &in, argv[1]))
        return JS_EXCEPTION;
    int failed = call_or_throw(ctx, op, in.bytes, (uint32_t)in.length, &a);
    free_payload(ctx, &in);
    if (failed)
        return JS_EXCEPTION;
    if (op == OP_EXIT) { /* which comes back in cells only */
        answer_free(&a);
        cell_stop(ctx);
        return JS_EXCEPTION;
    }
    JSValue v = JS_NewUint8ArrayCopy(ctx, a.bytes, a.length);
    answer_free(&a);
    return v;
}

static JSValue native_start(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t op;
    Payload in;
    if (JS_ToUint32(ctx, &op, argv[0]) || get_payload(ctx, &in, argv[1]))
        return JS_EXCEPTION;
    uint32_t id = 0;
    JSValue promise = JS_UNDEFINED;
    if (argc >= 4 && JS_IsFunction(ctx, argv[2])) {
        Operation *o = operation_new(ctx, js_dup(argv[2]), js_dup(argv[3]));
        if (o) {
            id = operation_id(o);
            env_start(op, id, in.bytes, (uint32_t)in.length);
        }
    } else {
        promise = operation_start(ctx, op, in.bytes, (uint32_t)in.length, &id);
    }
    free_payload(ctx, &in);
    if (!id)
        return JS_EXCEPTION;
    if (JS_IsUndefined(promise))
        return JS_NewUint32(ctx, id);
    JSValue pair[2] = {JS_NewUint32(ctx, id), promise};
    return JS_NewArrayFrom(ctx, 2, pair);
}

static JSValue native_cancel(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t id;
    if (JS_ToUint32(ctx, &id, argv[0]))
        return JS_EXCEPTION;
    Operation *o = operation_find(id);
    if (o)
        operation_cancel(ctx, o);
    return JS_UNDEFINED;
}

static JSValue native_ref(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t id;
    if (JS_ToUint32(ctx, &id, argv[0]))
        return JS_EXCEPTION;
    bool counts = JS_ToBool(ctx, argv[1]) > 0;
    Operation *o = operation_find(id);
    if (o && o->counted != counts) {
        o->counted = counts;
        operations.counted += counts ? 1 : -1;
    }
    return JS_UNDEFINED;
}

static JSValue native_timer(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    double delay;
    if (JS_ToFloat64(ctx, &delay, argv[1]))
        return JS_EXCEPTION;
    bool repeat = JS_ToBool(ctx, argv[2]) > 0;
    uint32_t id = timer_start(ctx, js_dup(argv[0]), js_dup(argv[3]), delay, repeat);
    return id ? JS_NewUint32(ctx, id) : JS_EXCEPTION;
}

static JSValue native_set_hooks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    static const char *const names[EVENT_HOOKS] = {
        [ON_START] = "start",     [ON_INVOKE] = "invoke",   [ON_CELL] = "cell",
        [ON_INSPECT] = "inspect", [ON_RESULT] = "result",   [ON_UNCAUGHT] = "uncaught",
        [ON_DOM_EXCEPTION] = "domException", [ON_BEFORE_EXIT] = "beforeExit", [ON_EXIT] = "exit",
        [ON_COMMONJS] = "commonjs", [ON_TICK] = "tick",  [ON_WASM_MODULE] = "wasmModule",
        [ON_SERVE] = "serve",     [ON_DISPATCH] = "dispatch", [ON_FETCH] = "fetch", [ON_CALL] = "call", [ON_IDLE] = "idle",
    };
    for (int i = 0; i < EVENT_HOOKS; i++) {
        JSValue f = JS_GetPropertyStr(ctx, argv[0], names[i]);
        if (JS_IsException(f))
            return f;
        JS_FreeValue(ctx, guest.hooks[i]);
        guest.hooks[i] = JS_IsFunction(ctx, f) ? js_dup(f) : JS_UNDEFINED;
        JS_FreeValue(ctx, f);
    }
    guest.env = JS_GetPropertyStr(ctx, argv[0], "env");
    guest.emitter = JS_GetPropertyStr(ctx, argv[0], "emitter");
    return JS_IsException(guest.env) || JS_IsException(guest.emitter) ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue native_announce(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return announce_run(ctx) ? JS_EXCEPTION : JS_UNDEFINED;
}

static JSValue native_watch_end(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    guest.end_watched = true;
    return JS_UNDEFINED;
}

static JSValue native_report_error(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uncaught(ctx, ORIGIN_UNCAUGHT, argv[0], JS_UNDEFINED);
    return JS_UNDEFINED;
}

static JSValue native_write_text(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    uint32_t fd;
    size_t n;
    if (JS_ToUint32(ctx, &fd, argv[0]))
        return JS_EXCEPTION;
    const char *s = JS_ToCStringLen(ctx, &n, argv[1]);
    if (!s)
        return JS_EXCEPTION;
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u8(&w, (uint8_t)fd);
    writer_bytes(&w, s, n);
    JS_FreeCString(ctx, s);
    Answer a;
    JSValue v = JS_UNDEFINED;
    if (w.failed)
        v = JS_ThrowOutOfMemory(ctx);
    else if (call_or_throw(ctx, OP_WRITE, w.bytes, w.length, &a))
        v = JS_EXCEPTION;
    else
        answer_free(&a);
    writer_free(&w);
    return v;
}

static JSValue native_utf8_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t n;
    const char *s = JS_ToCStringLen(ctx, &n, argv[0]);
    if (!s)
        return JS_EXCEPTION;
    JSValue v = JS_NewUint8ArrayCopy(ctx, (const uint8_t *)s, n);
    JS_FreeCString(ctx, s);
    return v;
}

static JSValue native_utf8_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Payload in;
    if (get_payload(ctx, &in, argv[0]))
        return JS_EXCEPTION;
    JSValue v = JS_NewStringLen(ctx, (const char *)in.bytes, in.length);
    free_payload(ctx, &in);
    return v;
}

static JSValue native_latin1_encode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t n;
    const uint16_t *s = JS_ToCStringLenUTF16(ctx, &n, argv[0]);
    if (!s)
        return JS_EXCEPTION;
    uint8_t *bytes = n ? js_malloc(ctx, n) : NULL;
    JSValue v = JS_EXCEPTION;
    if (bytes || n == 0) {
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)s[i];
        v = JS_NewUint8ArrayCopy(ctx, bytes, n);
        js_free(ctx, bytes);
    }
    JS_FreeCStringUTF16(ctx, s);
    return v;
}

static JSValue native_latin1_decode(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    Payload in;
    if (get_payload(ctx, &in, argv[0]))
        return JS_EXCEPTION;
    JSValue v = js_new_string8_len(ctx, (const char *)in.bytes, (int)in.length);
    free_payload(ctx, &in);
    return v;
}

static JSValue native_class_name(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsObject(argv[0]))
        return JS_UNDEFINED;
    JSAtom name = JS_GetClassName(JS_GetRuntime(ctx), JS_GetClassID(argv[0]));
    JSValue v = JS_AtomToString(ctx, name);
    JS_FreeAtom(ctx, name);
    return v;
}

static JSValue native_proxy_details(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsProxy(argv[0]))
        return JS_UNDEFINED;
    if (announce_run(ctx)) /* the target of process.env is looked at past its traps */
        return JS_EXCEPTION;
    JSProxyData *proxy = JS_VALUE_GET_OBJ(argv[0])->u.opaque;
    JSValue pair[2] = {JS_NULL, JS_NULL};
    if (!proxy->is_revoked) {
        pair[0] = js_dup(proxy->target);
        pair[1] = js_dup(proxy->handler);
    }
    return JS_NewArrayFrom(ctx, 2, pair);
}

static JSValue native_promise_details(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsPromise(argv[0]))
        return JS_UNDEFINED;
    JSValue pair[2] = {JS_NewInt32(ctx, JS_PromiseState(ctx, argv[0])), JS_PromiseResult(ctx, argv[0])};
    return JS_NewArrayFrom(ctx, 2, pair);
}

/* Appends the entries from a record on: keys, values, or both one after the
 * other. */
static int append_records(JSContext *ctx, JSValueConst array, uint32_t *n, JSMapState *map, struct list_head *from,
                          bool keys, bool values, bool set)
{
    for (struct list_head *at = from; at != &map->records; at = at->next) {
        JSMapRecord *record = list_entry(at, JSMapRecord, link);
        if (record->empty)
            continue;
        if (keys && JS_DefinePropertyValueUint32(ctx, array, (*n)++, js_dup(record->key), JS_PROP_C_W_E) < 0)
            return -1;
        JSValueConst value = set ? record->key : record->value; /* a set's entries have each member twice */
        if (values && JS_DefinePropertyValueUint32(ctx, array, (*n)++, js_dup(value), JS_PROP_C_W_E) < 0)
            return -1;
    }
    return 0;
}

static JSValue native_preview_entries(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsObject(argv[0]))
        return JS_UNDEFINED;
    JSObject *o = JS_VALUE_GET_OBJ(argv[0]);
    JSMapState *map = NULL;
    struct list_head *from = NULL;
    bool keys = true, values = false, set = false;
    switch (o->class_id) {
    case JS_CLASS_MAP:
        values = true;
        /* fall through */
    case JS_CLASS_SET:
        map = o->u.map_state;
        from = map->records.next;
        break;
    case JS_CLASS_MAP_ITERATOR:
    case JS_CLASS_SET_ITERATOR: {
        JSMapIteratorData *it = o->u.map_iterator_data;
        if (it && JS_IsObject(it->obj)) {
            map = JS_VALUE_GET_OBJ(it->obj)->u.map_state;
            /* The record that was answered last, or none yet. */
            from = it->cur_record ? it->cur_record->link.next : map->records.next;
            set = o->class_id == JS_CLASS_SET_ITERATOR;
            keys = set || it->kind != JS_ITERATOR_KIND_VALUE;
            values = set ? it->kind == JS_ITERATOR_KIND_KEY_AND_VALUE : it->kind != JS_ITERATOR_KIND_KEY;
        }
        break;
    }
    default:
        return JS_UNDEFINED;
    }
    JSValue array = JS_NewArray(ctx);
    if (JS_IsException(array))
        return array;
    uint32_t n = 0;
    if (map && append_records(ctx, array, &n, map, from, keys, values, set)) {
        JS_FreeValue(ctx, array);
        return JS_EXCEPTION;
    }
    JSValue pair[2] = {array, JS_NewBool(ctx, keys && values)};
    return JS_NewArrayFrom(ctx, 2, pair);
}

static JSValue native_own_non_index_keys(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsObject(argv[0]))
        return JS_NewArray(ctx);
    int flags = JS_GPN_STRING_MASK | JS_GPN_SYMBOL_MASK;
    if (argc > 1 && JS_ToBool(ctx, argv[1]) > 0)
        flags |= JS_GPN_ENUM_ONLY;
    JSPropertyEnum *names;
    uint32_t count;
    if (JS_GetOwnPropertyNames(ctx, &names, &count, argv[0], flags) < 0)
        return JS_EXCEPTION;
    JSValue array = JS_NewArray(ctx);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count && !JS_IsException(array); i++) {
        uint32_t index;
        if (JS_AtomIsArrayIndex(ctx, &index, names[i].atom))
            continue;
        if (JS_DefinePropertyValueUint32(ctx, array, n++, JS_AtomToValue(ctx, names[i].atom), JS_PROP_C_W_E) < 0) {
            JS_FreeValue(ctx, array);
            array = JS_EXCEPTION;
        }
    }
    JS_FreePropertyEnum(ctx, names, count);
    return array;
}

static JSValue native_function_kind(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    if (!JS_IsFunction(ctx, argv[0]))
        return JS_UNDEFINED;
    if (is_class(argv[0]))
        return JS_NewString(ctx, "class");
    switch (JS_GetClassID(argv[0])) {
    case JS_CLASS_GENERATOR_FUNCTION:
        return JS_NewString(ctx, "generator");
    case JS_CLASS_ASYNC_FUNCTION:
        return JS_NewString(ctx, "async");
    case JS_CLASS_ASYNC_GENERATOR_FUNCTION:
        return JS_NewString(ctx, "asyncgenerator");
    }
    return JS_NewString(ctx, "function");
}

static JSValue native_user_stack(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t n;
    const char *stack = JS_IsString(argv[0])   ? JS_ToCStringLen(ctx, &n, argv[0])
                        : JS_IsObject(argv[0]) ? string_property(ctx, argv[0], "stack", &n)
                                               : NULL;
    uint8_t buffer[1024];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    if (stack)
        write_user_frames(&w, stack, n);
    JS_FreeCString(ctx, stack);
    JSValue v = w.failed ? JS_ThrowOutOfMemory(ctx) : JS_NewStringLen(ctx, (const char *)w.bytes, w.length);
    writer_free(&w);
    return v;
}

static JSValue native_now(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int unix_time)
{
    double unix_ms, monotonic_ms;
    host_clock(&unix_ms, &monotonic_ms);
    return JS_NewNumber(ctx, unix_time ? unix_ms : monotonic_ms);
}

static JSValue native_memory(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSValue o = JS_NewObject(ctx);
    if (JS_IsException(o))
        return o;
    JS_DefinePropertyValueStr(ctx, o, "used", JS_NewNumber(ctx, (double)JS_GetRuntime(ctx)->malloc_state.malloc_size),
                              JS_PROP_C_W_E);
    JS_DefinePropertyValueStr(ctx, o, "total", JS_NewNumber(ctx, heap.break_at), JS_PROP_C_W_E);
    return o;
}

static JSValue native_builtin(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JSAtom name = announce_run(ctx) ? JS_ATOM_NULL : JS_ValueToAtom(ctx, argv[0]);
    if (name == JS_ATOM_NULL)
        return JS_EXCEPTION;
    JSModuleDef *m = js_find_loaded_module_by_name(ctx, name);
    JS_FreeAtom(ctx, name);
    return m ? JS_GetModuleNamespace(ctx, m) : JS_UNDEFINED;
}

static JSValue native_eval_allowed(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return JS_NewBool(ctx, guest.allow_eval);
}

static JSValue native_evaluate(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    size_t length;
    const char *source = JS_ToCStringLen(ctx, &length, argv[0]);
    const char *name = source ? JS_ToCString(ctx, argv[1]) : NULL;
    JSValue v = JS_EXCEPTION;
    if (name) {
        JSEvalOptions options = {.version = JS_EVAL_OPTIONS_VERSION, .eval_flags = JS_EVAL_TYPE_GLOBAL, .filename = name, .line_num = 1};
        v = JS_Eval2(ctx, source, length, &options);
    }
    JS_FreeCString(ctx, source);
    JS_FreeCString(ctx, name);
    return v;
}

static JSValue native_import_now(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const char *name = JS_ToCString(ctx, argv[0]);
    if (!name)
        return JS_EXCEPTION;
    JSModuleDef *m = js_host_resolve_imported_module(ctx, INTERNAL_PREFIX, name, JS_UNDEFINED);
    JS_FreeCString(ctx, name);
    if (!m)
        return JS_EXCEPTION;
    if (m->status == JS_MODULE_STATUS_LINKING || m->status == JS_MODULE_STATUS_EVALUATING)
        return JS_ThrowPlainError(ctx, "Cannot require an ES module in a cycle");
    if (js_resolve_module(ctx, m) < 0)
        return JS_EXCEPTION;
    JSValue promise = JS_EvalFunction(ctx, JS_NewModuleValue(ctx, m));
    if (JS_IsException(promise))
        return JS_EXCEPTION;
    JSPromiseStateEnum state = JS_PromiseState(ctx, promise);
    JSValue v = state == JS_PROMISE_FULFILLED ? JS_GetModuleNamespace(ctx, m)
                : state == JS_PROMISE_PENDING ? JS_ThrowPlainError(ctx, "Cannot require an ES module that awaits at its top level; import it")
                                              : JS_Throw(ctx, JS_PromiseResult(ctx, promise));
    JS_PromiseMarkAsHandled(ctx, promise);
    JS_FreeValue(ctx, promise);
    return v;
}

static JSValue native_boot_source(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    const char *name = JS_ToCString(ctx, argv[0]);
    if (!name)
        return JS_EXCEPTION;
    BootSource *s = boot_source(name);
    JS_FreeCString(ctx, name);
    return s ? JS_NewStringLen(ctx, s->source, s->length) : JS_UNDEFINED;
}

static JSValue native_async_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return js_dup(async_context);
}

static JSValue native_set_async_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    context_set(ctx, js_dup(argv[0]));
    return JS_UNDEFINED;
}

static JSValue native_bind_context(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    return context_bind_callback(ctx, js_dup(argv[0]));
}

static JSValue native_ticks(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv, int due)
{
    guest.ticks = due ? guest.ticks + 1 : 0;
    return JS_UNDEFINED;
}

static JSValue native_gc(JSContext *ctx, JSValueConst this_val, int argc, JSValueConst *argv)
{
    JS_RunGC(JS_GetRuntime(ctx));
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry native_functions[] = {
    JS_CFUNC_DEF("call", 2, native_call),
    JS_CFUNC_DEF("start", 2, native_start),
    JS_CFUNC_DEF("cancel", 1, native_cancel),
    JS_CFUNC_DEF("ref", 2, native_ref),
    JS_CFUNC_DEF("timer", 4, native_timer),
    JS_CFUNC_DEF("setHooks", 1, native_set_hooks),
    JS_CFUNC_DEF("announce", 0, native_announce),
    JS_CFUNC_DEF("watchEnd", 0, native_watch_end),
    JS_CFUNC_DEF("reportError", 1, native_report_error),
    JS_CFUNC_DEF("writeText", 2, native_write_text),
    JS_CFUNC_DEF("utf8Encode", 1, native_utf8_encode),
    JS_CFUNC_DEF("utf8Decode", 1, native_utf8_decode),
    JS_CFUNC_DEF("latin1Encode", 1, native_latin1_encode),
    JS_CFUNC_DEF("latin1Decode", 1, native_latin1_decode),
    JS_CFUNC_DEF("className", 1, native_class_name),
    JS_CFUNC_DEF("proxyDetails", 1, native_proxy_details),
    JS_CFUNC_DEF("promiseDetails", 1, native_promise_details),
    JS_CFUNC_DEF("previewEntries", 1, native_preview_entries),
    JS_CFUNC_DEF("ownNonIndexKeys", 2, native_own_non_index_keys),
    JS_CFUNC_DEF("functionKind", 1, native_function_kind),
    JS_CFUNC_DEF("userStack", 1, native_user_stack),
    JS_CFUNC_MAGIC_DEF("now", 0, native_now, 0),
    JS_CFUNC_MAGIC_DEF("unixNow", 0, native_now, 1),
    JS_CFUNC_DEF("memory", 0, native_memory),
    JS_CFUNC_DEF("builtin", 1, native_builtin),
    JS_CFUNC_DEF("evalAllowed", 0, native_eval_allowed),
    JS_CFUNC_DEF("evaluate", 2, native_evaluate),
    JS_CFUNC_DEF("importNow", 1, native_import_now),
    JS_CFUNC_DEF("bootSource", 1, native_boot_source),
    JS_CFUNC_DEF("asyncContext", 0, native_async_context),
    JS_CFUNC_DEF("setAsyncContext", 1, native_set_async_context),
    JS_CFUNC_DEF("bindContext", 1, native_bind_context),
    JS_CFUNC_MAGIC_DEF("dueTick", 0, native_ticks, 1),
    JS_CFUNC_MAGIC_DEF("forgetTicks", 0, native_ticks, 0),
    JS_CFUNC_DEF("gc", 0, native_gc),
};

static int native_init(JSContext *ctx)
{
    guest.native = JS_NewObjectProto(ctx, JS_NULL);
    if (JS_IsException(guest.native))
        return -1;
    return JS_SetPropertyFunctionList(ctx, guest.native, native_functions, countof(native_functions)) ||
           JS_SetPropertyFunctionList(ctx, guest.native, serve_functions, countof(serve_functions));
}

#endif
