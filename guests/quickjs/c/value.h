/*
 * Values that isolates pass to each other, as messages of CBOR: the table of
 * what is written how is in host/rpc/value.go. value_write.h makes a message of
 * a value, value_read.h a value of a message; this file has what both know, and
 * value_native.h what the bootstrap gets of them.
 *
 * Functions, stubs, and platform classes that are written in JavaScript, or
 * whose state is better asked for there, are the bootstrap's business. It says
 * by
 *
 *   native.setValueHooks({
 *     encode(object) → [tag, content], or undefined: it can't be passed on
 *     decode(tag, content) → object; for the tags of a single capability the
 *                            content is its handle, and kind is a third argument
 *   })
 *
 * encode is asked about functions, proxies, and objects that are neither plain
 * nor of a class of the language; content is a value, which is written as any
 * other. Within encode, native.capability(kind, handle) adds a capability to the
 * message and answers its index; within decode, native.capabilityAt(index, kind)
 * answers the handle of one, which is then taken.
 */
#ifndef VALUE_H
#define VALUE_H

#include "clone.h"

enum {
    CBOR_UINT = 0 << 5,
    CBOR_NEGATIVE = 1 << 5,
    CBOR_BYTES = 2 << 5,
    CBOR_TEXT = 3 << 5,
    CBOR_ARRAY = 4 << 5,
    CBOR_MAP = 5 << 5,
    CBOR_TAG = 6 << 5,
    CBOR_SIMPLE = 7 << 5,
};

enum { CBOR_FALSE = 0xF4, CBOR_TRUE = 0xF5, CBOR_NULL = 0xF6, CBOR_UNDEFINED = 0xF7, CBOR_F16 = 0xF9, CBOR_F32 = 0xFA, CBOR_F64 = 0xFB };

enum {
    TAG_BIGINT = 2,
    TAG_NEGATIVE_BIGINT = 3,
    TAG_REFERENCE = 29,
    TAG_SET = 258,
    TAG_MAP = 259,
    TAG_SURROGATES = 273,
    TAG_DATA_VIEW = 60000,
    TAG_RESIZABLE = 60001,
    TAG_SPARSE = 60002,
    TAG_BOXED = 60003,
    TAG_DATE = 60004,
    TAG_REGEXP = 60005,
    TAG_ERROR = 60006,
    TAG_DOM_EXCEPTION = 60007,
    TAG_FIRST_CAPABILITY = 60010, /* tags of one capability each */
    TAG_LAST_CAPABILITY = 60014,
    TAG_LAST = 60024,
};

#define VALUE_NESTING 512        /* as MaxNesting of host/rpc */
#define VALUE_LIMIT (32u << 20)  /* bytes of a message */
#define VALUE_CAPABILITIES 10000 /* of a message */
#define SAFE_INTEGER 9007199254740991.0

static struct {
    JSValue encode_hook;
    JSValue decode_hook;
    JSValueConst begin_hook; /* see call.h, whose it is */
} values;

typedef struct ViewTag {
    uint8_t tag; /* of RFC 8746 */
    uint8_t shift;
    uint16_t class_id;
} ViewTag;

static const ViewTag view_tags[] = {
    { 64, 0, JS_CLASS_UINT8_ARRAY },   { 68, 0, JS_CLASS_UINT8C_ARRAY },    { 69, 1, JS_CLASS_UINT16_ARRAY },
    { 70, 2, JS_CLASS_UINT32_ARRAY },  { 71, 3, JS_CLASS_BIG_UINT64_ARRAY }, { 72, 0, JS_CLASS_INT8_ARRAY },
    { 77, 1, JS_CLASS_INT16_ARRAY },   { 78, 2, JS_CLASS_INT32_ARRAY },     { 79, 3, JS_CLASS_BIG_INT64_ARRAY },
    { 84, 1, JS_CLASS_FLOAT16_ARRAY }, { 85, 2, JS_CLASS_FLOAT32_ARRAY },   { 86, 3, JS_CLASS_FLOAT64_ARRAY },
};

static const struct {
    const char *name;
    int kind; /* of the native errors, or -1 */
} error_classes[] = {
    { "Error", -1 },
    { "EvalError", JS_EVAL_ERROR },
    { "RangeError", JS_RANGE_ERROR },
    { "ReferenceError", JS_REFERENCE_ERROR },
    { "SyntaxError", JS_SYNTAX_ERROR },
    { "TypeError", JS_TYPE_ERROR },
    { "URIError", JS_URI_ERROR },
    { "AggregateError", JS_AGGREGATE_ERROR },
};

static JSValueConst error_class_proto(JSContext *ctx, size_t i)
{
    return error_classes[i].kind < 0 ? ctx->class_proto[JS_CLASS_ERROR] : ctx->native_error_proto[error_classes[i].kind];
}

#include "stub.h"
#include "value_items.h"
#include "value_write.h"
#include "value_read.h"
#include "call.h"
#include "value_native.h"

#endif
