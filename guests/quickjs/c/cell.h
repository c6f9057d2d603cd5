/*
 * The cell event: a program in a session, whose names stay for the cells after
 * it. It is compiled as a script: what it declares at its top level is global,
 * so that functions of earlier cells see what later ones declare. Unlike a
 * script, it may import and export, and may declare a name again.
 */
#ifndef CELL_H
#define CELL_H

/* A name that the cell declares at its top level. */
typedef struct CellName {
    JSAtom name;
    bool lexical;  /* let, const, class or an import; else var or a function */
    int entry;     /* of the imports, or -1 */
    JSValue value; /* of an import */
    bool replaces; /* there was a lexical one by that name: */
    JSValue old;
    int old_flags;
} CellName;

static struct {
    JSModuleDef *requests; /* what the imports ask for; in no list of modules */
    int requested;         /* of them, those that are loaded */
    JSAtom file;
    JSAtom result;         /* name of the default export, or JS_ATOM_NULL */
    JSValue code;
    bool async;
    bool declared;         /* the names are: from here on failing undoes some */
    bool stopped;          /* by process.exit or an interrupt: nothing more of it runs */
    CellName *names;
    uint32_t count;
} cell = {.code = JS_UNDEFINED};

/* Ends the cell in the middle of its code, by an exception that can't be
 * caught. */
static void cell_stop(JSContext *ctx)
{
    cell.stopped = true;
    run_end(ctx);
    JS_ThrowInternalError(ctx, "stopped");
    JS_SetUncatchableError(ctx, ctx->rt->current_exception);
}

/* Ends the cell if the host has asked for that. */
static bool cell_interrupted(JSContext *ctx)
{
    static const char name[] = "Interrupted", message[] = "the execution was interrupted";
    if (!door.interrupted)
        return false;
    door.interrupted = 0;
    if (run.phase == RUN_SERVING) {
        guest.stopped = true;
        guest.context->interrupt_counter = 1;
        return true;
    }
    if (!run.cell || cell.stopped)
        return false;
    cell.stopped = true;
    if (run.phase == RUN_ENDED)
        return true;
    uint8_t buffer[128];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u8(&w, ORIGIN_EVENT);
    writer_cstring(&w, name);
    writer_cstring(&w, "");
    writer_cstring(&w, message);
    writer_cstring(&w, "");
    writer_u8(&w, 0);
    env_call(OP_FAIL, w.bytes, w.length, NULL, 0);
    run_end(ctx);
    return true;
}

/* ---- compiling */

static void expect_code(JSContext *ctx, JSValueConst code);

static CellName *cell_add_name(JSContext *ctx, JSAtom name, bool lexical, int entry)
{
    CellName *names = realloc(cell.names, (cell.count + 1) * sizeof *names);
    if (!names)
        return NULL;
    cell.names = names;
    names[cell.count] = (CellName){
        .name = JS_DupAtom(ctx, name), .lexical = lexical, .entry = entry, .value = JS_UNDEFINED, .old = JS_UNDEFINED,
    };
    return &names[cell.count++];
}

/* Notes what the parsed cell declares. Imported names are made globals, as the
 * others are, and looked up as such. False with an exception pending, or for
 * want of memory. */
static bool cell_collect_names(JSContext *ctx, JSFunctionDef *fd, JSModuleDef *m)
{
    for (int i = 0; i < m->import_entries_count; i++)
        if (!cell_add_name(ctx, fd->closure_var[m->import_entries[i].var_idx].var_name, true, i))
            return false;
    for (int i = 0; i < fd->closure_var_count; i++)
        JS_FreeAtom(ctx, fd->closure_var[i].var_name);
    fd->closure_var_count = 0;
    uint32_t imports = cell.count;
    for (int i = 0; i < fd->global_var_count; i++) {
        JSGlobalVar *v = &fd->global_vars[i];
        for (uint32_t k = 0; k < imports; k++) {
            if (cell.names[k].name == v->var_name) {
                JS_ThrowSyntaxErrorVarRedeclaration(ctx, v->var_name);
                return false;
            }
        }
        if (!cell_add_name(ctx, v->var_name, v->is_lexical, -1))
            return false;
    }
    for (int i = 0; i < m->export_entries_count; i++) {
        JSExportEntry *e = &m->export_entries[i];
        if (e->export_type == JS_EXPORT_TYPE_LOCAL && e->export_name == JS_ATOM_default)
            cell.result = JS_DupAtom(ctx, e->local_name);
    }
    return true;
}

/* Compiles the cell, as QuickJS compiles a global script, but with what a
 * module has: import and export declarations. -1 with an exception pending. */
static int cell_compile(JSContext *ctx, const char *name, const char *source, size_t length)
{
    JSParseState s;
    js_parse_init(ctx, &s, source, length, name, 1);
    skip_shebang(&s.buf_ptr, s.buf_end);
    cell.file = JS_NewAtom(ctx, name);
    JSModuleDef *m = cell.file == JS_ATOM_NULL ? NULL : js_new_module_def(ctx, JS_DupAtom(ctx, cell.file));
    JSFunctionDef *fd = m ? js_new_function_def(ctx, NULL, true, false, name, 1, 1) : NULL;
    if (m) {
        list_del(&m->link); /* nobody is to import it */
        init_list_head(&m->link);
        cell.requests = m;
    }
    if (!fd)
        return -1;
    cell.async = memmem(source, length, "await", 5) != NULL;
    s.cur_func = fd;
    s.allow_html_comments = true;
    fd->eval_type = JS_EVAL_TYPE_GLOBAL;
    fd->has_this_binding = fd->arguments_allowed = true;
    fd->func_name = JS_DupAtom(ctx, JS_ATOM__eval_);
    fd->module = m;
    if (cell.async) {
        fd->in_function_body = true;
        fd->func_kind = JS_FUNC_ASYNC;
    }
    push_scope(&s);
    fd->body_scope = fd->scope_level;
    if (js_parse_program(&s)) {
        free_token(&s, &s.token);
        js_free_function_def(ctx, fd);
        return -1;
    }
    if (!cell_collect_names(ctx, fd, m)) {
        js_free_function_def(ctx, fd);
        if (!JS_HasException(ctx))
            JS_ThrowOutOfMemory(ctx);
        return -1;
    }
    fd->module = NULL;
    fd->eval_type = JS_EVAL_TYPE_INDIRECT; /* its variables can be deleted, and so be declared again */
    cell.code = js_create_function(ctx, fd);
    if (JS_IsException(cell.code)) {
        cell.code = JS_UNDEFINED;
        return -1;
    }
    expect_code(ctx, cell.code);
    return 0;
}

/* ---- names */

static JSObject *cell_lexicals(JSContext *ctx) { return JS_VALUE_GET_OBJ(ctx->global_var_obj); }

/* Makes a global lexical name. Consumes the value. */
static int cell_define(JSContext *ctx, JSAtom name, JSValue value, int flags)
{
    JSProperty *property = add_property(ctx, cell_lexicals(ctx), name, flags);
    if (!property) {
        JS_FreeValue(ctx, value);
        return -1;
    }
    property->u.value = value;
    return 0;
}

/* Makes room for the cell's names: what earlier cells declared by them is set
 * aside. Defines the imports. -1 with an exception pending. */
static int cell_declare(JSContext *ctx)
{
    cell.declared = true;
    for (uint32_t i = 0; i < cell.count; i++) {
        CellName *n = &cell.names[i];
        JSProperty *property;
        JSShapeProperty *shape = find_own_property(&property, cell_lexicals(ctx), n->name);
        if (!shape)
            continue;
        n->replaces = true;
        n->old = js_dup(property->u.value);
        n->old_flags = shape->flags & JS_PROP_C_W_E;
        if (JS_DeleteProperty(ctx, ctx->global_var_obj, n->name, 0) < 0)
            return -1;
    }
    for (uint32_t i = 0; i < cell.count; i++) {
        CellName *n = &cell.names[i];
        if (n->entry < 0)
            continue;
        if (cell_define(ctx, n->name, js_dup(n->value), JS_PROP_ENUMERABLE | JS_PROP_CONFIGURABLE))
            return -1;
    }
    return 0;
}

/* After a failure: a name that the cell declared but did not come to give a
 * value means what it meant before. */
static void cell_restore(JSContext *ctx, CellName *n)
{
    JSProperty *property;
    JSShapeProperty *shape = find_own_property(&property, cell_lexicals(ctx), n->name);
    if (shape) {
        if (!JS_IsUninitialized(property->u.value))
            return;
        JS_DeleteProperty(ctx, ctx->global_var_obj, n->name, 0);
    } else if (!n->lexical && n->replaces) {
        shape = find_own_property(&property, JS_VALUE_GET_OBJ(ctx->global_obj), n->name);
        if (shape && ((shape->flags & JS_PROP_TMASK) != JS_PROP_NORMAL || !JS_IsUndefined(property->u.value)))
            return;
    }
    if (n->replaces && cell_define(ctx, n->name, js_dup(n->old), n->old_flags))
        drop_exception(ctx);
}

/* ---- running */

/* Runs the code. */
static void cell_evaluate(JSContext *ctx)
{
    run.phase = RUN_EVALUATING;
    JSValue result = cell_declare(ctx) ? JS_EXCEPTION : JS_EvalFunction(ctx, js_dup(cell.code));
    if (!JS_IsException(result) && !cell.async) {
        result = cell_value(ctx, result);
        await_result(ctx, result);
        return;
    }
    if (JS_IsException(result)) {
        fail_event(ctx);
        return;
    }
    JS_PromiseMarkAsHandled(ctx, result);
    run.promise = result;
}

/* Loads what the imports ask for, one after the other, in their order; then
 * runs the code. */
static void cell_import(JSContext *ctx)
{
    if (cell.requested == cell.requests->req_module_entries_count) {
        cell_evaluate(ctx);
        return;
    }
    JSReqModuleEntry *request = &cell.requests->req_module_entries[cell.requested];
    run.phase = RUN_IMPORTING;
    JSValue functions[2];
    JSValue promise = JS_NewPromiseCapability(ctx, functions);
    if (JS_IsException(promise)) {
        fail_event(ctx);
        return;
    }
    const char *file = JS_AtomToCString(ctx, cell.file);
    const char *specifier = JS_AtomToCString(ctx, request->module_name);
    if (file && specifier) {
        JS_PromiseMarkAsHandled(ctx, promise);
        JS_LoadModuleInternal(ctx, file, specifier, vc(functions), request->attributes);
        run.promise = promise;
    } else {
        JS_FreeValue(ctx, promise);
        fail_event(ctx);
    }
    JS_FreeCString(ctx, specifier);
    JS_FreeCString(ctx, file);
    JS_FreeValue(ctx, functions[0]);
    JS_FreeValue(ctx, functions[1]);
}

/* Takes what is imported out of a module, whose namespace it consumes. The
 * names have the values that they have now: they are no live bindings. */
static void cell_imported(JSContext *ctx, JSValue namespace)
{
    for (uint32_t i = 0; i < cell.count && run.phase != RUN_ENDED; i++) {
        CellName *n = &cell.names[i];
        JSImportEntry *entry = n->entry < 0 ? NULL : &cell.requests->import_entries[n->entry];
        if (!entry || entry->req_module_idx != cell.requested)
            continue;
        if (entry->import_name == JS_ATOM__star_) {
            n->value = js_dup(namespace);
            continue;
        }
        int has = JS_HasProperty(ctx, namespace, entry->import_name);
        if (has == 0)
            JS_ThrowSyntaxErrorAtom(ctx, "The module that is imported has no export '%s'", entry->import_name);
        n->value = has > 0 ? JS_GetProperty(ctx, namespace, entry->import_name) : JS_EXCEPTION;
        if (JS_IsException(n->value)) {
            n->value = JS_UNDEFINED;
            fail_event(ctx);
        }
    }
    JS_FreeValue(ctx, namespace);
    if (run.phase == RUN_ENDED)
        return;
    cell.requested++;
    cell_import(ctx);
}

/* What the cell came to: the value of its last expression, or its default
 * export, which is called if it is a function, as an execution does. */
static JSValue cell_value(JSContext *ctx, JSValue value)
{
    if (cell.result == JS_ATOM_NULL || JS_IsException(value))
        return value;
    JS_FreeValue(ctx, value);
    value = JS_GetGlobalVar(ctx, cell.result, true);
    if (JS_IsException(value) || !is_callable(ctx, value))
        return value;
    JSValue result = call_export(ctx, value);
    JS_FreeValue(ctx, value);
    return result;
}

static void cell_start(JSContext *ctx, const char *name, const char *source, size_t length)
{
    run.phase = RUN_IMPORTING;
    if (!JS_IsUndefined(guest.hooks[ON_CELL])) {
        JSValue v = JS_Call(ctx, guest.hooks[ON_CELL], JS_UNDEFINED, 0, NULL);
        if (JS_IsException(v)) {
            fail_event(ctx);
            return;
        }
        JS_FreeValue(ctx, v);
    }
    if (!JS_IsUndefined(run.input) && JS_SetProperty(ctx, ctx->global_obj, guest.atom_input, js_dup(run.input)) < 0) {
        fail_event(ctx);
        return;
    }
    if (cell_compile(ctx, name, source, length))
        fail_event(ctx);
    else
        cell_import(ctx);
}

/* ---- the end */

static void cell_drop_jobs(JSContext *ctx)
{
    struct list_head *list = &ctx->rt->job_list;
    while (!list_empty(list)) {
        JSJobEntry *job = list_entry(list->next, JSJobEntry, link);
        list_del(&job->link);
        for (int i = 0; i < job->argc; i++)
            JS_FreeValue(ctx, job->argv[i]);
        js_free(ctx, job);
    }
}

static void cell_cancel_operations(JSContext *ctx)
{
    for (int32_t i = 0; i < operations.size && operations.live; i++)
        if (operations.table[i].live)
            operation_cancel(ctx, &operations.table[i]);
}

/* Brings everything to rest: what is kept is the state between two cells. Jobs
 * that a failed cell left are run, so that promises of earlier cells don't hang
 * for its sake; operations are dropped. */
static void cell_end(JSContext *ctx)
{
    JSContext *job_context;
    int result;
    run.phase = RUN_ENDED;
    do {
        while (!cell.stopped && (result = JS_ExecutePendingJob(ctx->rt, &job_context)) != 0)
            if (result < 0)
                drop_exception(ctx);
        cell_drop_jobs(ctx);
        cell_cancel_operations(ctx);
    } while (operations.live || JS_IsJobPending(ctx->rt));
    while (rejections.count) {
        Rejection r = rejections.list[--rejections.count];
        JS_FreeValue(ctx, r.promise);
        JS_FreeValue(ctx, r.reason);
    }
    for (uint32_t i = 0; i < cell.count; i++) {
        CellName *n = &cell.names[i];
        if (run.failed && cell.declared)
            cell_restore(ctx, n);
        JS_FreeValue(ctx, n->value);
        JS_FreeValue(ctx, n->old);
        JS_FreeAtom(ctx, n->name);
    }
    free(cell.names);
    JS_FreeValue(ctx, cell.code);
    if (cell.requests)
        js_free_module_def(ctx, cell.requests);
    JS_FreeAtom(ctx, cell.file);
    JS_FreeAtom(ctx, cell.result);
    memset(&cell, 0, sizeof cell);
    cell.code = JS_UNDEFINED;

    JS_FreeValue(ctx, run.promise);
    JS_FreeValue(ctx, run.input);
    memset(run.told, 0, run.told_length); /* it has the environment's secrets */
    free(run.told);
    memset(&run, 0, sizeof run);
    run.promise = run.input = JS_UNDEFINED;
    run.announced = true;
}

#endif
