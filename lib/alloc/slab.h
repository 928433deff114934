/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Slabs made and given back. */
#ifndef PRIVHEAP_SLAB_H
#define PRIVHEAP_SLAB_H

#include "alloc/run.h"
#include "alloc/slab_group.h"

/* The smallest class for n whose blocks are all aligned; CLASSES if that takes pages. */
unsigned int slab_class(const struct heap *heap, size_t n, size_t align);

/* From here on: with the lock held. */

/* Gives back the pages of slabs without a live block. True if there were any. */
bool slab_reclaim_empty(struct heap *heap);
/* A new slab of the shard, on no list. NULL and *error. */
struct slab *slab_make(struct heap *heap, uint32_t shard, unsigned int class, unsigned int order,
		       enum run_commit commit, int *error);
/* How large the next slab of the class should be. */
unsigned int slab_order(const struct heap *heap, unsigned int class);
/* slab_reclaim_empty(), if the heap has grown by an eighth since: before it grows more. */
bool slab_reclaim_due(struct heap *heap);

#endif
