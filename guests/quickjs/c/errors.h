/*
 * Errors on their way out: error records for the host, stacks with only the
 * user's frames. Whatever is thrown is hostile: getters, proxies and hooks run
 * the user's code, may throw again, and may do so without end (which fuel
 * bounds). Nothing here fails; what can't be read is left out.
 */
#ifndef ERRORS_H
#define ERRORS_H

static bool is_serving(void); /* see events.h */

/* Origins of the operation "fail". */
enum { ORIGIN_EVENT = 0, ORIGIN_UNCAUGHT = 1, ORIGIN_REJECTION = 2 };

#define ERROR_TEXT_LIMIT (64 * 1024) /* bytes of a message or a stack that are reported */

static void drop_exception(JSContext *ctx)
{
    JS_FreeValue(ctx, JS_GetException(ctx));
}

/* A string property as UTF-8, to be freed by JS_FreeCString; NULL if it is
 * not there, not a string, or can't be read. */
static const char *string_property(JSContext *ctx, JSValueConst object, const char *name, size_t *n)
{
    JSValue v = JS_GetPropertyStr(ctx, object, name);
    const char *s = NULL;
    if (JS_IsString(v))
        s = JS_ToCStringLen(ctx, n, v);
    if (!s)
        drop_exception(ctx);
    JS_FreeValue(ctx, v);
    return s;
}

/* Cuts a UTF-8 text at the limit, between characters. */
static size_t text_cut(const char *s, size_t n, size_t limit)
{
    if (n <= limit)
        return n;
    n = limit;
    while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80)
        n--;
    return n;
}

/* The file that a line of a stack names: behind the last '(' or, without
 * parentheses, behind "at ". */
static const char *frame_file(const char *line, size_t n)
{
    for (size_t i = n; i > 0; i--)
        if (line[i - 1] == '(')
            return line + i;
    for (size_t i = 0; i + 3 <= n; i++)
        if (memcmp(line + i, "at ", 3) == 0)
            return line + i + 3;
    return line;
}

static bool range_has_prefix(const char *s, const char *end, const char *prefix)
{
    size_t n = strlen(prefix);
    return (size_t)(end - s) >= n && memcmp(s, prefix, n) == 0;
}

/* Writes the lines of a QuickJS stack that are the user's. Native functions
 * have no position, so they are left out; so are the names of functions that
 * have none ("<anonymous>", "<eval>"). */
static void write_user_frames(Writer *w, const char *stack, size_t n)
{
    const char *end = stack + n;
    bool first = true;
    while (stack < end) {
        const char *line = stack;
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *line_end = newline ? newline : end;
        stack = newline ? newline + 1 : end;
        while (line < line_end && *line == ' ')
            line++;
        if (!range_has_prefix(line, line_end, "at "))
            continue; /* a header, or something that the user put there */
        const char *file = frame_file(line, (size_t)(line_end - line));
        if (guest.booted && /* before, all code is ours */
            (range_has_prefix(file, line_end, INTERNAL_PREFIX) || range_has_prefix(file, line_end, BUILTIN_PREFIX) ||
             range_has_prefix(file, line_end, "native)") || range_has_prefix(file, line_end, "missing)")))
            continue;
        writer_raw(w, first ? "    " : "\n    ", first ? 4 : 5);
        first = false;
        bool nameless = range_has_prefix(line, line_end, "at <anonymous> (") ||
                        range_has_prefix(line, line_end, "at <eval> (");
        if (nameless && line_end[-1] == ')') {
            writer_raw(w, "at ", 3);
            writer_raw(w, file, (size_t)(line_end - 1 - file));
        } else {
            writer_raw(w, line, (size_t)(line_end - line));
        }
    }
}

/* Writes the user's frames of an error's stack as a str. */
static void write_stack(Writer *w, JSContext *ctx, JSValueConst error)
{
    size_t n = 0;
    const char *stack = string_property(ctx, error, "stack", &n);
    uint8_t buffer[1024];
    Writer frames;
    writer_init(&frames, buffer, sizeof buffer);
    if (stack)
        write_user_frames(&frames, stack, text_cut(stack, n, ERROR_TEXT_LIMIT));
    writer_bytes(w, frames.bytes, frames.failed ? 0 : frames.length);
    writer_free(&frames);
    JS_FreeCString(ctx, stack);
}

/* The text that the bootstrap's inspect makes of a value; the plain string of
 * it where there is none. */
static void write_inspected(Writer *w, JSContext *ctx, JSValueConst v, size_t limit)
{
    JSValue text = JS_UNDEFINED;
    JSValue inspect = js_dup(guest.hooks[ON_INSPECT]);
    if (!JS_IsUndefined(inspect)) {
        text = JS_Call(ctx, inspect, JS_UNDEFINED, 1, &v);
        JS_FreeValue(ctx, inspect);
    }
    if (!JS_IsString(text)) {
        if (JS_IsException(text))
            drop_exception(ctx);
        JS_FreeValue(ctx, text);
        text = JS_IsSymbol(v) ? js_symbol_toString(ctx, v, 0, NULL) : JS_ToString(ctx, v);
    }
    size_t n = 0;
    const char *s = JS_IsException(text) ? NULL : JS_ToCStringLen(ctx, &n, text);
    if (s) {
        writer_bytes(w, s, text_cut(s, n, limit));
        JS_FreeCString(ctx, s);
    } else {
        drop_exception(ctx);
        writer_cstring(w, "[value that can't be shown]");
    }
    JS_FreeValue(ctx, text);
}

static void write_text_property(Writer *w, JSContext *ctx, JSValueConst object, const char *name, const char *missing)
{
    size_t n;
    const char *s = string_property(ctx, object, name, &n);
    if (s)
        writer_bytes(w, s, text_cut(s, n, ERROR_TEXT_LIMIT));
    else
        writer_cstring(w, missing);
    JS_FreeCString(ctx, s);
}

/* True for what QuickJS throws when memory is out: null, where there was not
 * even enough for an error, or its own InternalError. */
static bool is_out_of_memory(JSContext *ctx, JSValueConst thrown)
{
    if (memory_exhausted)
        return true;
    if (!heap.refused)
        return false;
    if (JS_IsNull(thrown))
        return true;
    if (!JS_IsError(thrown))
        return false;
    size_t n;
    const char *message = string_property(ctx, thrown, "message", &n);
    bool same = message && strcmp(message, "out of memory") == 0;
    JS_FreeCString(ctx, message);
    return same;
}

/* Writes the error record of a thrown value. */
static void write_error(Writer *w, JSContext *ctx, JSValueConst thrown, int depth)
{
    if (is_out_of_memory(ctx, thrown)) {
        writer_cstring(w, "RangeError");
        writer_cstring(w, "ERR_OUT_OF_MEMORY");
        writer_cstring(w, "out of memory");
        if (JS_IsError(thrown))
            write_stack(w, ctx, thrown);
        else
            writer_cstring(w, "");
        writer_u8(w, 0);
        return;
    }
    bool is_error = JS_IsError(thrown) ||
                    (JS_IsObject(thrown) && JS_GetClassID(thrown) == JS_CLASS_DOM_EXCEPTION);
    if (!is_error) {
        writer_cstring(w, "Uncaught");
        writer_cstring(w, "");
        write_inspected(w, ctx, thrown, ERROR_TEXT_LIMIT);
        writer_cstring(w, "");
        writer_u8(w, 0);
        return;
    }
    write_text_property(w, ctx, thrown, "name", "Error");
    write_text_property(w, ctx, thrown, "code", "");
    write_text_property(w, ctx, thrown, "message", "");
    write_stack(w, ctx, thrown);
    JSValue cause = JS_UNDEFINED;
    if (depth < ERROR_DEPTH) {
        cause = JS_GetPropertyStr(ctx, thrown, "cause");
        if (JS_IsException(cause)) {
            drop_exception(ctx);
            cause = JS_UNDEFINED;
        }
    }
    writer_u8(w, !JS_IsUndefined(cause));
    if (!JS_IsUndefined(cause))
        write_error(w, ctx, cause, depth + 1);
    JS_FreeValue(ctx, cause);
}

/* Begins the message about an error that nobody caught; answers the operation.
 * A worker that serves has events of its own: the error is that of the turn. */
#define ORIGIN_PASS_THROUGH 128 /* added: the event called ctx.passThroughOnException */

static uint32_t failure_begin(Writer *w, int origin)
{
    bool serving = is_serving();
    if (serving)
        writer_u32(w, guest.event);
    writer_u8(w, (uint8_t)origin);
    return serving ? OP_EVENT_FAIL : OP_FAIL;
}

/* Reports an error that nobody caught. */
static void report_failure(JSContext *ctx, int origin, JSValueConst thrown)
{
    bool exhausted = is_out_of_memory(ctx, thrown);
    if (exhausted) {
        heap_open_reserve();
        guest.spent = true;
    }
    uint8_t buffer[2048];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    uint32_t op = failure_begin(&w, origin);
    write_error(&w, ctx, thrown, 0);
    if (w.failed) {
        /* No memory for the record: say at least that. */
        bool from_memory = heap.refused;
        writer_free(&w);
        writer_init(&w, buffer, sizeof buffer);
        failure_begin(&w, origin);
        writer_cstring(&w, from_memory ? "RangeError" : "Error");
        writer_cstring(&w, from_memory ? "ERR_OUT_OF_MEMORY" : "");
        writer_cstring(&w, from_memory ? "out of memory" : "an error too large to report");
        writer_cstring(&w, "");
        writer_u8(&w, 0);
    }
    env_call(op, w.bytes, w.length, NULL, 0);
    writer_free(&w);
}

#endif
