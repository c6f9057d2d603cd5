/*
 * The parser of json.h for text of one width: JSON_UNIT is its unit, JSON_NAME
 * names a function for it, JSON_WIDE is defined for 16 bits. Included twice.
 *
 * A function that answers JS_EXCEPTION has an exception pending only if memory
 * was out; else the text is for QuickJS's own parser to judge.
 */

static const JSON_UNIT *JSON_NAME(json_space)(const JSON_UNIT *at, const JSON_UNIT *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* A string of units without escapes. */
static JSValue JSON_NAME(json_plain_string)(JSContext *ctx, const JSON_UNIT *from, uint32_t n, uint32_t all)
{
    if (n == 0)
        return js_empty_string(ctx->rt);
#ifdef JSON_WIDE
    JSString *s = js_alloc_string(ctx, (int)n, all > 0xFF);
    if (!s)
        return JS_EXCEPTION;
    if (all > 0xFF) {
        memcpy(str16(s), from, n * sizeof *from);
    } else {
        for (uint32_t i = 0; i < n; i++)
            str8(s)[i] = (uint8_t)from[i];
        str8(s)[n] = 0;
    }
    return string_value(s);
#else
    return js_new_string8_len(ctx, (const char *)from, (int)n);
#endif
}

/* A string; *text is behind its first quote, then behind its last. */
static JSValue JSON_NAME(json_string)(JSContext *ctx, const JSON_UNIT **text, const JSON_UNIT *end)
{
    const JSON_UNIT *from = *text, *at = from;
    uint32_t all = 0;
    for (;; at++) {
        if (at == end || *at < 0x20)
            return JS_EXCEPTION;
        if (*at == '"' || *at == '\\')
            break;
        all |= *at;
    }
    if (*at == '"') {
        *text = at + 1;
        return JSON_NAME(json_plain_string)(ctx, from, (uint32_t)(at - from), all);
    }
    StringBuffer buffer, *b = &buffer;
    if (string_buffer_init(ctx, b, (int)(at - from) + 16))
        return JS_EXCEPTION;
    for (;;) {
#ifdef JSON_WIDE
        string_buffer_write16(b, from, (int)(at - from));
#else
        string_buffer_write8(b, from, (int)(at - from));
#endif
        if (*at == '"')
            break;
        if (end - at < 2)
            goto wrong;
        uint32_t c = at[1];
        at += 2;
        switch (c) {
        case '"': case '\\': case '/':
            break;
        case 'b':
            c = '\b';
            break;
        case 'f':
            c = '\f';
            break;
        case 'n':
            c = '\n';
            break;
        case 'r':
            c = '\r';
            break;
        case 't':
            c = '\t';
            break;
        case 'u': {
            if (end - at < 4)
                goto wrong;
            int v = json_hex((const uint32_t[]){at[0], at[1], at[2], at[3]});
            if (v < 0)
                goto wrong;
            c = (uint32_t)v;
            at += 4;
            break;
        }
        default:
            goto wrong;
        }
        string_buffer_putc16(b, c);
        for (from = at;; at++) {
            if (at == end || *at < 0x20)
                goto wrong;
            if (*at == '"' || *at == '\\')
                break;
        }
    }
    *text = at + 1;
    return string_buffer_end(b);
wrong:
    string_buffer_free(b);
    return JS_EXCEPTION;
}

/* The name of a property; JS_ATOM_NULL where a string would be JS_EXCEPTION. */
static JSAtom JSON_NAME(json_key)(JsonParser *j, const JSON_UNIT **text, const JSON_UNIT *end)
{
    const JSON_UNIT *from = *text, *at = from;
    uint32_t hash = 0;
    while (at < end && *at >= 0x20 && *at < 0x100 && *at != '"' && *at != '\\')
        hash = hash * 31 + *at++;
    uint32_t place = (hash ^ hash >> 6) & (JSON_KEYS - 1);
    JSAtom known = j->keys[place].atom;
    if (at < end && *at == '"' && known != JS_ATOM_NULL && j->keys[place].hash == hash) {
        JSString *s = j->ctx->rt->atom_array[known];
        uint32_t n = (uint32_t)(at - from), i = 0;
        if (s->len == n && !s->is_wide_char) {
            while (i < n && str8(s)[i] == from[i])
                i++;
            if (i == n) {
                *text = at + 1;
                return JS_DupAtom(j->ctx, known);
            }
        }
    }
    JSValue name = JSON_NAME(json_string)(j->ctx, text, end);
    if (JS_IsException(name))
        return JS_ATOM_NULL;
    JSAtom atom = JS_ValueToAtom(j->ctx, name);
    JS_FreeValue(j->ctx, name);
    if (atom != JS_ATOM_NULL && !__JS_AtomIsTaggedInt(atom) && at < end && *at == '"') {
        JS_FreeAtom(j->ctx, known);
        j->keys[place].atom = JS_DupAtom(j->ctx, atom);
        j->keys[place].hash = hash;
    }
    return atom;
}

static JSValue JSON_NAME(json_number)(const JSON_UNIT **text, const JSON_UNIT *end)
{
    const JSON_UNIT *from = *text, *at = from;
    uint64_t digits = 0;
    int count = 0, scale = 0;
    bool negative = at < end && *at == '-';
    at += negative;
    if (at == end || *at < '0' || *at > '9')
        return JS_EXCEPTION;
    if (*at == '0') {
        at++;
        if (at < end && *at >= '0' && *at <= '9')
            return JS_EXCEPTION;
    } else {
        for (; at < end && *at >= '0' && *at <= '9'; at++, count++)
            digits = count < 18 ? digits * 10 + (*at - '0') : digits;
    }
    bool whole = true;
    if (at < end && *at == '.') {
        whole = false;
        const JSON_UNIT *point = at++;
        for (; at < end && *at >= '0' && *at <= '9'; at++) {
            digits = count < 18 ? digits * 10 + (*at - '0') : digits;
            count += count > 0 || *at != '0';
        }
        if (at == point + 1)
            return JS_EXCEPTION;
        scale = (int)(point + 1 - at);
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        whole = false;
        at++;
        bool minus = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        if (at == end || *at < '0' || *at > '9')
            return JS_EXCEPTION;
        int exponent = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++)
            exponent = exponent < 10000 ? exponent * 10 + (*at - '0') : exponent;
        scale += minus ? -exponent : exponent;
    }
    *text = at;
    if (whole && count <= 9 && !(negative && digits == 0))
        return js_int32(negative ? -(int32_t)digits : (int32_t)digits);
    if (count <= 15 && scale >= -22 && scale <= 22) {
        /* Both are exact, so that one operation rounds once. */
        double d = scale < 0 ? (double)digits / json_powers[-scale] : (double)digits * json_powers[scale];
        return js_number(negative ? -d : d);
    }
    char copy[128];
    if (at - from >= (ptrdiff_t)sizeof copy)
        return JS_EXCEPTION;
    int n = (int)(at - from);
    for (int i = 0; i < n; i++)
        copy[i] = (char)from[i];
    copy[n] = 0;
    JSATODTempMem memory;
    return js_number(js_atod(copy, NULL, 10, 0, &memory));
}

static JSValue JSON_NAME(json_value)(JsonParser *j, const JSON_UNIT **text, const JSON_UNIT *end, int depth);

static JSValue JSON_NAME(json_object)(JsonParser *j, const JSON_UNIT **text, const JSON_UNIT *end, int depth)
{
    JSValue object = JS_NewObject(j->ctx);
    if (JS_IsException(object))
        return object;
    JSObject *p = JS_VALUE_GET_OBJ(object);
    const JSON_UNIT *at = JSON_NAME(json_space)(*text, end);
    if (at < end && *at == '}') {
        *text = at + 1;
        return object;
    }
    for (;;) {
        if (at == end || *at != '"')
            goto wrong;
        at++;
        JSAtom name = JSON_NAME(json_key)(j, &at, end);
        if (name == JS_ATOM_NULL)
            goto wrong;
        at = JSON_NAME(json_space)(at, end);
        JSValue v = JS_EXCEPTION;
        if (at < end && *at == ':') {
            at++;
            v = JSON_NAME(json_value)(j, &at, end, depth);
        }
        JSProperty *property = NULL;
        if (!JS_IsException(v)) {
            if (find_own_property(&property, p, name)) {
                set_value(j->ctx, &property->u.value, v); /* the last one counts */
            } else {
                property = add_property(j->ctx, p, name, JS_PROP_C_W_E);
                if (property)
                    property->u.value = v;
                else
                    JS_FreeValue(j->ctx, v);
            }
        }
        JS_FreeAtom(j->ctx, name);
        if (!property)
            goto wrong;
        at = JSON_NAME(json_space)(at, end);
        if (at == end)
            goto wrong;
        if (*at == '}') {
            *text = at + 1;
            return object;
        }
        if (*at != ',')
            goto wrong;
        at = JSON_NAME(json_space)(at + 1, end);
    }
wrong:
    JS_FreeValue(j->ctx, object);
    return JS_EXCEPTION;
}

static JSValue JSON_NAME(json_array)(JsonParser *j, const JSON_UNIT **text, const JSON_UNIT *end, int depth)
{
    uint32_t base = j->count;
    const JSON_UNIT *at = JSON_NAME(json_space)(*text, end);
    if (at < end && *at == ']') {
        *text = at + 1;
        return JS_NewArray(j->ctx);
    }
    for (;;) {
        JSValue v = JSON_NAME(json_value)(j, &at, end, depth);
        if (JS_IsException(v) || json_push(j, v))
            return JS_EXCEPTION; /* what was pushed is freed with the parser */
        at = JSON_NAME(json_space)(at, end);
        if (at == end)
            return JS_EXCEPTION;
        if (*at == ']')
            break;
        if (*at++ != ',')
            return JS_EXCEPTION;
    }
    *text = at + 1;
    uint32_t n = j->count - base;
    j->count = base;
    return JS_NewArrayFrom(j->ctx, (int)n, j->values + base);
}

static JSValue JSON_NAME(json_value)(JsonParser *j, const JSON_UNIT **text, const JSON_UNIT *end, int depth)
{
    static const struct {
        char name[6];
        uint8_t length;
        JSValue value;
    } words[] = {{"true", 4, JS_TRUE}, {"false", 5, JS_FALSE}, {"null", 4, JS_NULL}};
    const JSON_UNIT *at = JSON_NAME(json_space)(*text, end);
    if (at == end)
        return JS_EXCEPTION;
    JSValue v = JS_EXCEPTION;
    switch (*at) {
    case '"':
        at++;
        v = JSON_NAME(json_string)(j->ctx, &at, end);
        break;
    case '{':
    case '[':
        if (depth == JSON_DEPTH)
            return JS_EXCEPTION;
        at++;
        v = at[-1] == '{' ? JSON_NAME(json_object)(j, &at, end, depth + 1) : JSON_NAME(json_array)(j, &at, end, depth + 1);
        break;
    case 't':
    case 'f':
    case 'n':
        for (size_t w = 0; w < countof(words); w++) {
            int n = words[w].length, i = 0;
            if (end - at < n)
                continue;
            while (i < n && at[i] == (uint8_t)words[w].name[i])
                i++;
            if (i == n) {
                *text = at + n;
                return words[w].value;
            }
        }
        return JS_EXCEPTION;
    default:
        v = JSON_NAME(json_number)(&at, end);
    }
    *text = at;
    return v;
}

static JSValue JSON_NAME(json_document)(JsonParser *j, const JSON_UNIT *at, const JSON_UNIT *end)
{
    JSValue v = JSON_NAME(json_value)(j, &at, end, 0);
    if (!JS_IsException(v) && JSON_NAME(json_space)(at, end) != end) {
        JS_FreeValue(j->ctx, v);
        v = JS_EXCEPTION;
    }
    return v;
}
