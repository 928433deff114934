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
#include <errno.h>
#include "check.h"
#include "run.h"
#include "shard.h"
#include "slab.h"

#define LOOK_GROUPS	64	/* of slabs that are not worth it, before a look ends */
#define BRING_TIMES	4	/* four tenths of a slab have to be free */
#define BRING_MOST	2	/* slabs for one wait */

static struct class_state *slab_state(struct heap *heap, const struct slab *slab)
{
	return &heap->classes[slab->class];
}

static void slab_set_owner(struct slab *slab, uint32_t shard)
{
	atomic_store(&slab->owner, shard);
	atomic_store(&slab->local, shard);
}

static struct slab **slab_ring(struct heap *heap, const struct slab *slab)
{
	return &shard_at(heap, slab->owner)->ring[slab->class];
}

/* As the last. */
static void ring_add(struct slab **ring, struct slab *slab)
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

static void ring_add_first(struct slab **ring, struct slab *slab)
{
	ring_add(ring, slab);
	*ring = slab;
}

static void ring_remove(struct slab **ring, struct slab *slab)
{
	slab->previous->next = slab->next;
	slab->next->previous = slab->previous;
	if (*ring == slab)
		*ring = slab->next != slab ? slab->next : NULL;
}

bool slab_any_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++)
		if (group_free(&slab->groups[i]))
			return true;
	return false;
}

/* So many free at least? */
static bool slab_is_worth(const struct slab *slab, unsigned int blocks)
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

static struct slab *slab_spare(struct class_state *state, unsigned int level)
{
	struct slab **link = &state->spare, *slab;

	for (; (slab = *link); link = &slab->next) {
		if (slab->level == level) {
			*link = slab->next;
			return slab;
		}
	}
	return NULL;
}

static struct slab *slab_record(struct heap *heap, unsigned int class, unsigned int level,
				int *error)
{
	struct slab *slab = slab_spare(&heap->classes[class], level);
	uint32_t size = class_sizes[class], room, blocks, count;

	if (slab)
		return slab;
	room = (uint32_t)(SLAB_LEVEL_BYTES(level) - check_margin(heap, size));
	blocks = room / size;
	/* What is left at the end, too short for a block, has a bit, too. */
	count = (blocks + (room % size ? 1 : 0) + 63) / 64;
	slab = heap_meta_alloc(heap, sizeof(*slab) + count * sizeof(slab->groups[0]) +
			       (blocks + 1) * sizeof(slab->slack[0]), error);
	if (!slab)
		return NULL;
	slab_set_owner(slab, SLAB_NOBODY);
	slab->size = size;
	slab->reciprocal = class_reciprocals[class];
	slab->bytes = blocks * size;
	slab->count = (uint16_t)count;
	slab->slack = (_Atomic uint16_t *)&slab->groups[count];
	for (uint32_t i = 0; i < count; i++) {
		struct group *group = &slab->groups[i];

		group->slack = slab->slack + (size_t)i * 64;
		group->size = size;
		group->mask = blocks >= (i + 1) * 64 ? ~0ULL : (1ULL << blocks % 64) - 1;
		group->next = &slab->groups[(i + 1) % count];
	}
	slab->worth = (uint16_t)((blocks + 9) / 10);
	slab->class = (uint8_t)class;
	slab->level = (uint8_t)level;
	return slab;
}

struct slab *slab_make(struct heap *heap, uint32_t shard, unsigned int class, unsigned int level,
		       enum run_commit commit, int *error)
{
	size_t margin = check_margin(heap, class_sizes[class]);
	size_t pages = (size_t)1 << 2 * level, fresh, at;
	struct slab *slab;
	char *base;

	*error = -ENOMEM;
	if (margin + class_sizes[class] > SLAB_LEVEL_BYTES(level))
		return NULL;
	at = run_alloc(heap, pages, 1, commit, &fresh, error);
	if (at == RUN_NONE)
		return NULL;
	slab = slab_record(heap, class, level, error);
	if (!slab) {
		run_free(heap, at, pages);
		return NULL;
	}
	base = heap->base + (at << PAGE_SHIFT) + margin;
	atomic_store_explicit(&slab->base, base, memory_order_relaxed);
	if (unlikely(heap->check))
		check_slab_made(heap, slab);
	for (unsigned int i = 0; i < slab->count; i++) {
		struct group *group = &slab->groups[i];

		atomic_store_explicit(&group->base, base + (size_t)i * 64 * slab->size,
				      memory_order_relaxed);
		atomic_store_explicit(&group->remote, ~group->mask, memory_order_relaxed);
		atomic_store_explicit(&group->avail, group->mask, memory_order_release);
	}
	if (unlikely(heap->check))
		check_slab_made(heap, slab);
	slab_set_owner(slab, shard);
	for (size_t i = 0; i < pages; i++)
		page_set_slab(heap_page(heap, at + i), slab);
	heap->classes[class].slabs++;
	heap->classes[class].eager = false;
	return slab;
}

/* Slabs grow with the number their class has: a heap of few blocks stays small. */
unsigned int slab_level(const struct heap *heap, unsigned int class)
{
	uint32_t slabs = heap->classes[class].slabs;
	unsigned int level = 0;

	while (level < heap->level_max && class_sizes[class] * 4 > SLAB_LEVEL_BYTES(level))
		level++;
	level += slabs < 1 ? 0 : slabs < 8 ? 1 : 2;
	return level < heap->level_max ? level : heap->level_max;
}

/* Nobody's slab, quiesced: all its free bits to avail. */
static void slab_merge(struct slab *slab)
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

static bool slab_all_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++)
		if (group_free(&slab->groups[i]) != slab->groups[i].mask)
			return false;
	return true;
}

static void slab_release(struct heap *heap, struct slab *slab)
{
	size_t at = (size_t)(slab_base(slab) - heap->base) >> PAGE_SHIFT;
	struct class_state *state = slab_state(heap, slab);

	if (unlikely(heap->check))
		check_slab_gone(heap, slab);
	for (unsigned int i = 0; i < slab->count; i++)
		atomic_store(&slab->groups[i].avail, 0);
	for (size_t i = 0; i < slab_pages(slab); i++)
		page_set(heap_page(heap, at + i), PAGE_NONE, 0);
	run_free(heap, at, slab_pages(slab));
	state->slabs--;
	slab->next = state->spare;
	state->spare = slab;
}

/* The slab whose group is current; NULL. */
static struct slab *slab_of_current(struct heap *heap, struct shard *shard, unsigned int class)
{
	struct group *group = shard_current(shard, class);
	size_t at;

	if (group == &group_none)
		return NULL;
	at = (size_t)(group->base - heap->base) >> PAGE_SHIFT;
	return page_slab(page_tag(heap_page(heap, at)));
}

/*
 * Takes the slabs of one shard and class that look empty out of everybody's sight, and puts those
 * that are worth it before the others.
 */
static void slab_pick(struct heap *heap, struct shard *shard, unsigned int class,
		      struct slab **picked)
{
	struct slab *slab = slab_of_current(heap, shard, class), *rest = NULL;

	if (slab && slab_all_free(slab)) {
		atomic_store(&shard->current[class], &group_none);
		slab_set_owner(slab, SLAB_NOBODY);
		ring_add(picked, slab);
	}
	while ((slab = shard->ring[class])) {
		ring_remove(&shard->ring[class], slab);
		if (slab_all_free(slab)) {
			slab_set_owner(slab, SLAB_NOBODY);
			ring_add(picked, slab);
		} else if (slab_is_worth(slab, slab->worth)) {
			ring_add_first(&rest, slab);
		} else {
			ring_add(&rest, slab);
		}
	}
	shard->ring[class] = rest;
}

/* Of one shard. A slab that was not empty after all goes back. */
static bool slab_sweep_shard(struct heap *heap, uint32_t i)
{
	struct shard *shard = shard_at(heap, i);
	struct slab *picked = NULL, *slab;
	bool any = false;

	for (unsigned int class = 0; class < CLASSES; class++)
		slab_pick(heap, shard, class, &picked);
	if (picked)
		shard_quiesce(heap, i);
	while ((slab = picked)) {
		ring_remove(&picked, slab);
		slab_merge(slab);
		if (slab_all_free(slab)) {
			slab_release(heap, slab);
			any = true;
		} else {
			slab_set_owner(slab, i);
			ring_add_first(&shard->ring[slab->class], slab);
		}
	}
	return any;
}

bool slab_sweep(struct heap *heap)
{
	bool any = false;

	for (uint32_t i = 0; i < shard_total(heap); i++)
		if (shard_made(heap, i))
			any |= slab_sweep_shard(heap, i);
	return any;
}
