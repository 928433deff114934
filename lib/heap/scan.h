/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The heap as a whole: every run, slab and block of it, a piece at a time. */
#ifndef PRIVHEAP_SCAN_H
#define PRIVHEAP_SCAN_H

#include "alloc/types.h"

/* Every run, slab and block; *bad = where the first damage is, NULL for HEAP_OK. */
enum heap_fault scan_validate(struct heap *heap, const void **bad);

struct heap_stats {
	size_t maximum, committed;	/* bytes */
	size_t reserved;		/* of the maximum; a growable heap's grows with it */
	size_t high_water;		/* bytes from the base that pages were ever handed out of */
	size_t metadata;		/* bytes of the metadata region */
	size_t allocated, blocks;	/* live blocks: requested bytes, and how many */
};

/*
 * Counts in pieces: other threads go on in between, and only their blocks that come or go
 * in between may be missed. 0, or -EDEADLK (as heap_list) and only the first two are filled.
 */
int heap_stats(struct heap *heap, struct heap_stats *stats);

/*
 * Gives slabs without a live block back to the runs. Bytes of the largest free block that needs
 * no commit; 0: there is none.
 */
size_t heap_compact(struct heap *heap);
/* The same for every heap that is not in use this moment; HEAP_F_NO_SERIALIZE ones left out. */
void heap_compact_all(void);

#endif
