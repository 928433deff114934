// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Where slabs are. A slab with pages is in exactly one of three places:
 *
 *     ┌─── current of its shard ───┐   found full     ┌── full list of its class ──┐
 *     │ threads allocate from one  │ ───────────────▶ │   no block is free, or few │
 *     │ group of it                │                  └─────────────┬──────────────┘
 *     └────────────────────────────┘                                │ 1/16 was freed
 *                ▲   wanted again                                   │
 *                └──────── partial list of its shard and class ◀────┘
 *
 * Only the holder of the heap's lock moves one; taking and giving blocks needs no lock anywhere.
 * A slab waits for some frees on the full list, so that the lock is taken once for all of them.
 * When space runs short, slab_reveal() makes it known at the first one.
 *
 * A full slab and its freers must not miss each other. The one that retires it does
 *     local = nobody;  full = 1;  waits until who was inside has left;  looks at the bits,
 * the one that frees from inside the shard does
 *     looks at local;  sets a bit,
 * and from outside
 *     sets a bit;  then looks at full.
 * Who frees from inside is seen by the retirer, or finds that it has to do it from outside. There
 * the bit and full are set by atomic operations, so at least one sees what the other did. The
 * retirer has not to wait if it is on the shard's CPU itself: nobody else is in a sequence there.
 * So either the slab is not retired after all, or the free is counted in .full, and with the
 * count the slab comes back.
 * .full is only counted up from above 0: 0 is left for 1, and reached, under the lock alone. The
 * same argument, with .eager for .full, holds for slab_reveal().
 */
#include <errno.h>
#include "check.h"
#include "run.h"
#include "shard.h"
#include "slab.h"

static struct class_state *slab_state(struct heap *heap, const struct slab *slab)
{
	return &heap->classes[slab->class];
}

static void slab_set_owner(struct slab *slab, uint32_t shard)
{
	atomic_store(&slab->owner, shard);
	atomic_store(&slab->local, shard);
}

static struct slab **slab_partial(struct heap *heap, const struct slab *slab)
{
	return &shard_at(heap, slab->owner)->partial[slab->class];
}

void slab_push(struct slab **list, struct slab *slab)
{
	slab->previous = NULL;
	slab->next = *list;
	if (*list)
		(*list)->previous = slab;
	*list = slab;
}

void slab_unlink(struct slab **list, struct slab *slab)
{
	if (slab->previous)
		slab->previous->next = slab->next;
	else
		*list = slab->next;
	if (slab->next)
		slab->next->previous = slab->previous;
}

bool slab_any_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->count; i++)
		if (group_free(&slab->groups[i]))
			return true;
	return false;
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
	for (unsigned int i = 0; i < slab->count; i++) {
		struct group *group = &slab->groups[i];

		if (!group_free(group))
			continue;
		group_fold(heap, slab->owner, group);
		if (atomic_load(&group->avail) || atomic_load(&group->freed))
			return group;
	}
	return NULL;
}

/* Nobody is in the slab's shard who came before .full was set, or .eager. */
static void slab_settle(struct heap *heap, const struct slab *slab)
{
	if (heap->mode == HEAP_SHARED ||
	    (heap->mode == HEAP_OWNED && owned_cpu() != slab->owner))
		shard_quiesce(heap, slab->owner);
}

bool slab_retire(struct heap *heap, struct slab *slab)
{
	atomic_store(&slab->local, SLAB_NOBODY);
	atomic_exchange(&slab->full, 1);
	slab_settle(heap, slab);
	if (slab_any_free(slab)) {
		atomic_store(&slab->full, 0);
		atomic_store(&slab->local, slab->owner);
		return false;
	}
	slab_push(&slab_state(heap, slab)->full, slab);
	return true;
}

/* From the full to the partial list. */
static void slab_return(struct heap *heap, struct slab *slab)
{
	atomic_store(&slab->full, 0);
	atomic_store(&slab->local, slab->owner);
	slab_unlink(&slab_state(heap, slab)->full, slab);
	slab_push(slab_partial(heap, slab), slab);
}

void slab_freed_in_full(struct heap *heap, struct slab *slab)
{
	uint16_t seen = atomic_load(&slab->full);

	while (seen && !atomic_compare_exchange_weak(&slab->full, &seen, seen + 1))
		;
	if (!seen || (seen < slab->wake && !atomic_load(&slab_state(heap, slab)->eager)))
		return;
	/* In a signal handler that must not wait: the next one to free a block here comes by. */
	if (heap_would_hang(heap))
		return;
	heap_enter(heap);
	if (atomic_load(&slab->full))
		slab_return(heap, slab);
	heap_leave(heap);
}

void slab_reveal(struct heap *heap, unsigned int class)
{
	struct class_state *state = &heap->classes[class];
	struct slab *slab, *next;

	/* While it is set, no free in a full slab goes unnoticed: once is enough. */
	if (atomic_exchange(&state->eager, 1) || !state->full)
		return;
	for (uint32_t i = 0; i < heap->shard_count; i++)
		if (shard_made(heap, i))
			shard_quiesce(heap, i);
	for (slab = state->full; slab; slab = next) {
		next = slab->next;
		if (slab_any_free(slab))
			slab_return(heap, slab);
	}
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
	}
	slab->wake = (uint16_t)(blocks < 32 ? 1 : blocks / 16);
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
	atomic_store(&heap->classes[class].eager, 0);
	return slab;
}

/* Slabs grow with the number their class has: a heap of few blocks stays small. */
unsigned int slab_level(const struct heap *heap, unsigned int class)
{
	uint32_t slabs = heap->classes[class].slabs;
	unsigned int level = 0;

	while (level < heap->level_max && class_sizes[class] * 4 > SLAB_LEVEL_BYTES(level))
		level++;
	level += slabs < 1 ? 0 : slabs < 2 ? 1 : 2;
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

/* Takes the slabs of one shard and class that look empty out of everybody's sight. */
static void slab_pick(struct heap *heap, struct shard *shard, unsigned int class,
		      struct slab **picked)
{
	struct slab *slab = slab_of_current(heap, shard, class), *next;

	if (slab && slab_all_free(slab)) {
		atomic_store(&shard->current[class], &group_none);
		slab_push(picked, slab);
	}
	for (slab = shard->partial[class]; slab; slab = next) {
		next = slab->next;
		if (!slab_all_free(slab))
			continue;
		slab_unlink(&shard->partial[class], slab);
		slab_push(picked, slab);
	}
}

/* Of one shard. A slab that was not empty after all is partial again. */
static bool slab_sweep_shard(struct heap *heap, uint32_t i)
{
	struct shard *shard = shard_at(heap, i);
	struct slab *picked = NULL, *slab, *next;
	bool any = false;

	for (unsigned int class = 0; class < CLASSES; class++)
		slab_pick(heap, shard, class, &picked);
	for (slab = picked; slab; slab = slab->next)
		slab_set_owner(slab, SLAB_NOBODY);
	if (picked)
		shard_quiesce(heap, i);
	for (slab = picked; slab; slab = next) {
		next = slab->next;
		slab_merge(slab);
		if (slab_all_free(slab)) {
			slab_release(heap, slab);
			any = true;
		} else {
			slab_set_owner(slab, i);
			slab_push(&shard->partial[slab->class], slab);
		}
	}
	return any;
}

bool slab_sweep(struct heap *heap)
{
	bool any = false;

	for (uint32_t i = 0; i < heap->shard_count; i++)
		if (shard_made(heap, i))
			any |= slab_sweep_shard(heap, i);
	return any;
}
