// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The search for a block when the current slab has none, nearest first:
 *
 *   own slab ▸ partial list ▸ new slab ▸ other shards ▸ full list ▸ swept slabs ▸ larger classes
 *
 * New slabs come before the other shards' so that CPUs do not share bitmap words while there is
 * room. Sweeping comes before larger classes: else a heap whose blocks of 4 KiB were all freed
 * would give those out for 48 bytes each. And what makes a heap's small blocks readable for others:
 * counting and validating them.
 */
#include <errno.h>
#include <sched.h>
#include "run.h"
#include "shard.h"
#include "slab.h"

#define SWEEP_MIN	((size_t)256 << 10)

/* This CPU's shard, made if need be; another one if there is no memory for it. */
static struct shard *shard_make(struct heap *heap, int *error)
{
	uint32_t i = heap->shard_mask ? shard_cpu() & heap->shard_mask : 0;
	struct shard *shard = heap->shards[i];

	if (shard)
		return shard;
	shard = heap_meta_alloc(heap, sizeof(*shard), error);
	for (uint32_t k = 0; !shard && k <= heap->shard_mask; k++)
		shard = heap->shards[k];
	if (shard)
		atomic_store_explicit(&heap->shards[i], shard, memory_order_release);
	return shard;
}

/* Takes the first partial slab off its list; full ones met on the way are retired. */
static void *slab_from_partial(struct heap *heap, struct shard *shard, unsigned int class,
			       size_t n)
{
	struct slab **list = &heap->classes[class].partial, *slab;
	void *p;

	while ((slab = *list)) {
		slab_unlink(list, slab);
		do {
			p = slab_alloc(heap, slab, n);
			/* None: somebody who held it since it was current has emptied it. */
		} while (!p && !slab_retire(heap, slab));
		if (p) {
			atomic_store_explicit(&shard->current[class], slab, memory_order_release);
			return p;
		}
	}
	return NULL;
}

/* The shard gives up its slab of the class, unless a block came free in it. */
static void *slab_leave_current(struct heap *heap, struct shard *shard, unsigned int class,
				size_t n)
{
	struct slab *slab = shard->current[class];
	void *p;

	if (!slab)
		return NULL;
	do {
		p = slab_alloc(heap, slab, n);
		if (p)
			return p;
	} while (!slab_retire(heap, slab));
	atomic_store_explicit(&shard->current[class], NULL, memory_order_release);
	return NULL;
}

static void *slab_from_others(struct heap *heap, unsigned int class, size_t n)
{
	struct slab *slab;
	void *p;

	for (unsigned int i = 0; i <= heap->shard_mask; i++) {
		struct shard *shard = heap->shards[i];

		slab = shard ? shard->current[class] : NULL;
		p = slab ? slab_alloc(heap, slab, n) : NULL;
		if (p)
			return p;
	}
	return NULL;
}

/* A block from a partial slab, which stays where it is. */
static void *slab_borrow(struct heap *heap, unsigned int class, size_t n)
{
	struct slab **list = &heap->classes[class].partial, *slab;
	void *p = NULL;

	while (!p && (slab = *list)) {
		p = slab_alloc(heap, slab, n);
		if (p)
			break;
		slab_unlink(list, slab);
		if (!slab_retire(heap, slab))
			slab_push(list, slab);
	}
	return p;
}

static void *slab_from_larger(struct heap *heap, unsigned int class, size_t n, size_t align)
{
	void *p = NULL;

	while (!p && ++class < CLASSES && class_sizes[class] <= heap->slab_limit) {
		if (class_sizes[class] % align)
			continue;
		slab_reveal(heap, class);
		p = slab_from_others(heap, class, n);
		if (!p)
			p = slab_borrow(heap, class, n);
	}
	return p;
}

bool slab_sweep_due(struct heap *heap)
{
	struct runs *runs = &heap->runs;
	size_t grown = heap->range.committed - runs->swept;

	if (grown < SWEEP_MIN || grown < heap->range.committed / 8)
		return false;
	runs->swept = heap->range.committed;
	return slab_sweep(heap);
}

/* A slab of the right length if there is any way to have it, else a shorter one. */
static struct slab *slab_make_any(struct heap *heap, unsigned int class, int *error)
{
	unsigned int level = slab_level(heap, class);
	struct slab *slab = slab_make(heap, class, level, RUN_COMMITTED, error);

	if (!slab && slab_sweep_due(heap))
		slab = slab_make(heap, class, level, RUN_COMMITTED, error);
	while (!slab && SLAB_LEVEL_BYTES(level) >= class_sizes[class]) {
		slab = slab_make(heap, class, level, RUN_POPULATE, error);
		if (level-- == 0)
			break;
	}
	return slab;
}

static void *slab_from_new(struct heap *heap, struct shard *shard, unsigned int class, size_t n,
			   int *error)
{
	struct slab *slab = slab_make_any(heap, class, error);
	void *p;

	if (!slab)
		return NULL;
	/* Nobody else has seen it, unless its record had a life before: then ask again. */
	p = slab_alloc(heap, slab, n);
	if (!p) {
		slab_push(&heap->classes[class].partial, slab);
		return slab_from_partial(heap, shard, class, n);
	}
	atomic_store_explicit(&shard->current[class], slab, memory_order_release);
	return p;
}

void *slab_alloc_slow(struct heap *heap, unsigned int class, size_t n, size_t align, int *error)
{
	struct shard *shard = shard_make(heap, error);
	void *p;

	if (!shard)
		return NULL;
	p = slab_leave_current(heap, shard, class, n);
	if (!p)
		p = slab_from_partial(heap, shard, class, n);
	if (!p)
		p = slab_from_new(heap, shard, class, n, error);
	if (!p)
		p = slab_from_others(heap, class, n);
	if (!p) {
		slab_reveal(heap, class);
		p = slab_from_partial(heap, shard, class, n);
	}
	if (!p && slab_sweep(heap))
		p = slab_from_new(heap, shard, class, n, error);
	if (!p)
		p = slab_from_larger(heap, class, n, align);
	return p;
}

void slab_count(const struct slab *slab, size_t *blocks, size_t *bytes)
{
	for (uint32_t i = 0; i < slab->bytes / slab->size; i++) {
		if (slab_is_free(slab, i))
			continue;
		*blocks += 1;
		*bytes += slab->size - slab_slack(slab, i);
	}
}

#define VALIDATE_LOOKS	64

/*
 * True if the canary of block i is damaged, seen while others may allocate and free it. A block
 * has slack 0 while it is free or changing hands, and its canary is written before its slack.
 * What looks damaged may still be two moments of two lives, so it has to look the same often.
 */
static bool slab_overrun(const struct heap *heap, const struct slab *slab, uint32_t i)
{
	const char *p = slab_base(slab) + (size_t)i * slab->size;
	size_t slack = slab_slack(slab, i);

	for (int look = 0; look < VALIDATE_LOOKS; look++) {
		if (slack == 0 || canary_intact(p, slab->size, slack, heap->canary))
			return false;
		if (look % 8 == 7)
			sched_yield();
		if (slab_is_free(slab, i) || slab_slack(slab, i) != slack)
			return false;
	}
	return true;
}

enum heap_fault slab_validate(const struct heap *heap, const struct slab *slab, const void **bad)
{
	uint32_t blocks = slab->bytes / slab->size;

	*bad = slab_base(slab);
	if (slab->class >= CLASSES || slab->size != class_sizes[slab->class])
		return HEAP_METADATA;
	if (blocks % 64 && atomic_load(&slab->free[slab->words - 1]) >> blocks % 64)
		return HEAP_METADATA;
	for (uint32_t i = 0; i < blocks; i++) {
		*bad = slab_base(slab) + (size_t)i * slab->size;
		if (slab_is_free(slab, i))
			continue;
		if (slab_slack(slab, i) > slab->size)
			return HEAP_METADATA;
		if (slab_overrun(heap, slab, i))
			return HEAP_OVERRUN;
	}
	return HEAP_OK;
}
