// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Where slabs are. A slab with pages is in exactly one of three places:
 *
 *     ┌─── current of its shard ───┐  no block is free   ┌── ring of its shard and class ──┐
 *     │ threads allocate from one  │ ──────────────────▶ │   all others, with free blocks  │
 *     │ group of it                │ ◀────────────────── │   or without                    │
 *     └─────────────┬──────────────┘  1/10 of it is free └────────────────▲────────────────┘
 *                   │ no block is free, and space is short                │ a block was freed
 *                   └────────────────▶ watched ring of its class ─────────┘
 *
 * Only the holder of the heap's lock moves one; taking and giving blocks needs no lock anywhere.
 * Nobody counts what is freed in a ring: who needs a block looks at the next few slabs there, the
 * hand of a clock, and takes one if enough blocks are free to be worth the lock.
 *
 * When space runs short no free block may be missed. slab_reveal() then has the full slabs of a
 * class watched, and slab_retire() those that become full: who frees a block in a watched slab
 * puts it back. The two must not miss each other. Who has a slab watched does
 *     local = nobody;  watched = 1;  waits until who was inside has left;  looks at the bits,
 * the one that frees from inside the shard does
 *     looks at local;  sets a bit,
 * and from outside
 *     sets a bit;  then looks at watched.
 * Who frees from inside is seen by the first, or finds that it has to do it from outside. There
 * the bit and watched are set by atomic operations, so at least one sees what the other did. There
 * is nobody to wait for on the shard's own CPU: nobody else is in a sequence there.
 */
#include "alloc/enter.h"
#include "alloc/shard.h"
#include "alloc/slab_ring.h"

#define LOOK_GROUPS	64	/* of slabs that are not worth it, before a look ends */
#define BRING_TIMES	4	/* four tenths of a slab have to be free */
#define BRING_MOST	2	/* slabs for one wait */

static struct slab **slab_ring(struct heap *heap, const struct slab *slab)
{
	return &shard_at(heap, slab->owner)->ring[slab->class];
}

bool slab_any_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++)
		if (group_free(&slab->groups[i]))
			return true;
	return false;
}

bool slab_is_worth(const struct slab *slab, unsigned int blocks)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < slab->count && found < blocks; i++)
		found += (unsigned int)__builtin_popcountll(group_free(&slab->groups[i]));
	return found >= blocks;
}

struct slab_look slab_look(struct heap *heap, struct shard *shard, unsigned int class,
			   unsigned int times)
{
	return (struct slab_look){
		.ring = &shard->ring[class],
		.eager = heap->classes[class].eager,
		.times = times,
		.groups = LOOK_GROUPS / times,
	};
}

struct slab *slab_look_next(struct slab_look *look)
{
	struct slab *slab;

	while ((slab = *look->ring) && slab != look->first && (look->eager || look->groups)) {
		if (slab_is_worth(slab, look->eager ? 1 : look->times * slab->worth)) {
			ring_remove(look->ring, slab);
			return slab;
		}
		look->groups -= look->groups < slab->count ? look->groups : slab->count;
		look->first = look->first ? look->first : slab;
		*look->ring = slab->next;
	}
	return NULL;
}

/* Moves what others freed to where it is given out, unless this thread is on another CPU. */
static void group_fold(struct heap *heap, uint32_t shard, struct group *group)
{
	uint64_t remote = atomic_load(&group->remote) & group->mask, both;

	if (!remote)
		return;
	/* Freed twice at one moment: the other bit is enough. */
	both = remote & (atomic_load(&group->freed) | atomic_load(&group->avail));
	if (remote & ~both && !shard_or(heap, shard, &group->avail, remote & ~both))
		return;
	atomic_fetch_and(&group->remote, ~remote);
}

struct group *slab_usable(struct heap *heap, struct slab *slab)
{
	struct group *usable = NULL;

	/* All of them: the others come after this one without the lock, see shard_advance(). */
	for (unsigned int i = slab->count; i-- > 0;) {
		struct group *group = &slab->groups[i];

		group_fold(heap, slab->owner, group);
		if (atomic_load(&group->avail) || atomic_load(&group->freed))
			usable = group;
	}
	return usable;
}

static void slab_watch(struct slab *slab)
{
	atomic_store(&slab->local, SLAB_NOBODY);
	atomic_exchange(&slab->watched, 1);
}

static void slab_unwatch(struct slab *slab)
{
	atomic_store(&slab->watched, 0);
	atomic_store(&slab->local, slab->owner);
}

bool slab_retire(struct heap *heap, struct slab *slab)
{
	struct class_state *state = slab_state(heap, slab);

	if (!state->eager) {
		ring_add(slab_ring(heap, slab), slab);
		return true;
	}
	slab_watch(slab);
	if (heap->mode == HEAP_SHARED ||
	    (heap->mode == HEAP_OWNED && owned_cpu() != slab->owner))
		shard_quiesce(heap, slab->owner);
	if (slab_any_free(slab)) {
		slab_unwatch(slab);
		return false;
	}
	ring_add(&state->watched, slab);
	return true;
}

void slab_freed_in_watched(struct heap *heap, struct slab *slab)
{
	/* In a signal handler that must not wait: the next one to free a block here comes by. */
	if (heap_would_hang(heap))
		return;
	heap_enter(heap);
	if (atomic_load(&slab->watched)) {
		ring_remove(&slab_state(heap, slab)->watched, slab);
		slab_unwatch(slab);
		ring_add_first(slab_ring(heap, slab), slab);
	}
	heap_leave(heap);
}

void slab_reveal(struct heap *heap, unsigned int class)
{
	struct class_state *state = &heap->classes[class];
	struct slab *full = NULL, *slab;

	/* While it is set nothing is missed: once is enough. */
	if (state->eager)
		return;
	state->eager = true;
	for (uint32_t i = 0; i < shard_total(heap); i++) {
		struct shard *shard = shard_at(heap, i);

		while ((slab = shard->ring[class])) {
			ring_remove(&shard->ring[class], slab);
			slab_watch(slab);
			ring_add(&state->watched, slab);
		}
	}
	if (!state->watched)
		return;
	for (uint32_t i = 0; i < shard_total(heap); i++)
		if (shard_made(heap, i))
			shard_quiesce(heap, i);
	while ((slab = state->watched)) {
		ring_remove(&state->watched, slab);
		if (slab_any_free(slab)) {
			slab_unwatch(slab);
			ring_add(slab_ring(heap, slab), slab);
		} else {
			ring_add(&full, slab);
		}
	}
	state->watched = full;
}

void slab_merge(struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++) {
		struct group *group = &slab->groups[i];
		uint64_t bits = group_free(group);

		atomic_store(&group->avail, bits);
		atomic_store(&group->freed, 0);
		atomic_fetch_and(&group->remote, ~bits);
	}
}

void slab_adopt(struct heap *heap, struct slab *slab, uint32_t shard)
{
	uint32_t old = slab->owner;

	if (old == shard)
		return;
	if (old != SLAB_NOBODY) {
		slab_set_owner(slab, SLAB_NOBODY);
		shard_quiesce(heap, old);
		slab_merge(slab);
	}
	slab_set_owner(slab, shard);
}

bool slab_bring(struct heap *heap, unsigned int class, uint32_t from, uint32_t to)
{
	struct slab_look look = slab_look(heap, shard_at(heap, from), class, BRING_TIMES);
	struct slab *picked = NULL, *slab;

	for (int i = 0; i < BRING_MOST && (slab = slab_look_next(&look)); i++) {
		slab_set_owner(slab, SLAB_NOBODY);
		ring_add(&picked, slab);
	}
	if (!picked)
		return false;
	shard_quiesce(heap, from);
	while ((slab = picked)) {
		ring_remove(&picked, slab);
		slab_merge(slab);
		slab_set_owner(slab, to);
		ring_add_first(slab_ring(heap, slab), slab);
	}
	return true;
}
