/*
 * The door to the host: four imports, and what is made of them.
 *
 * Synchronous operations are answered within the call. Small answers come back
 * in the mailbox, a page-aligned buffer that both sides know: no allocation on
 * either. The answer in the mailbox is valid until the next operation of any
 * kind, a clock reading included.
 */
#ifndef HOST_H
#define HOST_H

#define HOST_IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define HOST_EXPORT(name) __attribute__((export_name(name), used))

/* Called when fuel has run out, and from QuickJS's own interrupt points. */
HOST_IMPORT("yield") void env_yield(void);

/* Performs operation op. Answers the length n of the result, or ~n for an
 * error record of length n. The result is in out if it fitted into capacity,
 * else it waits to be taken. */
HOST_IMPORT("call")
int32_t env_call(uint32_t op, const void *in, uint32_t length, void *out, uint32_t capacity);

/* Copies the result of the last call, which was longer than its capacity. */
HOST_IMPORT("take") void env_take(void *out);

/* Begins operation op, to be settled under id in a later turn. */
HOST_IMPORT("start") void env_start(uint32_t op, uint32_t id, const void *in, uint32_t length);

/* Events and settlements whose message fits are delivered here, too. Behind it
 * lies a word that the host sets to interrupt the event that runs. */
#define MAILBOX_SIZE 65536
static struct {
    uint8_t mailbox[MAILBOX_SIZE];
    volatile uint32_t interrupted;
} door __attribute__((aligned(4096)));
#define mailbox door.mailbox

/* The answer to a synchronous operation: a range of bytes with a NUL behind
 * it, in the mailbox or on the heap. */
typedef struct Answer {
    uint8_t *bytes;
    uint32_t length;
    bool ok;       /* false: the bytes are an error record, or out of memory */
    bool on_heap;
} Answer;

static void answer_free(Answer *a)
{
    if (a->on_heap)
        free(a->bytes);
    a->on_heap = false;
}

/* Performs an operation. Where the answer finds no memory, it is not ok and
 * bytes is NULL. */
static Answer host_call(uint32_t op, const void *in, uint32_t length)
{
    Answer a = {.bytes = mailbox};
    int32_t n = env_call(op, in, length, mailbox, MAILBOX_SIZE - 1);
    a.ok = n >= 0;
    a.length = (uint32_t)(a.ok ? n : ~n);
    if (a.length >= MAILBOX_SIZE) {
        a.bytes = malloc((size_t)a.length + 1);
        if (!a.bytes) {
            a.ok = false;
            a.length = 0;
            return a;
        }
        a.on_heap = true;
        env_take(a.bytes);
    }
    a.bytes[a.length] = 0;
    return a;
}

/* Keeps an answer beyond the next operation: moves it out of the mailbox.
 * False if there is no memory; the answer is then not ok, with no bytes. */
static bool answer_keep(Answer *a)
{
    if (a->on_heap || !a->bytes)
        return a->bytes != NULL;
    uint8_t *kept = malloc((size_t)a->length + 1);
    if (kept) {
        memcpy(kept, a->bytes, (size_t)a->length + 1);
        a->on_heap = true;
    } else {
        a->ok = false;
        a->length = 0;
    }
    a->bytes = kept;
    return kept != NULL;
}

static void host_clock(double *unix_ms, double *monotonic_ms)
{
    double times[2] = {0, 0};
    env_call(OP_CLOCK, times, 0, times, sizeof times);
    *unix_ms = times[0];
    *monotonic_ms = times[1];
}

#endif
