/*
 * A randomized test of c/alloc.h: blocks never overlap, are aligned, keep what
 * was written to them, and free neighbours merge, so that memory that was all
 * given back can be had again in one piece.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define countof(a) (sizeof(a) / sizeof((a)[0]))
#define ALLOC_TEST
#include "alloc.h"

#define HEAP_BYTES (64u << 20)

/* The allocator keeps addresses in 32 bits: so does the test's heap. */
static char *heap_base(void) { return (char *)0x10000100; }
static uint32_t heap_memory_size(void) { return 0x10000000 + HEAP_BYTES; }

static uint64_t state = 88172645463325252u;

static uint32_t random_below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 16) % n);
}

#define CHECK(condition)                                                        \
    do {                                                                        \
        if (!(condition)) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
            exit(1);                                                            \
        }                                                                       \
    } while (0)

typedef struct {
    unsigned char *at;
    uint32_t n;
    unsigned char fill;
} Live;

#define LIVE 4000
static Live live[LIVE];

static void check_contents(const Live *l)
{
    for (uint32_t i = 0; i < l->n; i++)
        CHECK(l->at[i] == l->fill);
}

static int by_address(const void *a, const void *b)
{
    const Live *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void check_all(void)
{
    static Live sorted[LIVE];
    uint32_t count = 0;
    for (int i = 0; i < LIVE; i++)
        if (live[i].at)
            sorted[count++] = live[i];
    qsort(sorted, count, sizeof *sorted, by_address);
    for (uint32_t i = 0; i < count; i++) {
        check_contents(&sorted[i]);
        CHECK((char *)sorted[i].at >= heap_base());
        CHECK((uintptr_t)sorted[i].at + heap_malloc_usable_size(sorted[i].at) <= heap.break_at);
        if (i > 0)
            CHECK(sorted[i - 1].at + heap_malloc_usable_size(sorted[i - 1].at) <= sorted[i].at);
    }
    /* Every block is in a bin exactly if it is free, and no two free ones are
     * neighbours. */
    uint32_t in_bins = 0, free_blocks = 0;
    for (unsigned i = 0; i < BIN_COUNT; i++) {
        CHECK(!heap.bins[i] == !(heap.bin_map[i >> 5] >> (i & 31) & 1));
        for (Block *b = heap.bins[i]; b; b = b->next) {
            CHECK(b->size & BLOCK_FREE);
            CHECK(bin_of(block_size(b)) == i);
            in_bins++;
        }
    }
    bool previous_free = false;
    uint32_t start = (((uint32_t)(uintptr_t)heap_base() + HEAP_STEP - 1) & ~(HEAP_STEP - 1)) + HEADER;
    for (Block *b = (Block *)(uintptr_t)start; heap.last; b = block_after(b)) {
        bool is_free = b->size & BLOCK_FREE;
        CHECK(!(is_free && previous_free));
        CHECK(!!(b->size & BLOCK_PREVIOUS_FREE) == previous_free);
        free_blocks += is_free;
        previous_free = is_free;
        if (b == heap.last) {
            CHECK((uintptr_t)block_after(b) == heap.break_at);
            break;
        }
    }
    CHECK(in_bins == free_blocks);
}

static uint32_t some_size(void)
{
    switch (random_below(20)) {
    case 0:
        return random_below(200000);
    case 1:
    case 2:
        return random_below(5000);
    case 3:
        return 490 + random_below(80); /* around the largest cell */
    default:
        return random_below(300);
    }
}

static void set(Live *l, void *at, uint32_t n)
{
    CHECK(((uintptr_t)at & 15) == 0);
    CHECK(heap_malloc_usable_size(at) >= n);
    l->at = at;
    l->n = n;
    l->fill = (unsigned char)random_below(256);
    memset(at, l->fill, n);
}

int main(void)
{
    void *want = (void *)0x10000000;
    CHECK(mmap(want, HEAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == want);

    for (int round = 0; round < 300000; round++) {
        Live *l = &live[random_below(LIVE)];
        uint32_t n = some_size();
        if (!l->at) {
            void *at = random_below(4) ? heap_malloc(n) : heap_calloc(1, n);
            if (at)
                set(l, at, n);
            else
                CHECK(heap.refused);
        } else if (random_below(3) == 0) {
            check_contents(l);
            unsigned char *at = heap_realloc(l->at, n);
            if (n == 0) {
                l->at = NULL;
            } else if (at) {
                uint32_t kept = n < l->n ? n : l->n;
                for (uint32_t i = 0; i < kept; i++)
                    CHECK(at[i] == l->fill);
                set(l, at, n);
            } else {
                CHECK(heap.refused);
                check_contents(l);
            }
        } else {
            check_contents(l);
            heap_free(l->at);
            l->at = NULL;
        }
        if (round % 5000 == 0)
            check_all();
        if (round == 150000)
            heap_seal();
    }
    check_all();

    /* calloc zeroes what was used before. */
    for (int i = 0; i < 1000; i++) {
        uint32_t n = some_size();
        unsigned char *at = heap_calloc(1, n);
        if (!at)
            continue;
        for (uint32_t j = 0; j < n; j++)
            CHECK(at[j] == 0);
        heap_free(at);
    }

    /* The limit holds, with its reserve opened once. */
    uint32_t at = heap.break_at;
    heap_set_limit(1 << 20);
    while (heap_malloc(10000))
        ;
    CHECK(heap.refused && heap.break_at <= at + (1 << 20));
    heap_open_reserve();
    heap_open_reserve();
    while (heap_malloc(10000))
        ;
    CHECK(heap.break_at <= at + (1 << 20) + HEAP_RESERVE);
    heap_set_limit(0);

    /* Nonsense is refused. */
    CHECK(!heap_malloc(SIZE_MAX) && !heap_malloc(0x80000000u) && !heap_calloc(1u << 31, SIZE_MAX / 4));
    void *p = heap_malloc(1);
    CHECK(!heap_realloc(p, SIZE_MAX - 4) && !heap_aligned_alloc(64, 64));

    /* What large blocks leave merges again. */
    void *blocks[200];
    for (int i = 0; i < 200; i++)
        CHECK((blocks[i] = heap_malloc(20000)));
    uint32_t before = heap.break_at;
    for (int i = 0; i < 200; i += 2)
        heap_free(blocks[i]);
    for (int i = 1; i < 200; i += 2)
        heap_free(blocks[i]);
    CHECK(heap_malloc(200 * 20000 - 4096));
    CHECK(heap.break_at == before);
    return 0;
}
