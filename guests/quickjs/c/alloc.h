/*
 * The allocator. zig's libc would bring one that grows the memory by
 * memory.grow and never merges blocks; growth is not undone by putting pages
 * back, so a slot would run dry after some hundred lives. Here the end of the
 * heap (the break) is a variable in linear memory, memory is declared at its
 * full size, and nothing ever grows: restoring the image restores the heap.
 *
 * Small cells, up to 512 bytes with their header, come in steps of 16 bytes
 * from runs that all sizes share, one after the other: what a short event
 * allocates lies side by side, on few pages. Freed cells go on a list of their
 * size. Larger blocks carry boundary tags, lie in bins by size, and merge with
 * free neighbours when freed.
 *
 * Allocations of up to HEAP_SURE bytes never fail: the interpreter does not
 * survive that everywhere (an Array made by a subclass's constructor writes
 * through a null pointer). They get a reserve behind the limit, and with the
 * first that does the event is over; when the reserve is used up, too, so is
 * the guest, at once. Larger ones fail, as an error that can be caught.
 *
 * Every block has an 8-byte header in front of its payload, which is aligned
 * to 16. The second word tells the kinds apart.
 */
#ifndef ALLOC_H
#define ALLOC_H

#ifdef ALLOC_TEST
/* The test brings its own heap, and names that don't collide with libc's. */
static char *heap_base(void);
static uint32_t heap_memory_size(void);
#define ALLOC_NAME(name) heap_##name
#define HEAP_SURE 0u
static void heap_exhausted(void) {}
static void heap_dead(void) {}
#else
extern char __heap_base;
static char *heap_base(void) { return &__heap_base; }
static uint32_t heap_memory_size(void)
{
    /* The last page is left out, so that no end of a block is 2^32. */
    return (uint32_t)__builtin_wasm_memory_size(0) * 65536 - 65536;
}
#define ALLOC_NAME(name) name
#define HEAP_SURE 8192u
/* Defined in memory.h. */
static void heap_exhausted(void);
_Noreturn static void heap_dead(void);
#endif

#define CELL_FLAG 0x80000000u   /* second header word of a small cell: flag | class */
#define CELL_STEP 16u
#define CELL_MAX 512u           /* largest cell, header included */
#define CELL_CLASSES (CELL_MAX / CELL_STEP + 1)
#define RUN_SIZE 16384u         /* bytes of cells that are set aside at once */

#define BLOCK_FREE 1u           /* second header word of a block: size | flags */
#define BLOCK_PREVIOUS_FREE 2u  /* then the first header word is that one's size */
#define BLOCK_SIZE_MASK (~15u)
#define BLOCK_MIN 544u          /* a remainder below this stays with the block */
#define BLOCK_MAX 0x7ff00000u
#define BIN_COUNT 112
#define HEAP_STEP 4096u         /* the break moves by pages of the host */
#define HEAP_RESERVE (256u << 10)
#define HEAP_LARGE (64u << 10)  /* blocks that heap_set_aside takes */

typedef struct Block {
    uint32_t previous_size; /* valid if BLOCK_PREVIOUS_FREE */
    uint32_t size;          /* of the whole block, with flags */
    struct Block *next, *previous; /* in its bin, if free; else payload */
} Block;

typedef struct Cell {
    uint32_t unused;
    uint32_t kind;     /* CELL_FLAG | class */
    struct Cell *next; /* on the free list; else payload */
} Cell;

#define HEADER 8u

static struct {
    uint32_t break_at;   /* end of the heap; 0 before the first use */
    uint32_t break_limit;
    uint32_t memory_end; /* what the limit can't exceed */
    bool refused;        /* an allocation has failed for lack of memory */
    bool reserve_open;   /* the limit has been moved, once, into the reserve */
    Cell *cells[CELL_CLASSES];
    char *run, *run_end; /* the rest of the current run */
    Block *bins[BIN_COUNT];
    uint32_t bin_map[(BIN_COUNT + 31) / 32]; /* bins that are not empty */
    Block *last;         /* the block that ends at the break */
} heap;

static inline uint32_t block_size(const Block *b) { return b->size & BLOCK_SIZE_MASK; }
static inline Block *block_after(Block *b) { return (Block *)((char *)b + block_size(b)); }
static inline void *block_payload(Block *b) { return (char *)b + HEADER; }

/* Four bins to a power of two. */
static inline unsigned bin_of(uint32_t size)
{
    unsigned log = 31 - (unsigned)__builtin_clz(size);
    return ((log - 4) << 2) + ((size >> (log - 2)) & 3);
}

static void bin_insert(Block *b)
{
    unsigned i = bin_of(block_size(b));
    b->previous = NULL;
    b->next = heap.bins[i];
    if (b->next)
        b->next->previous = b;
    heap.bins[i] = b;
    heap.bin_map[i >> 5] |= 1u << (i & 31);
}

static void bin_remove(Block *b)
{
    unsigned i = bin_of(block_size(b));
    if (b->previous)
        b->previous->next = b->next;
    else
        heap.bins[i] = b->next;
    if (b->next)
        b->next->previous = b->previous;
    if (!heap.bins[i])
        heap.bin_map[i >> 5] &= ~(1u << (i & 31));
}

/* Makes b, which is in no bin, a free block of this size. */
static void block_release(Block *b, uint32_t size)
{
    b->size = size | BLOCK_FREE | (b->size & BLOCK_PREVIOUS_FREE);
    if (b != heap.last) {
        Block *after = block_after(b);
        after->previous_size = size;
        after->size |= BLOCK_PREVIOUS_FREE;
    }
    bin_insert(b);
}

static void block_free(Block *b)
{
    uint32_t size = block_size(b);
    if (b != heap.last) {
        Block *after = block_after(b);
        if (after->size & BLOCK_FREE) {
            bin_remove(after);
            size += block_size(after);
            if (after == heap.last)
                heap.last = b;
        }
    }
    if (b->size & BLOCK_PREVIOUS_FREE) {
        Block *before = (Block *)((char *)b - b->previous_size);
        bin_remove(before);
        size += block_size(before);
        if (b == heap.last)
            heap.last = before;
        b = before; /* two free blocks are never neighbours */
    }
    block_release(b, size);
}

/* Uses the first size bytes of b, which is in no bin; frees the rest. */
static void *block_take(Block *b, uint32_t size)
{
    uint32_t whole = block_size(b);
    uint32_t flag = b->size & BLOCK_PREVIOUS_FREE;
    if (whole - size >= BLOCK_MIN) {
        b->size = size | flag;
        Block *rest = block_after(b);
        rest->size = 0;
        if (b == heap.last)
            heap.last = rest;
        block_release(rest, whole - size);
    } else {
        b->size = whole | flag;
        if (b != heap.last)
            block_after(b)->size &= ~BLOCK_PREVIOUS_FREE;
    }
    return block_payload(b);
}

static void heap_start(void)
{
    heap.break_at = ((uint32_t)(uintptr_t)heap_base() + HEAP_STEP - 1) & ~(HEAP_STEP - 1);
    /* Headers lie 8 bytes before a multiple of 16, so that payloads are on one. */
    heap.break_at += HEADER;
    heap.memory_end = heap_memory_size();
    heap.break_limit = heap.memory_end;
}

/* Moves the break up by n. */
static bool heap_extend(uint32_t n)
{
    if (n > heap.break_limit || heap.break_at > heap.break_limit - n) {
        heap.refused = true;
        return false;
    }
    heap.break_at += n;
    return true;
}

static void *block_alloc(uint32_t want)
{
    if (want > BLOCK_MAX) {
        heap.refused = true;
        return NULL;
    }
    uint32_t size = (want + HEADER + 15) & BLOCK_SIZE_MASK;
    if (size < BLOCK_MIN)
        size = BLOCK_MIN;
    unsigned i = bin_of(size);
    /* Blocks in the same bin may be too small: try a few. */
    int tries = 8;
    for (Block *b = heap.bins[i]; b && tries > 0; b = b->next, tries--) {
        if (block_size(b) >= size) {
            bin_remove(b);
            return block_take(b, size);
        }
    }
    /* Blocks in higher bins all fit. */
    i++;
    for (unsigned word = i >> 5; word < countof(heap.bin_map); word++) {
        uint32_t map = heap.bin_map[word];
        if (word == i >> 5)
            map &= ~0u << (i & 31);
        if (map) {
            Block *b = heap.bins[(word << 5) + (unsigned)__builtin_ctz(map)];
            bin_remove(b);
            return block_take(b, size);
        }
    }
    if (!heap.break_at)
        heap_start();
    Block *last = heap.last && (heap.last->size & BLOCK_FREE) ? heap.last : NULL;
    uint32_t have = last ? block_size(last) : 0; /* less than size, or it had been found */
    if (have >= size) {
        bin_remove(last);
        return block_take(last, size);
    }
    uint32_t need = (size - have + HEAP_STEP - 1) & ~(HEAP_STEP - 1);
    Block *b = last ? last : (Block *)((char *)heap_base() + (heap.break_at - (uint32_t)(uintptr_t)heap_base()));
    if (!heap_extend(need))
        return NULL;
    if (last)
        bin_remove(last);
    else
        b->size = 0; /* the block before it, if any, is in use */
    b->size = (have + need) | (b->size & BLOCK_PREVIOUS_FREE);
    heap.last = b;
    return block_take(b, size);
}

static void cell_free(Cell *c)
{
    unsigned class = c->kind & 63;
    c->next = heap.cells[class];
    heap.cells[class] = c;
}

static void *cell_alloc(unsigned class)
{
    Cell *c = heap.cells[class];
    if (c) {
        heap.cells[class] = c->next;
        return (char *)c + HEADER;
    }
    uint32_t size = class * CELL_STEP;
    if ((uint32_t)(heap.run_end - heap.run) < size) {
        char *run = block_alloc(RUN_SIZE - HEADER);
        if (!run)
            return NULL;
        /* What is left of the old run becomes one cell. */
        uint32_t left = (uint32_t)(heap.run_end - heap.run);
        if (left >= 2 * CELL_STEP) {
            Cell *rest = (Cell *)heap.run;
            rest->kind = CELL_FLAG | left / CELL_STEP;
            cell_free(rest);
        }
        /* Payloads are on 16; so headers are 8 behind one. */
        heap.run = run + HEADER;
        heap.run_end = heap.run + (((RUN_SIZE - HEADER) - HEADER) & ~(CELL_STEP - 1));
    }
    c = (Cell *)heap.run;
    heap.run += size;
    c->kind = CELL_FLAG | class;
    return (char *)c + HEADER;
}

/* Opens the reserve. False if it has been open. */
static bool heap_open_reserve(void)
{
    if (heap.reserve_open)
        return false;
    heap.reserve_open = true;
    if (heap.memory_end - heap.break_limit >= HEAP_RESERVE)
        heap.break_limit += HEAP_RESERVE;
    return true;
}

static void *heap_take(uint32_t n)
{
    if (n > CELL_MAX - HEADER)
        return block_alloc(n);
    unsigned class = (n + HEADER + CELL_STEP - 1) / CELL_STEP;
    return cell_alloc(class < 2 ? 2 : class);
}

void *ALLOC_NAME(malloc)(size_t n)
{
    if (n > BLOCK_MAX) {
        heap.refused = true;
        return NULL;
    }
    void *p = heap_take((uint32_t)n);
    if (!p && n <= HEAP_SURE) {
        if (heap_open_reserve()) {
            heap_exhausted();
            p = heap_take((uint32_t)n);
        }
        if (!p)
            heap_dead();
    }
    return p;
}

void ALLOC_NAME(free)(void *p)
{
    if (!p)
        return;
    Cell *c = (Cell *)((char *)p - HEADER);
    if (c->kind & CELL_FLAG)
        cell_free(c);
    else
        block_free((Block *)c);
}

size_t ALLOC_NAME(malloc_usable_size)(void *p)
{
    if (!p)
        return 0;
    Cell *c = (Cell *)((char *)p - HEADER);
    if (c->kind & CELL_FLAG)
        return (c->kind & 63) * CELL_STEP - HEADER;
    return block_size((Block *)c) - HEADER;
}

void *ALLOC_NAME(calloc)(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n)) {
        heap.refused = true;
        return NULL;
    }
    void *p = ALLOC_NAME(malloc)(n);
    if (p)
        memset(p, 0, n);
    return p;
}

/* Grows a block into the free one behind it, or into what lies behind the
 * break. */
static bool block_grow(Block *b, uint32_t size)
{
    if (b == heap.last) {
        uint32_t need = (size - block_size(b) + HEAP_STEP - 1) & ~(HEAP_STEP - 1);
        if (!heap_extend(need))
            return false;
        b->size += need;
        block_take(b, size);
        return true;
    }
    Block *after = block_after(b);
    if (!(after->size & BLOCK_FREE))
        return false;
    uint32_t room = block_size(b) + block_size(after);
    if (room < size && after == heap.last) {
        uint32_t need = (size - room + HEAP_STEP - 1) & ~(HEAP_STEP - 1);
        if (!heap_extend(need))
            return false;
        room += need;
    } else if (room < size) {
        return false;
    }
    bin_remove(after);
    if (after == heap.last)
        heap.last = b;
    b->size = room | (b->size & BLOCK_PREVIOUS_FREE);
    block_take(b, size);
    return true;
}

void *ALLOC_NAME(realloc)(void *p, size_t n)
{
    if (!p)
        return ALLOC_NAME(malloc)(n);
    if (n == 0) {
        ALLOC_NAME(free)(p);
        return NULL;
    }
    size_t usable = ALLOC_NAME(malloc_usable_size)(p);
    Cell *c = (Cell *)((char *)p - HEADER);
    bool cell = c->kind & CELL_FLAG;
    /* Shrinking by less than half is not worth a copy. */
    if (n <= usable && (n > usable / 2 || (cell && n > 64)))
        return p;
    if (!cell && n > BLOCK_MAX) {
        heap.refused = true;
        return NULL;
    }
    if (!cell) {
        uint32_t size = ((uint32_t)n + HEADER + 15) & BLOCK_SIZE_MASK;
        if (n > usable && block_grow((Block *)c, size))
            return p;
    }
    void *moved = ALLOC_NAME(malloc)(n);
    if (!moved)
        return NULL;
    memcpy(moved, p, usable < n ? usable : n);
    ALLOC_NAME(free)(p);
    return moved;
}

void *ALLOC_NAME(aligned_alloc)(size_t alignment, size_t n)
{
    return alignment <= 16 ? ALLOC_NAME(malloc)(n) : NULL;
}

int ALLOC_NAME(posix_memalign)(void **out, size_t alignment, size_t n)
{
    if (alignment > 16)
        return EINVAL;
    *out = ALLOC_NAME(malloc)(n);
    return *out ? 0 : ENOMEM;
}

/* Takes the large free blocks out of use for good: what a life has is then what
 * its limit lets it grow by, however much the boot has left. */
static void heap_set_aside(void)
{
    for (unsigned i = bin_of(HEAP_LARGE); i < BIN_COUNT; i++) {
        while (heap.bins[i]) {
            Block *b = heap.bins[i];
            bin_remove(b);
            block_take(b, block_size(b));
        }
    }
}

/* Before the image is taken: sets the free cells aside for good and starts a
 * run on a page of its own, so that the small allocations of a life lie side
 * by side instead of on the image's pages. What is lost is a few kilobytes. */
static void heap_seal(void)
{
    heap_set_aside();
    memset(heap.cells, 0, sizeof heap.cells);
    char *p = block_alloc(RUN_SIZE + HEAP_STEP);
    if (!p)
        return;
    char *page = (char *)(((uintptr_t)p + HEAP_STEP - 1) & ~(uintptr_t)(HEAP_STEP - 1));
    heap.run = page + HEADER;
    heap.run_end = heap.run + (RUN_SIZE - CELL_STEP);
}

/* Bounds the heap for one life: n bytes more than it has now, and a reserve
 * that is kept for reporting that this was too little. */
static void heap_set_limit(uint32_t n)
{
    uint32_t room = heap.memory_end - heap.break_at;
    if (room > HEAP_RESERVE)
        room -= HEAP_RESERVE;
    heap.break_limit = heap.break_at + (n && n < room ? n : room);
    heap.refused = heap.reserve_open = false;
}

#endif
