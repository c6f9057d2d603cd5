/*
 * Where the interpreter lets go of what it will run later: reactions to
 * promises, await among them, microtasks, and the jobs that follow thenables.
 * Calls of these two functions inside quickjs.c go to context.h, which gives
 * callbacks the asynchronous context of now. What is called and what is
 * declared is told apart by the first token of the arguments: a declaration
 * begins with a type.
 */
#ifndef CAPTURE_H
#define CAPTURE_H

#include "quickjs.h"

static int captured_then(JSContext *ctx, JSValueConst promise, JSValueConst *handlers, JSValueConst *resolving);
static int captured_job(JSContext *ctx, JSJobFunc *job, int argc, JSValueConst *argv);

#define perform_promise_then(first, ...) THEN_##first, __VA_ARGS__)
#define THEN_JSContext interpreter_then(JSContext
#define THEN_ctx captured_then(ctx

#define JS_EnqueueJob(first, ...) JOB_##first, __VA_ARGS__)
#define JOB_JSContext interpreter_job(JSContext
#define JOB_ctx captured_job(ctx
#define JOB_fre interpreter_job(fre

#endif
