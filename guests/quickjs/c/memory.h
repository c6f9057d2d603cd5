/*
 * The end of memory: what the allocator calls when an event has used up what
 * it may use.
 */
#ifndef MEMORY_H
#define MEMORY_H

static bool memory_exhausted; /* the event is over: it used the reserve */

/* The next interrupt point is to end the event. Until then the reserve has to
 * do: so it comes at once, not after thousands of loops. */
static void heap_exhausted(void)
{
    memory_exhausted = true;
    if (guest.context)
        guest.context->interrupt_counter = 1;
}

/* Reports that memory is out, and ends the guest. For where no exception can
 * say so. The host takes a trap after this report for what it is. */
_Noreturn void memory_dead(void);

void memory_dead(void)
{
    static const char name[] = "RangeError", code[] = "ERR_OUT_OF_MEMORY", message[] = "out of memory";
    uint8_t buffer[128];
    Writer w;
    writer_init(&w, buffer, sizeof buffer);
    writer_u8(&w, 0); /* the event's own error */
    writer_cstring(&w, name);
    writer_cstring(&w, code);
    writer_cstring(&w, message);
    writer_cstring(&w, "");
    writer_u8(&w, 0);
    env_call(OP_FAIL, w.bytes, w.length, NULL, 0);
    __builtin_trap();
}

static void heap_dead(void) { memory_dead(); }

#endif
