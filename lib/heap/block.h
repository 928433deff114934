/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The blocks of a heap: made, freed, resized, asked about. */
#ifndef PRIVHEAP_BLOCK_H
#define PRIVHEAP_BLOCK_H

#include "alloc/types.h"

/*
 * align: a power of two, 16 at least. NULL and *error = ENOMEM or EDQUOT; on a checked heap also
 * EUCLEAN: the block it would have been, check_stale_block(), was written after it was freed.
 */
void *heap_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error);
/*
 * The same where the shard has no block of the class at hand, which is known already: class =
 * slab_class() of n and align. Not of a checked heap.
 */
void *heap_refill(struct heap *heap, unsigned int class, size_t n, size_t align,
		  unsigned int flags, int *error);
enum heap_fault heap_free(struct heap *heap, void *p);
/* The same, but does not wait while another thread has frozen the heap. */
enum heap_fault heap_free_unserialised(struct heap *heap, void *p);
/* *size = the requested size. */
enum heap_fault heap_size(struct heap *heap, const void *p, size_t *size);
/*
 * *out = the block, moved or not, or NULL with *error as in heap_alloc and the block unchanged.
 * n = 0 keeps the block, at size 0. HEAP_F_ZERO zeroes only what grew, inside slack too.
 */
enum heap_fault heap_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			     void **out, int *error);
/* One block (p), or everything (NULL). *bad = where. Touches nothing outside the range. */
enum heap_fault heap_validate(struct heap *heap, const void *p, const void **bad);

#endif
