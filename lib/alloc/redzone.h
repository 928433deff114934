/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Red zones: what lies behind the blocks of a checked heap's slabs.
 *
 *	live	| new or the program's | T T …… T |	size - slack bytes, then the red zone
 *	free	| freed …………………………… | T T …… T |	the last 16 bytes
 *
 * The last 16 bytes of every block, and of the margin before the first, hold the tail byte, whether
 * the block is live, quarantined or free. So the bytes before a block can be checked without
 * knowing what is there. Only a block that was allocated in full, because nothing else was left,
 * has less. The tail byte is all bytes of heap->canary, a random one of this process: the canary of
 * unchecked heaps fits into it at any offset.
 *
 * New and freed bytes hold what Windows' debug heap puts there, which people know by sight. All
 * functions here: under the heap's lock.
 */
#ifndef PRIVHEAP_REDZONE_H
#define PRIVHEAP_REDZONE_H

#include "alloc/slab_group.h"

#define REDZONE_BYTES		((size_t)16)
#define REDZONE_MARGIN_MAX	((size_t)2048)

/* A block of a slab, with its red zone. */
struct redzone {
	struct slab *slab;
	uint32_t i;
	char *p;
	size_t size;		/* with the red zone */
};

/*
 * Bytes of a slab before its first block. Less than a page, and blocks stay as aligned as their
 * size is.
 */
static inline size_t redzone_margin(const struct heap *heap, size_t size)
{
	size_t margin = size & -size;

	if (likely(!(heap->flags & HEAP_F_CHECK)))
		return 0;
	return margin < REDZONE_MARGIN_MAX ? margin : REDZONE_MARGIN_MAX;
}

/* A slab of a checked heap is made and released. */
void redzone_slab_made(struct heap *heap, struct slab *slab);
void redzone_slab_gone(struct heap *heap, struct slab *slab);

/* Every block of a slab, live or not; *bad = where. */
enum heap_fault redzone_check_slab(struct heap *heap, struct slab *slab, const void **bad);

/* Fills [from, n) of the block at p with what new bytes hold, or with 0 for HEAP_F_ZERO. */
void fill_new(char *p, size_t from, size_t n, unsigned int flags);

/* The block that is, or was, at p, which is the first byte of one. */
struct redzone redzone_block(struct slab *slab, const void *p);
/* What p is: HEAP_OK with block->slab NULL if it is in no slab. */
enum heap_fault redzone_find(struct heap *heap, const void *p, struct redzone *block);

/* For tools: the library works on the block and the bytes before it; done, n bytes are live. */
void redzone_unpoison(const struct redzone *block);
void redzone_poison(const struct redzone *block, size_t n);

/* Of a live block: its red zone and the bytes before it. */
enum heap_fault redzone_intact(const struct heap *heap, const struct redzone *block);
/* Of one that is not: the first n bytes are as redzone_fill left them. */
bool redzone_still_filled(const struct heap *heap, const struct redzone *block, size_t n);
void redzone_fill(const struct heap *heap, const struct redzone *block);
/* Makes the block n bytes large, whose first `old` are the program's. */
void redzone_resize(struct heap *heap, const struct redzone *block, size_t old, size_t n,
		    unsigned int flags);

#endif
