/*
 * What is done to the heap before an image is taken of it, so that its clones
 * change few pages.
 */
#ifndef SEAL_H
#define SEAL_H

/* QuickJS keeps blocks of a size in arenas of a page. The boot leaves many with
 * a few free blocks, all over the image, which a life would fill first. Those
 * blocks are given up, and one fresh arena for each size made, side by side.
 * One block of it counts as used for ever, so that the arena is not given back
 * and made again each time that its only object goes. */
static void arenas_seal(JSRuntime *rt)
{
    for (int i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
        struct list_head *at, *next;
        list_for_each_safe(at, next, &rt->arena_state.free_arena_list[i]) {
            JSArena *arena = list_entry(at, JSArena, free_link);
            list_del(&arena->free_link);
            arena->n_used_blocks = arena->n_blocks;
            arena->first_free_block = JS_ARENA_FREE_NIL;
        }
    }
    for (int i = 0; i < JS_ARENA_BLOCK_SIZE_COUNT; i++) {
        JSArena *arena = arena_new(rt, i);
        if (!arena)
            return;
        arena->n_used_blocks = 1;
        arena->first_free_block = 1;
    }
}

/* The next allocations begin on pages of their own. */
static void image_seal(JSRuntime *rt)
{
    arenas_seal(rt);
    heap_seal();
}

#endif
