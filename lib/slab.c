// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Where slabs are. A slab with pages is in exactly one of three places:
 *
 *     ┌── current of a shard ──┐   found full     ┌── full list of its class ──┐
 *     │   threads allocate     │ ───────────────▶ │   no block is free, or few │
 *     └────────────────────────┘                  └─────────────┬──────────────┘
 *                ▲   wanted again                               │ 1/16 was freed
 *                └───────────── partial list of its class ◀─────┘
 *
 * Only the holder of the heap's lock moves one; taking and giving blocks needs no lock anywhere.
 * A slab waits for some frees on the full list, so that the lock is taken once for all of them.
 * When space runs short, slab_reveal() makes it known at the first one.
 *
 * A full slab and its freers must not miss each other. The one that retires it does
 *     full = 1;  then looks at the bitmap,
 * the one that frees does
 *     sets the bit;  then looks at full,
 * all four sequentially consistent. So at least one sees what the other did: either the slab is
 * not retired after all, or the free is counted in .full, and with the count the slab comes back.
 * .full is only counted up from above 0: 0 is left for 1, and reached, under the lock alone. The
 * same argument, with .eager for .full, holds for slab_reveal().
 */
#include <errno.h>
#include "check.h"
#include "run.h"
#include "slab.h"

static struct class_state *slab_state(struct heap *heap, const struct slab *slab)
{
	return &heap->classes[slab->class];
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

static bool slab_any_free(const struct slab *slab)
{
	for (unsigned int i = 0; i < slab->words; i++)
		if (atomic_load(&slab->free[i]))
			return true;
	return false;
}

bool slab_retire(struct heap *heap, struct slab *slab)
{
	atomic_exchange(&slab->full, 1);
	if (slab_any_free(slab)) {
		atomic_store(&slab->full, 0);
		return false;
	}
	slab_push(&slab_state(heap, slab)->full, slab);
	return true;
}

/* From the full to the partial list. */
static void slab_return(struct heap *heap, struct slab *slab)
{
	struct class_state *state = slab_state(heap, slab);

	atomic_store(&slab->full, 0);
	slab_unlink(&state->full, slab);
	slab_push(&state->partial, slab);
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
	struct slab *slab = state->full, *next;

	/* While it is set, no free in a full slab goes unnoticed: once is enough. */
	if (atomic_exchange(&state->eager, 1))
		return;
	for (; slab; slab = next) {
		next = slab->next;
		if (slab_any_free(slab))
			slab_return(heap, slab);
	}
}

/* Bits of word i that stand for blocks. */
static uint64_t slab_mask(const struct slab *slab, unsigned int i)
{
	unsigned int blocks = slab->bytes / slab->size;

	return i + 1 < slab->words || blocks % 64 == 0 ? ~0ULL : (1ULL << blocks % 64) - 1;
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
	uint32_t size = class_sizes[class], blocks, words;

	if (slab)
		return slab;
	blocks = (uint32_t)(SLAB_LEVEL_BYTES(level) - check_margin(heap, size)) / size;
	words = (blocks + 63) / 64;
	slab = heap_meta_alloc(heap, sizeof(*slab) + words * sizeof(slab->free[0]) +
			       blocks * sizeof(uint16_t), error);
	if (!slab)
		return NULL;
	slab->size = size;
	slab->reciprocal = class_reciprocals[class];
	slab->bytes = blocks * size;
	slab->words = (uint16_t)words;
	slab->slack_at = (uint16_t)(sizeof(*slab) + words * sizeof(slab->free[0]));
	slab->wake = (uint16_t)(blocks < 32 ? 1 : blocks / 16);
	slab->class = (uint8_t)class;
	slab->level = (uint8_t)level;
	return slab;
}

static void slab_spare_push(struct heap *heap, struct slab *slab)
{
	slab->next = slab_state(heap, slab)->spare;
	slab_state(heap, slab)->spare = slab;
}

struct slab *slab_make(struct heap *heap, unsigned int class, unsigned int level,
		       enum run_commit commit, int *error)
{
	size_t pages = (size_t)1 << 2 * level, fresh, at;
	size_t margin = check_margin(heap, class_sizes[class]);
	struct slab *slab;

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
	for (size_t i = 0; i < pages; i++)
		page_set_slab(heap_page(heap, at + i), slab);
	atomic_store_explicit(&slab->base, heap->base + (at << PAGE_SHIFT) + margin,
			      memory_order_relaxed);
	if (unlikely(heap->check))
		check_slab_made(heap, slab);
	atomic_store_explicit(&slab->hint, 0, memory_order_relaxed);
	/* Release: who takes a block from a record held since its last life sees the new base. */
	for (unsigned int i = 0; i < slab->words; i++)
		atomic_store_explicit(&slab->free[i], slab_mask(slab, i), memory_order_release);
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
	level += slabs < 2 ? 0 : slabs < 6 ? 1 : 2;
	return level < heap->level_max ? level : heap->level_max;
}

/* Clears every bit, if every bit is set: the slab is ours alone. */
static bool slab_claim_all(struct slab *slab)
{
	for (unsigned int i = 0; i < slab->words; i++) {
		uint64_t all = slab_mask(slab, i);

		if (atomic_load_explicit(&slab->free[i], memory_order_relaxed) == all &&
		    atomic_compare_exchange_strong(&slab->free[i], &all, 0))
			continue;
		while (i--)
			atomic_fetch_or(&slab->free[i], slab_mask(slab, i));
		return false;
	}
	return true;
}

static void slab_release(struct heap *heap, struct slab *slab)
{
	size_t at = (size_t)(slab_base(slab) - heap->base) >> PAGE_SHIFT;

	if (unlikely(heap->check))
		check_slab_gone(heap, slab);
	for (size_t i = 0; i < slab_pages(slab); i++)
		page_set(heap_page(heap, at + i), PAGE_NONE, 0);
	run_free(heap, at, slab_pages(slab));
	slab_state(heap, slab)->slabs--;
	slab_spare_push(heap, slab);
}

static bool slab_sweep_class(struct heap *heap, unsigned int class)
{
	struct slab *slab = heap->classes[class].partial, *next;
	bool any = false;

	for (; slab; slab = next) {
		next = slab->next;
		if (!slab_claim_all(slab))
			continue;
		slab_unlink(&heap->classes[class].partial, slab);
		slab_release(heap, slab);
		any = true;
	}
	for (unsigned int i = 0; i <= heap->shard_mask; i++) {
		struct shard *shard = heap->shards[i];

		slab = shard ? shard->current[class] : NULL;
		if (!slab || !slab_claim_all(slab))
			continue;
		atomic_store_explicit(&shard->current[class], NULL, memory_order_release);
		slab_release(heap, slab);
		any = true;
	}
	return any;
}

bool slab_sweep(struct heap *heap)
{
	bool any = false;

	for (unsigned int class = 0; class < CLASSES; class++)
		any |= slab_sweep_class(heap, class);
	return any;
}
