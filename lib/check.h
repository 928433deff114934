/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Full checking of a heap, for finding bugs: what the fast paths cannot afford.
 *
 *	slab:	|      T| new …… T T T| freed …… T| new ……… T T|      |
 *		 margin   live          free        live		T: tail byte, 16 and more
 *	large:	| new …………………… T|guard|		guard: a page nobody may touch
 *
 * HEAP_F_CHECK_TAIL: every block has at least 16 bytes behind it, all of them checked when it is
 * freed or resized, and the 16 before it; large blocks have a guard page behind these.
 * HEAP_F_CHECK_FREE: a freed block is filled (a large one: shut) and held back a while, and
 * must still be so when its bytes are handed out again.
 *
 * Both give way where the heap would be full otherwise. A checked heap keeps its record in
 * heap->check, has no fast path (heap->gate is 0), and does everything under its lock.
 */
#ifndef PRIVHEAP_CHECK_H
#define PRIVHEAP_CHECK_H

#include "heap_internal.h"

#define CHECK_TAIL_BYTES	((size_t)16)
#define CHECK_MARGIN_MAX	((size_t)2048)

struct slab;

/* What the environment, and the tools that watch this process, ask for: HEAP_F_CHECK_*. */
unsigned int check_wanted(void);

/* Makes a new heap a checked one, if its flags say so. 0 or a negative errno. */
int check_init(struct heap *heap);
/* Before its range is given back. */
void check_fini(struct heap *heap);

/*
 * Bytes of a slab before its first block. Less than a page, and blocks stay as aligned as their
 * size is.
 */
static inline size_t check_margin(const struct heap *heap, size_t size)
{
	size_t margin = size & -size;

	if (likely(!heap->check))
		return 0;
	return margin < CHECK_MARGIN_MAX ? margin : CHECK_MARGIN_MAX;
}

/* A slab of a checked heap begins and ends. Locked. */
void check_slab_made(struct heap *heap, struct slab *slab);
void check_slab_gone(struct heap *heap, struct slab *slab);

/*
 * As heap_alloc and so on, for checked heaps. EUCLEAN in *error: a freed block was written, and
 * heap_stale() says which; it is as new then.
 */
void *check_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error);
enum heap_fault check_free(struct heap *heap, void *p, unsigned int flags);
enum heap_fault check_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			      void **out, int *error);
enum heap_fault check_block(struct heap *heap, const void *p);
/* Every block of a slab, live or not; *bad = where. Locked. */
enum heap_fault check_slab(struct heap *heap, struct slab *slab, const void **bad);

/* There is a heap that a tool was told about: a child of fork has to tell it that it is gone. */
void check_fork_install(void);

#endif
