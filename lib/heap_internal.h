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

#define HEAP_SHARDS	16	/* of a shared heap, at most */
#define HEAP_CPUS	128	/* with more a heap is not owned */
#define HEAP_GONE	UINT32_MAX	/* no thread's number */
#define RUN_BINS	140
#define HEAP_PAGES_MAX	((size_t)1 << 31)	/* page numbers fit a link of 32 bits */

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

struct check;

enum heap_mode {
	HEAP_EXCLUSIVE,		/* the program serialises */
	HEAP_SHARED,		/* each shard has a lock */
	HEAP_OWNED,		/* each shard is a CPU's, see owned.h */
};

/* 64 blocks of a slab, see slab.h. */
struct group {
	alignas(64) _Atomic uint64_t avail;
	_Atomic uint64_t freed;
	_Atomic uint64_t remote;
	_Atomic(char *) base;		/* of its first block */
	_Atomic uint16_t *slack;	/* of its first block */
	size_t size;			/* of a block */
	uint64_t mask;			/* bits that stand for blocks */
	struct group *next;		/* of the slab; the first after the last */
};

struct slab {
	_Atomic(char *) base;
	_Atomic uint16_t *slack;	/* of all blocks: class size - requested */
	uint64_t reciprocal;
	_Atomic uint32_t local;		/* the owner, unless watched: who may free from inside */
	_Atomic uint32_t owner;		/* the shard, or SLAB_NOBODY */
	uint32_t size;			/* of a block */
	uint32_t bytes;			/* blocks * size */
	_Atomic uint16_t watched;	/* full, and who frees a block has to say so */
	uint16_t worth;			/* so many free blocks are worth to be looked for */
	uint16_t count;			/* of groups */
	uint8_t class;
	uint8_t level;
	struct slab *next, *previous;	/* in a ring, or among the spare; under the lock */
	alignas(64) struct group groups[];
};

struct shard {
	_Atomic(struct group *) current[CLASSES];	/* &group_none: none */
	struct slab *ring[CLASSES];	/* its slabs, but the current one; under the heap's lock */
	struct lock lock;		/* of a shared heap: who holds it is inside */
};

extern struct group group_none;		/* no block is ever free in it */
extern struct shard shard_none;		/* no class has a slab */

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
	struct slab *watched;	/* ring of those without a free block, while space is short */
	struct slab *spare;	/* records without pages, for slabs of this class only */
	uint32_t slabs;
	bool eager;		/* space is short: full slabs are watched, no free block missed */
};

struct heap {
	struct meta_chunk first;
	_Atomic uint32_t holds;	/* see registry.c; 0: of nobody, and stays so until it is listed */

	/* Read by every call, hardly ever written. */
	alignas(64) uint64_t canary[2];
	char *base;
	_Atomic uint32_t gate;	/* see owned.h */
	uint32_t mode;
	_Atomic size_t reach;	/* bytes that the page map can describe so far; 0: checked */
	_Atomic(struct pagedir *) map;
	size_t maximum;
	size_t slab_limit;	/* larger blocks are runs of pages */
	uint32_t flags;
	uint32_t shard_count;
	struct check *check;	/* of a checked heap: then nothing has a fast path */
	uint32_t level_max;	/* the largest slab: 4 KiB << 2 * level */
	_Atomic uint32_t stopped;	/* see stop.h; HEAP_GONE: destroyed, and held by somebody */
	_Atomic bool quiet;	/* stopped, and nobody is inside any more */
	bool growable;		/* no maximum was asked for */

	/* Under the lock. */
	alignas(64) struct lock lock;
	bool disowned;		/* an owned heap that is quiet for ever: see shard_barrier */
	struct backend_range range;
	struct runs runs;
	struct class_state classes[CLASSES];
	uint32_t hand;			/* counts the shards looked at for what was left behind */
	struct meta_chunk *meta;	/* the newest */
	size_t meta_bytes;

	/* Under the registry's lock. */
	struct heap *next, *previous;

	/* Of the program: HeapLock, HeapSetInformation, privheap_set_oom_handler. */
	_Atomic uint32_t owner;		/* the number of the thread that locked it, or HEAP_GONE */
	uint32_t relocks;		/* how often more than once; the owner's */
	_Atomic uint32_t compatibility;
	struct oom_handler oom;		/* under the lock */

	_Atomic(struct shard *) shards[];
};

static inline bool heap_exclusive(const struct heap *heap)
{
	return heap->mode == HEAP_EXCLUSIVE;
}

static inline void heap_enter(struct heap *heap)
{
	if (!heap_exclusive(heap))
		lock_take(&heap->lock);
}

static inline void heap_leave(struct heap *heap)
{
	if (!heap_exclusive(heap))
		lock_drop(&heap->lock);
}

/*
 * A signal handler that interrupted this library on its own thread must not wait for it. On an
 * exclusive heap no lock is taken and the caller serialises, handlers included.
 */
static inline bool heap_would_hang(const struct heap *heap)
{
	return !heap_exclusive(heap) && lock_any_held();
}

/* Enters, unless that could hang. */
static inline bool heap_enter_safely(struct heap *heap)
{
	if (heap_would_hang(heap))
		return lock_try(&heap->lock);
	heap_enter(heap);
	return true;
}

/* The smallest class for n whose blocks are all aligned; CLASSES if that takes pages. */
unsigned int block_class(const struct heap *heap, size_t n, size_t align);

/* Bytes from the base that count as reserved by now; in the end the maximum. Locked. */
size_t heap_reserved(const struct heap *heap);

/* Zeroed metadata, 8-aligned (64 from 64 bytes on), for as long as the heap lives. Locked. */
void *heap_meta_alloc(struct heap *heap, size_t bytes, int *error);
/* The descriptor of a page, made if there is none. Locked. NULL and *error. */
struct page *heap_page_make(struct heap *heap, size_t page, int *error);

static inline struct page *heap_page(struct heap *heap, size_t page)
{
	return pagemap_get(&heap->map, page);
}

#endif
