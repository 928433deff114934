/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Where slabs are, see slab_ring.c. */
#ifndef PRIVHEAP_SLAB_RING_H
#define PRIVHEAP_SLAB_RING_H

#include "alloc/slab_group.h"

/* A block was freed in a slab marked notify_free. Takes the lock itself. */
void slab_notify_freed(struct heap *heap, struct slab *slab);

/* From here on: under the heap's lock. */

static inline struct class_state *slab_state(struct heap *heap, const struct slab *slab)
{
	return &heap->classes[slab->class];
}

static inline void slab_set_owner(struct slab *slab, uint32_t shard)
{
	atomic_store(&slab->owner, shard);
	atomic_store(&slab->local, shard);
}

/* As the last. */
static inline void ring_add(struct slab **ring, struct slab *slab)
{
	struct slab *first = *ring;

	if (!first) {
		*ring = slab->next = slab->previous = slab;
		return;
	}
	slab->next = first;
	slab->previous = first->previous;
	slab->previous->next = slab;
	first->previous = slab;
}

static inline void ring_add_first(struct slab **ring, struct slab *slab)
{
	ring_add(ring, slab);
	*ring = slab;
}

static inline void ring_remove(struct slab **ring, struct slab *slab)
{
	slab->previous->next = slab->next;
	slab->next->previous = slab->previous;
	if (*ring == slab)
		*ring = slab->next != slab ? slab->next : NULL;
}

/* Collects remote frees of all groups; the first group with a free block, or NULL. */
struct group *slab_collect(struct heap *heap, struct slab *slab);
/* True if any block is free. */
bool slab_any_free(const struct slab *slab);
/*
 * Puts a full slab that is on no list where it belongs. False: a block came free, and it is on
 * none.
 */
bool slab_put(struct heap *heap, struct slab *slab);
/* Low on space: puts every slab of the class with a free block into its ring, and keeps it so. */
void slab_recheck_full(struct heap *heap, unsigned int class);
/* A slab on no list, of another shard or of none, becomes this shard's. */
void slab_adopt(struct heap *heap, struct slab *slab, uint32_t shard);
/* At least so many blocks are free. */
bool slab_has_min_free(const struct slab *slab, unsigned int blocks);
/* Of a quiescent slab without a shard: all its free bits to free. */
void slab_collect_all(struct slab *slab);

/*
 * A scan of the next slabs of a ring, for those with `times` min_free free blocks; it ends after a
 * few with less. Low on space it takes one free block and visits all.
 */
struct slab_scan {
	struct slab **ring, *first;
	bool low_space;
	unsigned int times, groups;
};

struct slab_scan slab_scan(struct heap *heap, struct shard *shard, unsigned int class,
			   unsigned int times);
/* The next one, out of the ring; NULL. */
struct slab *slab_scan_next(struct slab_scan *scan);
/* Mostly free slabs of one shard's ring to another's. False: there was none. */
bool slab_steal(struct heap *heap, unsigned int class, uint32_t from, uint32_t to);

#endif
