/*
 * Modules: the host resolves and loads the user's; ours are evaluated into the
 * image at boot and found there by name. Names that begin with "mayfly:" are
 * reachable only from our own modules; names that begin with "node:" from
 * everywhere.
 */
#ifndef MODULES_H
#define MODULES_H

/* Sources handed over for boot, until their modules are evaluated. */
typedef struct BootSource {
    struct BootSource *next;
    char *name;
    char *source; /* NUL-terminated */
    size_t length;
} BootSource;

static BootSource *boot_sources;

static BootSource *boot_source(const char *name)
{
    for (BootSource *s = boot_sources; s; s = s->next)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static void boot_sources_free(void)
{
    while (boot_sources) {
        BootSource *next = boot_sources->next;
        free(boot_sources->name);
        free(boot_sources->source);
        free(boot_sources);
        boot_sources = next;
    }
}

static int announce_run(JSContext *ctx);

static char *module_normalize(JSContext *ctx, const char *referrer, const char *specifier, void *opaque)
{
    if (is_internal_name(referrer)) /* files of packages name each other relatively */
        return has_prefix(referrer, PACKAGE_PREFIX) ? js_default_module_normalize_name(ctx, referrer, specifier)
                                                    : js_strdup(ctx, specifier);
    uint8_t buffer[512];
    Writer w;
    Answer a;
    writer_init(&w, buffer, sizeof buffer);
    writer_cstring(&w, referrer);
    writer_cstring(&w, specifier);
    int failed = w.failed ? (JS_ThrowOutOfMemory(ctx), -1)
                          : call_or_throw(ctx, OP_RESOLVE, w.bytes, w.length, &a);
    writer_free(&w);
    if (failed)
        return NULL;
    Reader r;
    uint32_t n;
    reader_init(&r, a.bytes, a.length);
    const uint8_t *name = reader_bytes(&r, &n);
    /* A NUL would let two names that differ be one to QuickJS. */
    char *copy = memchr(name, 0, n) ? NULL : js_strndup(ctx, (const char *)name, n);
    answer_free(&a);
    if (copy && has_prefix(copy, INTERNAL_PREFIX)) {
        js_free(ctx, copy);
        copy = NULL;
    }
    /* Its exports are the arrays and objects themselves. */
    if (copy && strcmp(copy, BUILTIN_PREFIX "process") == 0 && announce_run(ctx)) {
        js_free(ctx, copy);
        return NULL;
    }
    if (!copy && !JS_HasException(ctx))
        JS_ThrowTypeError(ctx, "Cannot find module '%s'", specifier);
    return copy;
}

static int module_export_default(JSContext *ctx, JSModuleDef *m)
{
    return JS_SetModuleExport(ctx, m, "default", JS_GetModulePrivateValue(ctx, m));
}

/* A module whose default export is a value. Consumes the value. */
static JSModuleDef *module_from_value(JSContext *ctx, const char *name, JSValue value)
{
    if (JS_IsException(value))
        return NULL;
    JSModuleDef *m = JS_NewCModule(ctx, name, module_export_default);
    if (!m || JS_AddModuleExport(ctx, m, "default") < 0) {
        JS_FreeValue(ctx, value);
        return NULL;
    }
    JS_SetModulePrivateValue(ctx, m, value);
    return m;
}

/* The names that a CommonJS module's exports have as an ES module's; default
 * stands for all of them. */
static int module_export_names(JSContext *ctx, JSModuleDef *m, JSValueConst exports)
{
    JSPropertyEnum *names = NULL;
    uint32_t n = 0;
    if (JS_AddModuleExport(ctx, m, "default") < 0 || JS_AddModuleExport(ctx, m, "module.exports") < 0)
        return -1;
    if (!JS_IsObject(exports) || JS_IsProxy(exports))
        return 0;
    if (JS_GetOwnPropertyNames(ctx, &names, &n, exports, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) < 0)
        return -1;
    int failed = 0;
    for (uint32_t i = 0; i < n && !failed; i++) {
        if (names[i].atom == JS_ATOM_default)
            continue;
        const char *name = JS_AtomToCString(ctx, names[i].atom);
        failed = !name || (strcmp(name, "module.exports") && JS_AddModuleExport(ctx, m, name) < 0);
        JS_FreeCString(ctx, name);
    }
    JS_FreePropertyEnum(ctx, names, n);
    return failed ? -1 : 0;
}

static int module_export_all(JSContext *ctx, JSModuleDef *m)
{
    JSValue exports = JS_GetModulePrivateValue(ctx, m);
    int failed = 0;
    for (int i = 0; i < m->export_entries_count && !failed; i++) {
        const char *name = JS_AtomToCString(ctx, m->export_entries[i].export_name);
        if (!name) {
            failed = 1;
            break;
        }
        bool whole = strcmp(name, "default") == 0 || strcmp(name, "module.exports") == 0;
        JSValue v = whole ? js_dup(exports) : JS_GetPropertyStr(ctx, exports, name);
        failed = JS_IsException(v) || JS_SetModuleExport(ctx, m, name, v) < 0;
        JS_FreeCString(ctx, name);
    }
    JS_FreeValue(ctx, exports);
    return failed ? -1 : 0;
}

static JSModuleDef *module_compile(JSContext *ctx, const char *name, const char *source, size_t length, bool main);

/* A module of what a CommonJS file exports. It runs when it is loaded, before
 * the modules that import it are linked: so its names are known. */
static JSModuleDef *module_from_commonjs(JSContext *ctx, const char *name, const char *source, size_t length,
                                         bool maybe)
{
    JSValue args[3] = {JS_NewString(ctx, name), JS_NewStringLen(ctx, source, length), JS_NewBool(ctx, maybe)};
    JSValue exports = JS_IsException(args[0]) || JS_IsException(args[1])
                          ? JS_EXCEPTION : JS_Call(ctx, guest.hooks[ON_COMMONJS], JS_UNDEFINED, 3, vc(args));
    JS_FreeValue(ctx, args[0]);
    JS_FreeValue(ctx, args[1]);
    if (JS_IsException(exports))
        return NULL;
    if (JS_IsObject(exports) && JS_VALUE_GET_PTR(exports) == JS_VALUE_GET_PTR(guest.native)) {
        JS_FreeValue(ctx, exports); /* it doesn't compile as CommonJS */
        return module_compile(ctx, name, source, length, false);
    }
    JSModuleDef *m = JS_NewCModule(ctx, name, module_export_all);
    if (!m || module_export_names(ctx, m, exports)) {
        JS_FreeValue(ctx, exports);
        return NULL;
    }
    JS_SetModulePrivateValue(ctx, m, exports);
    return m;
}

/* The path of the working directory, without a slash at its end. */
static const char *working_directory(size_t *length);

/* import.meta. Names of the host are paths, absolute or below the working
 * directory. */
static int module_set_meta(JSContext *ctx, JSModuleDef *m, const char *name, bool main)
{
    static const char unreserved[] = "-._~!$&'()*+,;=:@/";
    JSValue meta = JS_GetImportMeta(ctx, m);
    if (JS_IsException(meta))
        return -1;
    int failed = 0;
    if (is_internal_name(name)) {
        failed |= JS_DefinePropertyValueStr(ctx, meta, "url", JS_NewString(ctx, name), JS_PROP_C_W_E) < 0;
        JS_FreeValue(ctx, meta);
        return failed ? -1 : 0;
    }
    uint8_t path_buffer[512], buffer[512];
    Writer path, url;
    writer_init(&path, path_buffer, sizeof path_buffer);
    if (name[0] != '/') {
        size_t n;
        const char *cwd = working_directory(&n);
        writer_raw(&path, cwd, n);
        writer_u8(&path, '/');
        if (has_prefix(name, "./"))
            name += 2;
    }
    writer_raw(&path, name, strlen(name) + 1);
    if (path.failed) {
        writer_free(&path);
        JS_FreeValue(ctx, meta);
        JS_ThrowOutOfMemory(ctx);
        return -1;
    }
    name = (const char *)path.bytes;
    writer_init(&url, buffer, sizeof buffer);
    writer_raw(&url, "file://", 7);
    for (const char *p = name; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || strchr(unreserved, c)) {
            writer_u8(&url, c);
        } else {
            static const char hex[] = "0123456789ABCDEF";
            writer_u8(&url, '%');
            writer_u8(&url, hex[c >> 4]);
            writer_u8(&url, hex[c & 15]);
        }
    }
    if (url.failed) {
        JS_ThrowOutOfMemory(ctx);
        failed = 1;
    }
    const char *slash = strrchr(name, '/');
    size_t directory = slash ? (size_t)(slash - name) : 0;
    failed = failed ||
             JS_DefinePropertyValueStr(ctx, meta, "url",
                                       JS_NewStringLen(ctx, (const char *)url.bytes, url.length),
                                       JS_PROP_C_W_E) < 0 ||
             JS_DefinePropertyValueStr(ctx, meta, "filename", JS_NewString(ctx, name), JS_PROP_C_W_E) < 0 ||
             JS_DefinePropertyValueStr(ctx, meta, "dirname",
                                       directory ? JS_NewStringLen(ctx, name, directory) : JS_NewString(ctx, "/"),
                                       JS_PROP_C_W_E) < 0 ||
             JS_DefinePropertyValueStr(ctx, meta, "main", JS_NewBool(ctx, main), JS_PROP_C_W_E) < 0;
    writer_free(&path);
    writer_free(&url);
    JS_FreeValue(ctx, meta);
    return failed ? -1 : 0;
}

/* Compiles source, which has to end with a NUL that length doesn't count. */
static JSModuleDef *module_compile(JSContext *ctx, const char *name, const char *source, size_t length, bool main)
{
    JSValue v = JS_Eval(ctx, source, length, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(v))
        return NULL;
    /* The context's list of modules owns the module; v only borrows it. */
    JSModuleDef *m = JS_VALUE_GET_PTR(v);
    JS_FreeValue(ctx, v);
    return module_set_meta(ctx, m, name, main) ? NULL : m;
}

/* Checks import attributes: type is the only one, with a known value. */
static int module_check_attributes(JSContext *ctx, void *opaque, JSValueConst attributes)
{
    JSPropertyEnum *names;
    uint32_t n;
    if (JS_GetOwnPropertyNames(ctx, &names, &n, attributes, JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY) < 0)
        return -1;
    int failed = 0;
    for (uint32_t i = 0; i < n && !failed; i++) {
        const char *key = JS_AtomToCString(ctx, names[i].atom);
        JSValue v = JS_GetProperty(ctx, attributes, names[i].atom);
        const char *value = JS_IsException(v) ? NULL : JS_ToCString(ctx, v);
        if (!key || !value) {
            failed = 1;
        } else if (strcmp(key, "type") != 0) {
            JS_ThrowTypeError(ctx, "Import attribute \"%s\" is not supported", key);
            failed = 1;
        } else if (strcmp(value, "json") && strcmp(value, "text") && strcmp(value, "bytes")) {
            JS_ThrowTypeError(ctx, "Import attribute \"type\" with value \"%s\" is not supported", value);
            failed = 1;
        }
        JS_FreeCString(ctx, key);
        JS_FreeCString(ctx, value);
        JS_FreeValue(ctx, v);
    }
    JS_FreePropertyEnum(ctx, names, n);
    return failed ? -1 : 0;
}

/* A WebAssembly.Module. */
static JSValue wasm_module(JSContext *ctx, const uint8_t *bytes, size_t length)
{
    JSValue content = JS_NewUint8ArrayCopy(ctx, bytes, length);
    if (JS_IsException(content))
        return content;
    JSValue v = JS_Call(ctx, guest.hooks[ON_WASM_MODULE], JS_UNDEFINED, 1, vc(&content));
    JS_FreeValue(ctx, content);
    return v;
}

static JSModuleDef *module_load(JSContext *ctx, const char *name, void *opaque, JSValueConst attributes)
{
    if (is_internal_name(name)) {
        BootSource *s = boot_source(name);
        if (s && JS_IsObject(attributes)) /* with { type: "text" } */
            return module_from_value(ctx, name, JS_NewStringLen(ctx, s->source, s->length));
        if (s)
            return module_compile(ctx, name, s->source, s->length, false);
        JS_ThrowTypeError(ctx, has_prefix(name, BUILTIN_PREFIX) ? "No such built-in module: %s"
                                                               : "Cannot find module '%s'", name);
        return NULL;
    }
    uint8_t buffer[512];
    Writer w;
    Answer a;
    writer_init(&w, buffer, sizeof buffer);
    writer_cstring(&w, name);
    int failed = 0;
    JSValue type = JS_IsObject(attributes) ? JS_GetPropertyStr(ctx, attributes, "type") : JS_UNDEFINED;
    if (JS_IsString(type))
        failed = writer_value(&w, ctx, type);
    else
        writer_cstring(&w, "");
    JS_FreeValue(ctx, type);
    if (!failed && w.failed) {
        JS_ThrowOutOfMemory(ctx);
        failed = -1;
    }
    if (!failed)
        failed = call_or_throw(ctx, OP_LOAD, w.bytes, w.length, &a);
    writer_free(&w);
    if (failed)
        return NULL;
    if (!answer_keep(&a)) { /* compiling resolves and loads further modules */
        JS_ThrowOutOfMemory(ctx);
        return NULL;
    }
    Reader r;
    uint32_t n;
    reader_init(&r, a.bytes, a.length);
    uint8_t kind = reader_u8(&r);
    char *bytes = (char *)reader_bytes(&r, &n);
    JSModuleDef *m = NULL;
    if (r.failed || r.at != r.end) {
        JS_ThrowInternalError(ctx, "malformed answer of load");
    } else {
        /* An answer has a NUL behind it, and bytes is its last part. */
        switch (kind) {
        case 'm':
            m = module_compile(ctx, name, bytes, n, false);
            break;
        case 'j':
            m = module_from_value(ctx, name, JS_ParseJSON(ctx, bytes, n, name));
            break;
        case 'c':
            m = module_from_commonjs(ctx, name, bytes, n, false);
            break;
        case 'a':
            m = module_from_commonjs(ctx, name, bytes, n, true);
            break;
        case 't':
            m = module_from_value(ctx, name, JS_NewStringLen(ctx, bytes, n));
            break;
        case 'd':
            m = module_from_value(ctx, name, JS_NewUint8ArrayCopy(ctx, (uint8_t *)bytes, n));
            break;
        case 'b':
            m = module_from_value(ctx, name, JS_NewArrayBufferCopy(ctx, (uint8_t *)bytes, n));
            break;
        case 'w':
            m = module_from_value(ctx, name, wasm_module(ctx, (uint8_t *)bytes, n));
            break;
        default:
            JS_ThrowInternalError(ctx, "unknown kind of module");
        }
    }
    answer_free(&a);
    return m;
}

/* The services object, for "import native from 'mayfly:native'". */
static int modules_init(JSContext *ctx)
{
    JSRuntime *rt = JS_GetRuntime(ctx);
    JS_SetModuleLoaderFunc2(rt, module_normalize, module_load, module_check_attributes, NULL);
    return module_from_value(ctx, INTERNAL_PREFIX "native", js_dup(guest.native)) ? 0 : -1;
}

#endif
