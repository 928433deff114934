// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A block's way in and out.
 *
 *   heap_alloc ─ small ─▶ a bit of the shard's current slab ─ none ─▶ slab_alloc_slow
 *              └ large ─▶ a run of pages
 *   heap_free ─▶ page map ─ SLAB ──▶ which block, live?, canary ─▶ set its bit
 *                         ├ LARGE ─▶ canary ─▶ run_free
 *                         └ else ──▶ why not
 *
 * Pointers are never believed: the page map, in memory that programs cannot reach by overrun,
 * says what is there. In all functions here p is only read or written after that.
 */
#include <errno.h>
#include <string.h>
#include "annotate.h"
#include "check.h"
#include "large.h"
#include "shard.h"
#include "slab.h"
#include "stop.h"
#include "whole.h"

unsigned int block_class(const struct heap *heap, size_t n, size_t align)
{
	unsigned int class;

	if (n > heap->slab_limit || align > PAGE_BYTES)
		return CLASSES;
	for (class = class_of(n); class < CLASSES; class++) {
		if (class_sizes[class] > heap->slab_limit)
			break;
		if (class_sizes[class] % align == 0)
			return class;
	}
	return CLASSES;
}

/*
 * On the side of the error: out of what? The errno says no more than "no quota" or "no memory".
 */
static int block_error(int error)
{
	return error == -EDQUOT ? EDQUOT : ENOMEM;
}

static __attribute__((noinline))
void *block_alloc_slow(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error)
{
	unsigned int class = block_class(heap, n, align);
	int reason = -ENOMEM;
	void *p = NULL;

	*error = ENOMEM;
	if (n > heap->maximum || align > heap->maximum || heap_would_hang(heap))
		return NULL;
	if (heap->check)
		return check_alloc(heap, n, align, flags, error);
	if (class < CLASSES) {
		heap_enter(heap);
		p = slab_alloc_slow(heap, class, n, align, &reason);
		heap_leave(heap);
	}
	if (p && flags & HEAP_F_ZERO)
		memset(p, 0, n);
	if (!p)
		p = large_alloc(heap, n, align, flags, &reason);
	if (!p)
		*error = block_error(reason);
	return p;
}

void *heap_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error)
{
	struct shard *shard;
	struct slab *slab;
	void *p;

	if (!(flags & HEAP_F_NO_SERIALIZE))
		heap_pass(heap);
	if (likely(n < heap->fast_limit && align <= 16)) {
		shard = shard_get(heap);
		slab = shard ? atomic_load_explicit(&shard->current[class_of(n)],
						    memory_order_acquire) : NULL;
		p = slab ? slab_alloc(heap, slab, n) : NULL;
		if (likely(p)) {
			if (flags & HEAP_F_ZERO)
				memset(p, 0, n);
			return p;
		}
	}
	return block_alloc_slow(heap, n, align, flags, error);
}

static inline enum heap_fault block_free_small(struct heap *heap, struct slab *slab, void *p)
{
	enum heap_fault fault;
	size_t slack;
	uint32_t i;

	fault = slab_find(slab, p, &i);
	if (unlikely(fault != HEAP_OK))
		return fault;
	slack = slab_slack(slab, i);
	if (unlikely(!canary_intact(p, slab->size, slack, heap->canary)))
		return HEAP_OVERRUN;
	slab_set_slack(slab, i, 0);
	if (unlikely(!slab_give(slab, i, heap->exclusive)))
		return HEAP_FREED;
	if (unlikely(atomic_load(&slab->full)))
		slab_freed_in_full(heap, slab);
	return HEAP_OK;
}

static __attribute__((noinline)) enum heap_fault block_free_slow(struct heap *heap, void *p)
{
	return heap->check ? check_free(heap, p) : HEAP_FOREIGN;
}

enum heap_fault heap_free_unserialised(struct heap *heap, void *p)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)heap->base);
	uint64_t tag;

	if (unlikely(offset >= heap->fast_maximum))
		return block_free_slow(heap, p);
	tag = page_tag(heap_page(heap, offset >> PAGE_SHIFT));
	if (likely(page_kind(tag) == PAGE_SLAB))
		return block_free_small(heap, page_slab(tag), p);
	return large_free(heap, p);
}

enum heap_fault heap_free(struct heap *heap, void *p)
{
	heap_pass(heap);
	return heap_free_unserialised(heap, p);
}

/* What p is. For HEAP_OK *slab and *i are filled for a small block, *slab is NULL for a large. */
static enum heap_fault block_find(struct heap *heap, const void *p, struct slab **slab,
				  uint32_t *i)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)heap->base);
	enum heap_fault fault;
	uint64_t tag;

	*slab = NULL;
	if (offset >= heap->maximum)
		return HEAP_FOREIGN;
	tag = page_tag(heap_page(heap, offset >> PAGE_SHIFT));
	if (page_kind(tag) != PAGE_SLAB)
		return HEAP_OK;
	*slab = page_slab(tag);
	fault = slab_find(*slab, p, i);
	return fault == HEAP_OK && slab_is_free(*slab, *i) ? HEAP_FREED : fault;
}

enum heap_fault heap_size(struct heap *heap, const void *p, size_t *size)
{
	enum heap_fault fault;
	struct slab *slab;
	uint32_t i;

	fault = block_find(heap, p, &slab, &i);
	if (fault != HEAP_OK)
		return fault;
	if (!slab)
		return large_size(heap, p, size);
	*size = slab->size - slab_slack(slab, i);
	return HEAP_OK;
}

/* Slack 0 first and last the new one: in between, whoever validates has nothing to check. */
static void block_resize_small(struct heap *heap, struct slab *slab, uint32_t i, void *p,
			       size_t old, size_t n, unsigned int flags)
{
	slab_set_slack(slab, i, 0);
	if (flags & HEAP_F_ZERO && n > old)
		memset((char *)p + old, 0, n - old);
	canary_put(p, slab->size, slab->size - n, heap->canary);
	slab_set_slack(slab, i, slab->size - n);
}

static void *block_move(struct heap *heap, void *p, size_t old, size_t n, unsigned int flags,
			int *error)
{
	/* Whoever stops the heap from here on waits for neither half: see heap_stop. */
	void *new = heap_alloc(heap, n, 16, flags | HEAP_F_NO_SERIALIZE, error);

	if (!new)
		return NULL;
	memcpy(new, p, old < n ? old : n);
	heap_free_unserialised(heap, p);
	return new;
}

enum heap_fault heap_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			     void **out, int *error)
{
	enum heap_fault fault;
	struct slab *slab;
	size_t old, slack;
	uint32_t i;

	if (!(flags & HEAP_F_NO_SERIALIZE))
		heap_pass(heap);
	*out = NULL;
	*error = ENOMEM;
	if (heap->check)
		return heap_would_hang(heap) ? HEAP_OK :
		       check_realloc(heap, p, n, flags, out, error);
	fault = block_find(heap, p, &slab, &i);
	if (fault != HEAP_OK)
		return fault;
	if (slab) {
		slack = slab_slack(slab, i);
		old = slab->size - slack;
		if (!canary_intact(p, slab->size, slack, heap->canary))
			return HEAP_OVERRUN;
		if (n <= slab->size) {
			block_resize_small(heap, slab, i, p, old, n, flags);
			*out = p;
			return HEAP_OK;
		}
	} else if (heap_would_hang(heap)) {
		return HEAP_OK;
	} else {
		fault = large_resize(heap, p, n, flags, out, &old);
		if (fault != HEAP_OK || *out)
			return fault;
	}
	if (!(flags & HEAP_F_IN_PLACE) && n <= heap->maximum)
		*out = block_move(heap, p, old, n, flags, error);
	return HEAP_OK;
}

static enum heap_fault block_validate(struct heap *heap, const void *p)
{
	enum heap_fault fault;
	struct slab *slab;
	size_t slack;
	uint32_t i;

	if (heap->check)
		return check_block(heap, p);
	fault = block_find(heap, p, &slab, &i);
	if (fault != HEAP_OK)
		return fault;
	if (!slab)
		return large_validate(heap, p);
	slack = slab_slack(slab, i);
	return canary_intact(p, slab->size, slack, heap->canary) ? HEAP_OK : HEAP_OVERRUN;
}

enum heap_fault heap_validate(struct heap *heap, const void *p, const void **bad)
{
	*bad = p;
	return p ? block_validate(heap, p) : whole_validate(heap, bad);
}
