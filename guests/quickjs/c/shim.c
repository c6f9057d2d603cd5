/*
 * The QuickJS guest: one unit, so that the interpreter's internals are within
 * reach of what is built around it without a patch to it. The parts are
 * headers by topic; the order below is the order of their dependence.
 */
#include "platform.h"
#include "op.gen.h"
#include "capture.h"

#include "quickjs.c"

#include "alloc.h"
#include "codec.h"
#include "host.h"
#include "guest.h"
#include "memory.h"
#include "context.h"
#include "ops.h"
#include "errors.h"
#include "modules.h"
#include "events.h"
#include "result.h"
#include "seal.h"
#include "run.h"
#include "invoke.h"
#include "cell.h"
#include "serve.h"
#include "entry.h"
#include "native.h"
#include "interrupt.h"
#include "wasm.h"
#include "web.h"
#include "messages.h"
#include "lease.h"
#include "shown.h"

/* Stack of the wasm module that JavaScript may use; the linker gives it
 * 512 KiB, the rest is for the C functions that don't ask. */
#define STACK_LIMIT 393216

/* Takes away what needs shared memory or other threads. */
static int remove_globals(JSContext *ctx, JSValueConst global)
{
    static const char *const names[] = {"SharedArrayBuffer", "Atomics"};
    for (size_t i = 0; i < countof(names); i++) {
        JSAtom name = JS_NewAtom(ctx, names[i]);
        int removed = JS_DeleteProperty(ctx, global, name, 0);
        JS_FreeAtom(ctx, name);
        if (removed < 0)
            return -1;
    }
    return 0;
}

/* Makes the interpreter. 0, or -1. */
HOST_EXPORT("init") int32_t guest_init(void)
{
    JSRuntime *rt = JS_NewRuntime();
    if (!rt)
        return -1;
    guest.runtime = rt;
    JS_SetMaxStackSize(rt, STACK_LIMIT);
    JS_SetHostPromiseRejectionTracker(rt, rejection_tracker, NULL);
    JS_SetCanBlock(rt, false);
    JSContext *ctx = JS_NewContext(rt);
    if (!ctx)
        return -1;
    guest.context = ctx;
    guest.native = guest.env = guest.emitter = guest.execution = guest.prepared = run.promise = run.input = JS_UNDEFINED;
    for (int i = 0; i < EVENT_HOOKS; i++)
        guest.hooks[i] = JS_UNDEFINED;
    guest.allow_eval = true;
    interrupt_init(ctx);
    JSValue global = JS_GetGlobalObject(ctx);
    int failed = remove_globals(ctx, global) || native_init(ctx) || wasm_init(ctx) || execution_init(ctx) || modules_init(ctx) ||
                 web_init(ctx, global, guest.native) || messages_init(ctx, guest.native) || lease_init(ctx, guest.native);
    JS_FreeValue(ctx, global);
    if (failed) {
        fail_event(ctx);
        return -1;
    }
    return 0;
}

/* Hands over the source of one of our modules. Both texts are blocks of
 * alloc, with a NUL behind the length, and belong to the guest from then on. */
HOST_EXPORT("boot_module") int32_t guest_boot_module(char *name, char *source, uint32_t length)
{
    BootSource *s = malloc(sizeof *s);
    if (!s)
        return -1;
    *s = (BootSource){boot_sources, name, source, length};
    boot_sources = s;
    return 0;
}

/* Evaluates one of our modules, and those that it imports. 0, or -1 with the
 * error reported. */
HOST_EXPORT("boot_run") int32_t guest_boot_run(const char *name)
{
    JSContext *ctx = guest.context;
    run.phase = RUN_IDLE;
    JSValue promise = JS_LoadModule(ctx, name, name);
    if (JS_IsException(promise)) {
        fail_event(ctx);
        return -1;
    }
    JS_PromiseMarkAsHandled(ctx, promise);
    do
        pump(ctx);
    while (report_rejection(ctx));
    int failed = 0;
    if (run.phase == RUN_ENDED) {
        failed = 1; /* a job or a rejection, reported */
    } else if (JS_PromiseState(ctx, promise) == JS_PROMISE_REJECTED) {
        JS_Throw(ctx, JS_PromiseResult(ctx, promise));
        fail_event(ctx);
        failed = 1;
    } else if (JS_PromiseState(ctx, promise) == JS_PROMISE_PENDING || operations.live) {
        JS_ThrowPlainError(ctx, "module %s waits for something at boot", name);
        fail_event(ctx);
        failed = 1;
    }
    JS_FreeValue(ctx, promise);
    return failed ? -1 : 0;
}

/* Ends the boot: what the image is taken of. */
HOST_EXPORT("seal") void guest_seal(void)
{
    boot_sources_free();
    JS_RunGC(guest.runtime);
    guest.booted = true;
    guest.allow_eval = false;
    run.phase = RUN_IDLE;
    shown_seal(guest.context);
    image_seal(guest.runtime);
}

/* Begins a life on a clone of the image. */
HOST_EXPORT("begin") void guest_begin(uint32_t seed_low, uint32_t seed_high, uint32_t memory)
{
    JSRuntime *rt = guest.runtime;
    if (door.interrupted) /* of a cell before */
        door.interrupted = 0;
    uint64_t seed = (uint64_t)seed_high << 32 | seed_low;
    guest.context->random_state = seed ? seed : 1; /* the generator's state is never 0 */
    heap_set_limit(memory);
    uint32_t room = heap.break_limit - heap.break_at;
    uint32_t first = is_serving() ? GC_FIRST_SERVING : GC_FIRST;
    JS_SetGCThreshold(rt, rt->malloc_state.malloc_size + (room / 2 < first ? room / 2 : first));
    gc_ceiling = rt->malloc_state.malloc_size + room - room / 4;
}

HOST_EXPORT("alloc") void *guest_alloc(uint32_t n) { return malloc(n); }
HOST_EXPORT("free") void guest_free(void *p) { free(p); }
HOST_EXPORT("mailbox") void *guest_mailbox(void) { return mailbox; }
HOST_EXPORT("heap_top") uint32_t guest_heap_top(void) { return heap.break_at; }
HOST_EXPORT("gc") void guest_gc(void) { JS_RunGC(guest.runtime); }
