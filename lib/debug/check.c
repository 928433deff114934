// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The ways in and out of a checked heap (see check.h).
 *
 *   alloc ─▶ slab_alloc_slow ─▶ still as filled when freed? ─▶ fill, red zone
 *   free ──▶ live, red zones intact? ─▶ fill ─▶ quarantine … ─▶ back to its slab, when later
 *                                                              frees push it out, or low on space
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "alloc/heap_lock.h"
#include "alloc/large.h"
#include "alloc/meta.h"
#include "alloc/redzone.h"
#include "alloc/slab.h"
#include "alloc/slab_ring.h"
#include "alloc/slab_search.h"
#include "debug/check.h"
#include "debug/check_fork.h"
#include "debug/guard.h"
#include "os/annotate.h"

#define CHECK_FILL_MAX	((size_t)1 << 20)	/* larger blocks need not be resident yet */
#define CHECK_QUARANTINE_MAX	((size_t)16 << 20)

static _Thread_local const void *found;	/* what this thread's last EUCLEAN is about */

const void *check_stale_block(void)
{
	return found;
}

unsigned int check_wanted(void)
{
	const char *mode = secure_getenv("PRIVHEAP_CHECK");

	if (mode ? strcmp(mode, "full") == 0 : annotate_any())
		return HEAP_F_CHECK;
	return 0;
}

int check_init(struct heap *heap)
{
	struct check *check;
	int error = 0;

	if (!(heap->flags & HEAP_F_CHECK))
		return 0;
	check = heap_meta_alloc(heap, sizeof(*check), &error);
	if (!check)
		return error;
	check->tail = heap->flags & HEAP_F_CHECK_TAIL;
	check->freed = heap->flags & HEAP_F_CHECK_FREE;
	quarantine_init(&check->quarantine, heap->maximum / 8 < CHECK_QUARANTINE_MAX ?
			heap->maximum / 8 : CHECK_QUARANTINE_MAX);
	memset(heap->canary, heap->canary[0] & 0xff ? (int)(heap->canary[0] & 0xff) : 0xab,
	       sizeof(heap->canary));
	heap->check = check;
	atomic_store(&heap->mapped_bytes, 0);
	annotate_pool(heap->base);
	if (annotate_any())
		check_fork_install();
	return 0;
}

void check_fini(struct heap *heap)
{
	annotate_pool_gone(heap->base, heap->runs.dirty << PAGE_SHIFT);
}

/*
 * Gives a block back to its slab; the second part not locked. All under one lock, so that a second
 * free finds it free at any moment.
 */
static void check_give(const struct redzone *block)
{
	slab_group_free(slab_group(block->slab, block->i), block->i % 64);
	slab_set_slack(block->slab, block->i, 0);
}

static void check_given(struct heap *heap, const struct redzone *block)
{
	if (atomic_load(&block->slab->notify_free))
		slab_notify_freed(heap, block->slab);
}

static char *alloc_small(struct heap *heap, unsigned int class, size_t n, size_t align,
			 unsigned int flags, int *reason)
{
	size_t asked = class_sizes[class], filled;
	bool intact = false;
	struct redzone block;
	char *p;

	heap_lock_call(heap, flags);
	/* As if all of the class were wanted: then the slab writes no more than the tail. */
	p = slab_alloc_slow(heap, class, asked, align, reason);
	if (p) {
		block = redzone_block(page_slab(heap_tag(heap, p)), p);
		redzone_unpoison(&block);
		filled = block.size > asked ? asked : asked - REDZONE_BYTES;
		intact = redzone_still_filled(heap, &block, filled);
		if (intact) {
			redzone_resize(heap, &block, 0, n, flags);
			annotate_alloc(heap->base, p, n, flags & HEAP_F_ZERO);
		} else {
			redzone_fill(heap, &block);
			check_give(&block);
		}
		redzone_poison(&block, intact ? n : 0);
	}
	heap_unlock(heap);
	if (!p || intact)
		return p;
	check_given(heap, &block);
	found = p;
	*reason = -EUCLEAN;
	return NULL;
}

/* The guard page of a large block: the last one, if so many bytes were added. */
static bool large_guarded(const struct heap *heap, size_t slack)
{
	return heap->check->tail && slack >= REDZONE_BYTES + PAGE_BYTES;
}

static void large_guard(struct heap *heap, char *p, bool shut)
{
	size_t bytes, slack = large_seen(heap, p, &bytes);

	if (!large_guarded(heap, slack))
		return;
	if (shut)
		guard_protect(heap, p + bytes - PAGE_BYTES, PAGE_BYTES);
	else
		guard_unprotect(heap, p + bytes - PAGE_BYTES, PAGE_BYTES);
}

/* A large block is n bytes from now on, of which the first `old` were there. */
static void large_arm(struct heap *heap, char *p, size_t old, size_t n, unsigned int flags)
{
	size_t bytes;

	large_seen(heap, p, &bytes);
	if (bytes < CHECK_FILL_MAX && !(flags & HEAP_F_ZERO))
		fill_new(p, old, n, 0);
	large_guard(heap, p, true);
}

static char *alloc_large(struct heap *heap, size_t n, size_t more, size_t align,
			 unsigned int flags, int *reason)
{
	char *p = large_alloc(heap, n, more, align, flags, reason);
	size_t bytes;

	if (!p)
		return NULL;
	large_arm(heap, p, 0, n, flags);
	large_seen(heap, p, &bytes);
	annotate_alloc(heap->base, p, n, flags & HEAP_F_ZERO);
	annotate_poison(p + n, bytes - n);
	return p;
}

/* With a tail, and a guard page, or without if they do not fit. */
static char *alloc_once(struct heap *heap, size_t n, bool tail, size_t align, unsigned int flags,
			int *reason)
{
	size_t more = tail ? REDZONE_BYTES : 0;
	unsigned int class = align > REDZONE_MARGIN_MAX ? CLASSES :
							  slab_class(heap, n + more, align);
	char *p = NULL;

	if (class < CLASSES)
		p = alloc_small(heap, class, n, align, flags, reason);
	if (!p && *reason != -EUCLEAN)
		p = alloc_large(heap, n, tail ? more + PAGE_BYTES : 0, align, flags, reason);
	return p;
}

/* Ends the stay of the block that is held longest, if more than `most` bytes are. */
static bool quarantine_end(struct heap *heap, size_t most, unsigned int flags)
{
	struct quarantine *quarantine = &heap->check->quarantine;
	struct redzone block = { 0 };
	uint64_t tag;
	char *p;

	if (!heap_lock_call(heap, flags))
		return false;
	p = quarantine_pop(quarantine, most);
	if (p) {
		tag = heap_tag(heap, p);
		if (page_kind(tag) == PAGE_SLAB) {
			block = redzone_block(page_slab(tag), p);
			quarantine_popped(quarantine, block.size);
			check_give(&block);
		} else {
			quarantine_popped(quarantine, page_count(tag) << PAGE_SHIFT);
			/* Not to be opened: then these pages are lost until the heap ends. */
			if (guard_unprotect(heap, p, page_count(tag) << PAGE_SHIFT)) {
				annotate_unpoison(p, page_count(tag) << PAGE_SHIFT);
				large_release(heap, p);
			}
		}
	}
	heap_unlock(heap);
	if (block.slab)
		check_given(heap, &block);
	return p;
}

void *check_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error)
{
	int reason = -ENOMEM;
	char *p;

	*error = ENOMEM;
	if (n > heap->maximum || align > heap->maximum || heap_in_signal_reentry(heap))
		return NULL;
	annotate_quiet();
	do {
		p = alloc_once(heap, n, heap->check->tail, align, flags, &reason);
	} while (!p && reason != -EUCLEAN && quarantine_end(heap, 0, flags));
	if (!p && reason != -EUCLEAN)
		p = alloc_once(heap, n, false, align, flags, &reason);
	annotate_loud();
	*error = reason == -EDQUOT ? EDQUOT : reason == -EUCLEAN ? EUCLEAN : ENOMEM;
	return p;
}

/* block->slab is NULL if it is held. */
static void free_small(struct heap *heap, struct redzone *block)
{
	size_t n = block->size - slab_slack(block->slab, block->i);

	redzone_unpoison(block);
	slab_set_slack(block->slab, block->i, SLAB_QUARANTINED);
	redzone_fill(heap, block);
	annotate_free(heap->base, block->p, n);
	redzone_poison(block, 0);
	if (heap->check->freed && quarantine_push(&heap->check->quarantine, block->p, block->size))
		block->slab = NULL;
	else
		check_give(block);
}

static void free_large(struct heap *heap, char *p)
{
	size_t bytes, slack = large_seen(heap, p, &bytes);

	annotate_free(heap->base, p, bytes - slack);
	if (heap->check->freed && guard_protect(heap, p, bytes)) {
		if (quarantine_push(&heap->check->quarantine, p, bytes))
			return;
	}
	if (guard_unprotect(heap, p, bytes)) {
		annotate_unpoison(p, bytes);
		large_release(heap, p);
	}
}

enum heap_fault check_free(struct heap *heap, void *p, unsigned int flags)
{
	enum heap_fault fault;
	struct redzone block;

	/* A signal handler that may not wait: the block is lost until the heap is destroyed. */
	if (!heap_lock_call(heap, flags))
		return HEAP_OK;
	annotate_quiet();
	fault = redzone_find(heap, p, &block);
	if (fault == HEAP_OK && block.slab) {
		redzone_unpoison(&block);
		fault = redzone_intact(heap, &block);
		if (fault == HEAP_OK)
			free_small(heap, &block);
		else
			redzone_poison(&block, block.size - slab_slack(block.slab, block.i));
	} else if (fault == HEAP_OK) {
		fault = large_quarantine(heap, p);
		if (fault == HEAP_OK)
			free_large(heap, p);
	}
	heap_unlock(heap);
	if (fault == HEAP_OK && block.slab)
		check_given(heap, &block);
	while (fault == HEAP_OK && quarantine_end(heap, heap->check->quarantine.limit, flags))
		;
	annotate_loud();
	return fault;
}

/* *done: resized where it is. Locked. */
static void resize_small(struct heap *heap, const struct redzone *block, size_t n,
			 unsigned int flags, size_t *old, bool *done)
{
	size_t more = heap->check->tail && !(flags & HEAP_F_IN_PLACE) ? REDZONE_BYTES : 0;

	*old = block->size - slab_slack(block->slab, block->i);
	/* Shrinking is always possible. */
	*done = n <= *old || (n <= block->size && n + more <= block->size);
	if (!*done)
		return;
	redzone_resize(heap, block, *old, n, flags);
	annotate_resize(heap->base, block->p, *old, n, flags & HEAP_F_ZERO);
}

static enum heap_fault resize_large(struct heap *heap, char *p, size_t n, unsigned int flags,
				    size_t *old, bool *done)
{
	size_t more = heap->check->tail ? REDZONE_BYTES + PAGE_BYTES : 0, bytes;
	enum heap_fault fault = large_size(heap, p, old);
	void *out = NULL;

	*done = false;
	if (fault != HEAP_OK || n > heap->maximum)
		return fault == HEAP_OK ? large_validate(heap, p) : fault;
	large_guard(heap, p, false);
	large_seen(heap, p, &bytes);
	annotate_unpoison(p, bytes);
	fault = large_resize(heap, p, n, more, flags, &out, old);
	if (fault == HEAP_OK && !out && more)
		fault = large_resize(heap, p, n, 0, flags, &out, old);
	*done = out;
	if (out) {
		large_arm(heap, p, *old, n, flags);
		annotate_resize(heap->base, p, *old, n, flags & HEAP_F_ZERO);
	} else {
		large_guard(heap, p, true);
	}
	large_seen(heap, p, &bytes);
	annotate_poison(p + (out ? n : *old), bytes - (out ? n : *old));
	return fault;
}

/* Resizes it where it is if it can. */
static enum heap_fault resize(struct heap *heap, void *p, size_t n, unsigned int flags,
			      size_t *old, bool *done)
{
	enum heap_fault fault;
	struct redzone block;

	*done = false;
	*old = 0;
	if (!heap_lock_call(heap, flags))
		return HEAP_OK;
	fault = redzone_find(heap, p, &block);
	if (fault == HEAP_OK && block.slab) {
		redzone_unpoison(&block);
		fault = redzone_intact(heap, &block);
		if (fault == HEAP_OK)
			resize_small(heap, &block, n, flags, old, done);
		redzone_poison(&block, block.size - slab_slack(block.slab, block.i));
	}
	heap_unlock(heap);
	if (fault == HEAP_OK && !block.slab)
		fault = resize_large(heap, p, n, flags, old, done);
	return fault;
}

enum heap_fault check_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			      void **out, int *error)
{
	enum heap_fault fault;
	size_t old;
	bool done;

	*out = NULL;
	*error = ENOMEM;
	annotate_quiet();
	fault = resize(heap, p, n, flags, &old, &done);
	annotate_loud();
	if (fault != HEAP_OK)
		return fault;
	if (done) {
		*out = p;
	} else if (!(flags & HEAP_F_IN_PLACE)) {
		*out = check_alloc(heap, n, REDZONE_BYTES, flags, error);
		if (*out) {
			memcpy(*out, p, old < n ? old : n);
			fault = check_free(heap, p, flags);
		}
	}
	return fault;
}

enum heap_fault check_block(struct heap *heap, const void *p)
{
	enum heap_fault fault;
	struct redzone block;

	if (!heap_lock_unless_in_signal(heap))
		return HEAP_OK;
	annotate_quiet();
	fault = redzone_find(heap, p, &block);
	if (fault == HEAP_OK && block.slab) {
		redzone_unpoison(&block);
		fault = redzone_intact(heap, &block);
		redzone_poison(&block, block.size - slab_slack(block.slab, block.i));
	}
	annotate_loud();
	heap_unlock(heap);
	return fault == HEAP_OK && !block.slab ? large_validate(heap, p) : fault;
}
