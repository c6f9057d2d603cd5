/*
 * The web classes that are written in C. Each file of them defines
 *
 *     static int <name>_init(JSContext *ctx, JSValueConst global, JSValueConst native);
 *
 * which is called once, at boot, before any JavaScript: it registers classes,
 * defines the public names on global, and may put services for the bootstrap
 * on native, an object that user code never sees. 0, or -1 with an exception
 * pending.
 *
 * What the rest of the unit offers them: codec.h (Writer, Reader, Payload),
 * host.h (host_call), ops.h (throw_answer, operation_start), and everything
 * inside quickjs.c.
 */
#ifndef WEB_H
#define WEB_H

#if __has_include("encoding.h")
#include "encoding.h"
#define WEB_ENCODING
#endif
#if __has_include("json.h")
#include "json.h"
#define WEB_JSON
#endif
#if __has_include("url.h")
#include "url.h"
#define WEB_URL
#endif
#if __has_include("headers.h")
#include "headers.h"
#define WEB_HEADERS
#endif
#if __has_include("blob.h")
#include "blob.h"
#define WEB_BLOB
#endif
#if __has_include("body.h")
#include "body.h"
#define WEB_BODY
#endif
#if __has_include("clone.h")
#include "clone.h"
#define WEB_CLONE
#endif
#if __has_include("value.h")
#include "value.h"
#define WEB_VALUE
#endif

static int web_init(JSContext *ctx, JSValueConst global, JSValueConst native)
{
    typedef int Init(JSContext *, JSValueConst, JSValueConst);
    static Init *const inits[] = {
#ifdef WEB_ENCODING
        encoding_init,
#endif
#ifdef WEB_JSON
        json_init,
#endif
#ifdef WEB_URL
        url_init,
#endif
#ifdef WEB_HEADERS
        headers_init,
#endif
#ifdef WEB_BLOB
        blob_init,
#endif
#ifdef WEB_BODY
        body_init,
#endif
#ifdef WEB_CLONE
        clone_init,
#endif
#ifdef WEB_VALUE
        value_init,
#endif
        NULL,
    };
    for (int i = 0; inits[i]; i++)
        if (inits[i](ctx, global, native))
            return -1;
    return 0;
}

#endif
