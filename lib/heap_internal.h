/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A heap and its metadata. The first page of the side region that a heap gets holds, in order:
 *
 *   | struct heap | directory | chunk 0 | first shard | first slabs' records … |
 *
 * and is enough for a small heap. More come as chunks of growing size, all given back together
 * by heap_destroy: metadata is only ever added.
 */
#ifndef PRIVHEAP_HEAP_INTERNAL_H
#define PRIVHEAP_HEAP_INTERNAL_H

#include <stdalign.h>
#include "classes.h"
#include "heap.h"
#include "lock.h"
#include "oom.h"
#include "pagemap.h"

#define HEAP_SHARDS	16
#define RUN_BINS	140
#define HEAP_PAGES_MAX	((size_t)1 << 31)	/* page numbers fit a link of 32 bits */

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

struct slab;

/* The slabs that the threads on one CPU, or a few, allocate from. */
struct shard {
	_Atomic(struct slab *) current[CLASSES];
};

struct meta_chunk {
	struct meta_chunk *next;
	uint32_t order;
	uint32_t used;
};

struct runs {
	size_t pages;		/* of the maximum */
	size_t top;		/* pages from here on belong to nobody: the tail */
	size_t dirty;		/* pages from here on were never handed out: zero */
	size_t swept;		/* committed bytes when free slabs were last looked for */
	uint64_t nonempty[(RUN_BINS + 63) / 64];
	uint32_t bin[RUN_BINS];	/* first run of each, as page number + 1 */
};

struct class_state {
	struct slab *partial;	/* slabs with free blocks that no shard uses */
	struct slab *full;	/* slabs with no free block when last looked at */
	struct slab *spare;	/* records without pages, for slabs of this class only */
	uint32_t slabs;
	_Atomic uint32_t eager;	/* space was short: full slabs come back at the first free */
};

struct heap {
	struct meta_chunk first;

	/* Read by every call, written by none. */
	char *base;
	size_t maximum;
	_Atomic(struct pagedir *) map;
	size_t slab_limit;	/* larger blocks are runs of pages */
	uint64_t canary[2];
	uint32_t flags;
	uint32_t shard_mask;
	uint32_t level_max;	/* the largest slab: 4 KiB << 2 * level */
	bool exclusive;
	_Atomic(struct shard *) shards[HEAP_SHARDS];
	_Atomic uint32_t stopped;	/* the number of the thread that stopped it; see stop.h */

	/* Under the lock. */
	alignas(64) struct lock lock;
	struct backend_range range;
	struct runs runs;
	struct class_state classes[CLASSES];
	struct meta_chunk *meta;	/* the newest */
	size_t meta_bytes;

	/* Under the registry's lock. */
	struct heap *next, *previous;

	/* Of the program: HeapLock, HeapSetInformation, privheap_set_oom_handler. */
	_Atomic uint32_t owner;		/* the number of the thread that locked it */
	uint32_t relocks;		/* how often more than once; the owner's */
	_Atomic uint32_t compatibility;
	struct oom_handler oom;		/* under the lock */
};

static inline void heap_enter(struct heap *heap)
{
	if (!heap->exclusive)
		lock_take(&heap->lock);
}

static inline void heap_leave(struct heap *heap)
{
	if (!heap->exclusive)
		lock_drop(&heap->lock);
}

/*
 * A signal handler that interrupted this library on its own thread must not wait for it. On an
 * exclusive heap no lock is taken and the caller serialises, handlers included.
 */
static inline bool heap_would_hang(const struct heap *heap)
{
	return !heap->exclusive && lock_any_held();
}

/* Enters, unless that could hang. */
static inline bool heap_enter_safely(struct heap *heap)
{
	if (heap_would_hang(heap))
		return lock_try(&heap->lock);
	heap_enter(heap);
	return true;
}

/* Zeroed metadata, 8-aligned (64 from 64 bytes on), for as long as the heap lives. Locked. */
void *heap_meta_alloc(struct heap *heap, size_t bytes, int *error);
/* The descriptor of a page, made if there is none. Locked. NULL and *error. */
struct page *heap_page_make(struct heap *heap, size_t page, int *error);

static inline struct page *heap_page(struct heap *heap, size_t page)
{
	return pagemap_get(&heap->map, page);
}

#endif
