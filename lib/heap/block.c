// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A block's way in and out.
 *
 *   heap_alloc ─ small ─▶ a bit of the shard's current group ─ none ─▶ heap_refill
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
#include "alloc/heap_lock.h"
#include "alloc/large.h"
#include "alloc/shard.h"
#include "alloc/slab.h"
#include "alloc/slab_ring.h"
#include "alloc/slab_search.h"
#include "debug/check.h"
#include "heap/block.h"
#include "heap/scan.h"

/* True once inside. False: a signal handler that must not wait, or the heap is frozen. */
static bool block_enter_shard(struct heap *heap, struct shard *shard)
{
	if (heap_exclusive(heap))
		return true;
	if (!lock_any_held())
		lock_spin_take(&shard->lock);
	else if (!lock_try(&shard->lock))
		return false;
	if (likely(!heap->quiesced))
		return true;
	lock_spin_drop(&shard->lock);
	return false;
}

static void block_leave_shard(struct heap *heap, struct shard *shard)
{
	if (!heap_exclusive(heap))
		lock_spin_drop(&shard->lock);
}

/* From the current group, if there is one with a free block. */
static void *block_alloc_current(struct heap *heap, unsigned int class, size_t n)
{
	struct shard *shard;
	void *p;

	if (heap->mode == HEAP_PERCPU)
		return percpu_alloc(heap, class, n, &p) ? p : NULL;
	shard = shard_at(heap, shard_hint(heap));
	if (shard == &shard_none || !block_enter_shard(heap, shard))
		return NULL;
	p = slab_group_alloc(shard_current(shard, class), class, n, heap->canary);
	block_leave_shard(heap, shard);
	return p;
}

void *heap_refill(struct heap *heap, unsigned int class, size_t n, size_t align,
		  unsigned int flags, int *error)
{
	int reason = -ENOMEM;
	void *p = NULL;

	*error = ENOMEM;
	if (n > heap->maximum || align > heap->maximum || heap_in_signal_reentry(heap))
		return NULL;
	if (class < CLASSES && heap_lock_call(heap, flags)) {
		p = slab_alloc_slow(heap, class, n, align, &reason);
		heap_unlock(heap);
	}
	if (p && flags & HEAP_F_ZERO)
		memset(p, 0, n);
	if (!p)
		p = large_alloc(heap, n, 0, align, flags, &reason);
	if (!p)
		*error = reason == -EDQUOT ? EDQUOT : ENOMEM;
	return p;
}

void *heap_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error)
{
	unsigned int class;
	void *p = NULL;

	flags |= heap->flags & HEAP_F_ZERO;
	if (!(flags & HEAP_F_NO_SERIALIZE))
		heap_wait_thawed(heap);
	if (unlikely(heap->check))
		return check_alloc(heap, n, align, flags, error);
	class = likely(n <= heap->slab_limit && align <= 16) ? class_of(n) :
							       slab_class(heap, n, align);
	if (class < CLASSES)
		p = block_alloc_current(heap, class, n);
	if (!p && class < CLASSES && shard_advance(heap, class))
		p = block_alloc_current(heap, class, n);
	if (unlikely(!p))
		return heap_refill(heap, class, n, align, flags, error);
	if (flags & HEAP_F_ZERO)
		memset(p, 0, n);
	return p;
}

/* Inside its shard, if this thread can be there without waiting long. */
static bool block_give_here(struct heap *heap, struct slab *slab, uint32_t i,
			    enum heap_fault *fault)
{
	struct group *group = slab_group(slab, i);
	struct shard *shard;
	uint32_t owner;
	bool here;

	*fault = HEAP_OK;
	if (heap->mode == HEAP_PERCPU)
		return percpu_free(heap, slab, group, i) || percpu_free_remote(heap, group, i);
	owner = atomic_load(&slab->owner);
	if (owner != shard_hint(heap))
		return false;
	shard = shard_at(heap, owner);
	if (!block_enter_shard(heap, shard))
		return false;
	here = atomic_load(&slab->local) == owner;
	if (here && !slab_group_free(group, i % 64))
		*fault = HEAP_DOUBLE_FREE;
	block_leave_shard(heap, shard);
	return here;
}

/* Whichever way. The slab is live, the block was a moment ago. */
static enum heap_fault block_give(struct heap *heap, struct slab *slab, uint32_t i,
				  unsigned int flags)
{
	enum heap_fault fault;
	bool locked;

	if (likely(block_give_here(heap, slab, i, &fault)))
		return fault;
	if (slab_is_free(slab, i))
		return HEAP_DOUBLE_FREE;
	/*
	 * Under the lock, so that the heap is not frozen in between. A signal handler cannot wait.
	 */
	locked = heap_lock_call(heap, flags);
	fault = slab_group_free_remote(slab_group(slab, i), i % 64) ? HEAP_OK : HEAP_DOUBLE_FREE;
	if (locked)
		heap_unlock(heap);
	return fault;
}

static enum heap_fault block_free(struct heap *heap, void *p, unsigned int flags)
{
	enum heap_fault fault;
	struct slab *slab;
	size_t slack;
	uint32_t i;

	if (unlikely(heap->check))
		return check_free(heap, p, flags);
	fault = ptr_to_block(heap, p, &slab, &i);
	if (unlikely(fault != HEAP_OK))
		return fault;
	if (unlikely(!slab))
		return large_free(heap, p, flags);
	slack = slab_slack(slab, i);
	if (slack && unlikely(!canary_intact(p, slab->size, slack, heap->canary)))
		return HEAP_OVERRUN;
	fault = block_give(heap, slab, i, flags);
	if (fault == HEAP_OK && unlikely(atomic_load(&slab->notify_free)))
		slab_notify_freed(heap, slab);
	return fault;
}

enum heap_fault heap_free_unserialised(struct heap *heap, void *p)
{
	return block_free(heap, p, HEAP_F_NO_SERIALIZE);
}

enum heap_fault heap_free(struct heap *heap, void *p)
{
	heap_wait_thawed(heap);
	return block_free(heap, p, 0);
}

enum heap_fault heap_size(struct heap *heap, const void *p, size_t *size)
{
	enum heap_fault fault;
	struct slab *slab;
	size_t slack;
	uint32_t i;

	fault = ptr_to_block(heap, p, &slab, &i);
	if (fault != HEAP_OK)
		return fault;
	if (!slab)
		return large_size(heap, p, size);
	/* Read once: the program may resize it in another thread. */
	slack = slab_slack(slab, i);
	*size = slab->size - slack;
	return slack == SLAB_QUARANTINED ? HEAP_DOUBLE_FREE : HEAP_OK;
}

/*
 * Under the lock, so that canary and slack are never seen to disagree; in signal reentry without
 * it.
 */
static void block_resize_small(struct heap *heap, struct slab *slab, uint32_t i, void *p,
			       size_t old, size_t n, unsigned int flags)
{
	bool locked = heap_lock_call(heap, flags);

	if (flags & HEAP_F_ZERO && n > old)
		memset((char *)p + old, 0, n - old);
	canary_put(p, slab->size, slab->size - n, heap->canary);
	slab_set_slack(slab, i, slab->size - n);
	if (locked)
		heap_unlock(heap);
}

static void *block_move(struct heap *heap, void *p, size_t old, size_t n, unsigned int flags,
			int *error)
{
	void *new = heap_alloc(heap, n, 16, flags, error);

	if (!new)
		return NULL;
	memcpy(new, p, old < n ? old : n);
	if (!(flags & HEAP_F_NO_SERIALIZE))
		heap_wait_thawed(heap);
	block_free(heap, p, flags);
	return new;
}

enum heap_fault heap_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			     void **out, int *error)
{
	enum heap_fault fault;
	struct slab *slab;
	size_t old, slack;
	uint32_t i;

	*out = NULL;
	*error = ENOMEM;
	flags |= heap->flags & HEAP_F_ZERO;
	if (!(flags & HEAP_F_NO_SERIALIZE))
		heap_wait_thawed(heap);
	if (heap->check)
		return heap_in_signal_reentry(heap) ? HEAP_OK :
		       check_realloc(heap, p, n, flags, out, error);
	fault = ptr_to_block(heap, p, &slab, &i);
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
	} else if (heap_in_signal_reentry(heap)) {
		return HEAP_OK;
	} else {
		fault = large_resize(heap, p, n, 0, flags, out, &old);
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
	uint32_t i;

	if (heap->check)
		return check_block(heap, p);
	fault = ptr_to_block(heap, p, &slab, &i);
	if (fault != HEAP_OK)
		return fault;
	if (!slab)
		return large_validate(heap, p);
	/* With the lock: see block_resize_small. In signal reentry it is not checked. */
	if (!heap_lock_unless_in_signal(heap))
		return HEAP_OK;
	if (!canary_intact(p, slab->size, slab_slack(slab, i), heap->canary))
		fault = HEAP_OVERRUN;
	heap_unlock(heap);
	return fault;
}

enum heap_fault heap_validate(struct heap *heap, const void *p, const void **bad)
{
	*bad = p;
	return p ? block_validate(heap, p) : scan_validate(heap, bad);
}
