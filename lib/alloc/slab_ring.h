/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Where slabs are, see slab_ring.c. */
#ifndef PRIVHEAP_SLAB_RING_H
#define PRIVHEAP_SLAB_RING_H

#include "alloc/slab_group.h"

/* A block was freed in a slab that is watched. Takes the lock itself. */
void slab_freed_in_watched(struct heap *heap, struct slab *slab);

/* From here on: with the lock held. */

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

/* The first group with a block to give out, remote ones of all folded; NULL. The slab is the shard's. */
struct group *slab_usable(struct heap *heap, struct slab *slab);
/* True if any block is free. */
bool slab_any_free(const struct slab *slab);
/* Puts a slab that is nowhere and full where it belongs. False: a block came free, and it is not. */
bool slab_retire(struct heap *heap, struct slab *slab);
/* Puts every slab of the class that has a free block into its ring, and keeps it so: space is short. */
void slab_reveal(struct heap *heap, unsigned int class);
/* A slab that is nowhere, of another shard or of nobody, becomes this shard's. */
void slab_adopt(struct heap *heap, struct slab *slab, uint32_t shard);
/* So many free at least? */
bool slab_is_worth(const struct slab *slab, unsigned int blocks);
/* Nobody's slab, quiesced: all its free bits to avail. */
void slab_merge(struct slab *slab);

/*
 * A look at the next slabs of a ring, for those in which so many times is free what makes them
 * worth it; it ends after a few that are not. Once space is short any free block will do, and all
 * are looked at.
 */
struct slab_look {
	struct slab **ring, *first;
	bool eager;
	unsigned int times, groups;
};

struct slab_look slab_look(struct heap *heap, struct shard *shard, unsigned int class,
			   unsigned int times);
/* The next one, out of the ring; NULL. */
struct slab *slab_look_next(struct slab_look *look);
/* Slabs of one shard's ring, of which much is free, to another's. False: there was none. */
bool slab_bring(struct heap *heap, unsigned int class, uint32_t from, uint32_t to);

#endif
