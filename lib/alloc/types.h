/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A heap and its metadata. The first page of the metadata region that it gets holds, in order:
 *
 *   | struct heap | directory | chunk 0 | first shard | first slabs' records … |
 *
 * and is enough for a small heap. More come as chunks of growing size, all given back together
 * by heap_destroy: metadata is only ever added.
 */
#ifndef PRIVHEAP_TYPES_H
#define PRIVHEAP_TYPES_H

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include "alloc/classes.h"
#include "alloc/pagemap.h"
#include "os/backend.h"
#include "os/lock.h"

#define HEAP_SHARDS	16	/* of a shared heap, at most */
#define HEAP_CPUS	128	/* with more a heap is not per-CPU */
#define HEAP_GONE	UINT32_MAX	/* no thread's number */
#define RUN_BINS	140
#define HEAP_PAGES_MAX	((size_t)1 << 31)	/* page numbers fit a link of 32 bits */

#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)

/* Those that calls take have the values of Win32: handing them on then costs one instruction. */
#define HEAP_F_NO_SERIALIZE	0x001U	/* heap: the caller serialises; call: do not wait */
#define HEAP_F_EXCEPTIONS	0x004U	/* heap: every failed allocation raises */
#define HEAP_F_ZERO		0x008U	/* heap: in every call; call: zero the bytes that are new */
#define HEAP_F_IN_PLACE		0x010U	/* call: resize without moving, or fail */
#define HEAP_F_EXEC		0x100U	/* heap: pages may be executed */
#define HEAP_F_SECRET		0x200U	/* heap: hidden from ptrace and core dumps */
#define HEAP_F_RETURN		0x400U	/* heap: report corruption by return, do not abort */
#define HEAP_F_POPULATE		0x800U	/* heap: large blocks are resident at once, too */
#define HEAP_F_CHECK_TAIL	0x1000U	/* heap: what lies around blocks is checked in full */
#define HEAP_F_CHECK_FREE	0x2000U	/* heap: freed blocks are checked, reused late */
#define HEAP_F_LOCKED		0x4000U	/* heap: never swapped out, within RLIMIT_MEMLOCK */
#define HEAP_F_CHECK		(HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE)

/* What a pointer check found. Everything but HEAP_OK is corruption of one kind. */
enum heap_fault {
	HEAP_OK,
	HEAP_FOREIGN,		/* not inside this heap's range */
	HEAP_UNALLOCATED,	/* inside it, but in no slab and no large run */
	HEAP_INTERIOR,		/* not the first byte of a block */
	HEAP_DOUBLE_FREE,		/* the block is free already: double free, use after free */
	HEAP_OVERRUN,		/* bytes past the requested size were written */
	HEAP_UNDERRUN,		/* bytes before the block were written (checked heaps) */
	HEAP_USE_AFTER_FREE,		/* a freed block was written (checked heaps) */
	HEAP_METADATA,		/* the heap's own records contradict each other */
};

struct check;
struct privheap;

enum heap_mode {
	HEAP_EXCLUSIVE,		/* the program serialises */
	HEAP_SHARED,		/* each shard has a lock */
	HEAP_PERCPU,		/* each shard is a CPU's, see percpu.h */
};

/* 64 blocks of a slab, see slab_group.h. */
struct group {
	alignas(64) _Atomic uint64_t free;
	_Atomic uint64_t local_free;
	_Atomic uint64_t remote_free;
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
	_Atomic uint32_t local;		/* the owner, unless notify_free: may free from inside */
	_Atomic uint32_t owner;		/* the shard, or SLAB_NOBODY */
	uint32_t size;			/* of a block */
	uint32_t bytes;			/* blocks * size */
	_Atomic uint16_t notify_free;	/* full: to be told of the next free */
	uint16_t min_free;		/* blocks, for a scan to take it */
	uint16_t count;			/* of groups */
	uint8_t class;
	uint8_t order;
	struct slab *next, *previous;	/* in a ring, or cached; under the lock */
	alignas(64) struct group groups[];
};

struct shard {
	_Atomic(struct group *) current[CLASSES];	/* &group_none: none */
	struct slab *ring[CLASSES];	/* its slabs, but the current one; under the heap's lock */
	struct lock lock;		/* of a shared heap: its holder is inside */
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
	size_t top;		/* pages from here on were not allocated: the tail */
	size_t dirty;		/* pages from here on were never handed out: zero */
	size_t reclaimed_at;	/* committed bytes when empty slabs were last reclaimed */
	uint64_t nonempty[(RUN_BINS + 63) / 64];
	uint32_t bin[RUN_BINS];	/* first run of each, as page number + 1 */
};

struct class_state {
	struct slab *full;	/* ring of those without a free block, low on space */
	struct slab *cached;	/* records without pages, for slabs of this class only */
	uint32_t slabs;
	bool low_space;		/* full slabs are marked notify_free, no free block missed */
};

/* A privheap_oom_handler. */
typedef bool oom_function(struct privheap *handle, size_t bytes, void *argument);

/* Called when an allocation fails. */
struct oom_handler {
	oom_function *function;		/* NULL: none */
	void *argument;
};

struct heap {
	struct meta_chunk first;
	_Atomic uint32_t holds;	/* references, see heap/registry.c; 0: ended, until listed again */

	/* Read by every call, rarely written. */
	alignas(64) uint64_t canary[2];
	char *base;
	_Atomic uint32_t percpu_limit;	/* see percpu.h; 0: disabled */
	uint32_t mode;
	_Atomic size_t mapped_bytes;	/* bytes that the page map covers; 0: checked heap */
	_Atomic(struct pagedir *) map;
	size_t maximum;
	size_t slab_limit;	/* larger blocks are runs of pages */
	uint32_t flags;
	uint32_t shard_count;
	struct check *check;	/* of a checked heap: then nothing has a fast path */
	uint32_t order_max;	/* the largest slab: 4 KiB << 2 * order */
	_Atomic uint32_t frozen;	/* see freeze.h; HEAP_GONE: destroyed, with references */
	_Atomic bool quiesced;	/* no thread is inside a shard without the lock */
	bool growable;		/* no maximum was asked for */

	/* Under the lock. */
	alignas(64) struct lock lock;
	bool percpu_off;	/* quiescent for good: see shard_fence */
	struct backend_range range;
	struct runs runs;
	struct class_state classes[CLASSES];
	uint32_t cursor;	/* of shards scanned for slabs left behind */
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

static inline struct page *heap_page(struct heap *heap, size_t page)
{
	return pagemap_get(&heap->map, page);
}

/* The tag of the page that p is in. Pre: inside the range. */
static inline uint64_t heap_tag(struct heap *heap, const void *p)
{
	return page_tag(heap_page(heap, (size_t)((const char *)p - heap->base) >> PAGE_SHIFT));
}

#endif
