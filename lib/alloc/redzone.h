/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A spot: where in a slab of a checked heap a block is, or may be.
 *
 *	live	| new or the program's | T T …… T |	size - slack bytes, then the tail
 *	free	| freed …………………………… | T T …… T |	the last 16 bytes
 *
 * The last 16 bytes of every spot, and of the margin before the first, hold the tail byte,
 * whether the block is live, held or free. So what is before a block can be checked without
 * knowing what it is. Only a block that fills its spot, because nothing else was left, has less.
 * The tail byte is all bytes of heap->canary, one of this process's random ones: the canary of
 * unchecked heaps fits into the tail wherever it begins.
 *
 * New and freed bytes hold what Windows' debug heap puts there, which people know by sight.
 * Everything here is called with the heap's lock held.
 */
#ifndef PRIVHEAP_REDZONE_H
#define PRIVHEAP_REDZONE_H

#include "alloc/slab_group.h"

#define CHECK_TAIL_BYTES	((size_t)16)
#define CHECK_MARGIN_MAX	((size_t)2048)

struct spot {
	struct slab *slab;
	uint32_t i;
	char *p;
	size_t size;		/* with its tail */
};

/*
 * Bytes of a slab before its first block. Less than a page, and blocks stay as aligned as their
 * size is.
 */
static inline size_t check_margin(const struct heap *heap, size_t size)
{
	size_t margin = size & -size;

	if (likely(!(heap->flags & HEAP_F_CHECK)))
		return 0;
	return margin < CHECK_MARGIN_MAX ? margin : CHECK_MARGIN_MAX;
}

/* A slab of a checked heap begins and ends. Locked. */
void check_slab_made(struct heap *heap, struct slab *slab);
void check_slab_gone(struct heap *heap, struct slab *slab);

/* Every block of a slab, live or not; *bad = where. Locked. */
enum heap_fault check_slab(struct heap *heap, struct slab *slab, const void **bad);

/* Fills [from, n) of the block at p with what new bytes hold, or with 0 for HEAP_F_ZERO. */
void fill_new(char *p, size_t from, size_t n, unsigned int flags);

/* The block that is, or was, at p, which is the first byte of one. */
struct spot spot_at(struct slab *slab, const void *p);
/* What p is: HEAP_OK with spot->slab NULL if it is in no slab. */
enum heap_fault spot_find(struct heap *heap, const void *p, struct spot *spot);

/* The library is about to work on the block and the bytes before it; it is done, n are live. */
void spot_show(const struct spot *spot);
void spot_hide(const struct spot *spot, size_t n);

/* Of a live block: its tail and what is before it. */
enum heap_fault spot_intact(const struct heap *heap, const struct spot *spot);
/* Of one that is not: the first n bytes are as spot_wipe left them. */
bool spot_untouched(const struct heap *heap, const struct spot *spot, size_t n);
void spot_wipe(const struct heap *heap, const struct spot *spot);
/* Makes the block n bytes large, whose first `old` are the program's. */
void spot_resize(struct heap *heap, const struct spot *spot, size_t old, size_t n,
		 unsigned int flags);

#endif
