/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Everything this library remembers per process, in memory that a fork wipes: a child, however
 * it was made, finds zeros, and zero is the initial state of every field. So inherited handles
 * are unknown to it, locks are free, and it can make heaps of its own.
 */
#ifndef PRIVHEAP_PROCESS_H
#define PRIVHEAP_PROCESS_H

#include "os/backend.h"
#include "os/lock.h"

struct heap;
struct registry_table;

#define META_ORDERS	24	/* blocks of 4 KiB << order */
#define META_REGIONS	4	/* one per backend in use */

struct meta_region {
	struct backend_range range;	/* .backend is NULL while the slot is unused */
	size_t used;			/* bytes handed out at least once, the guard included */
	void *free[META_ORDERS];
	void *records;			/* pages that were heaps' records */
};

/*
 * Handle ▸ heap for the fast path: each handle has one place here. A heap that finds it taken is
 * only in the registry's table, as is one without a fast path. A place is never taken from a live
 * heap.
 */
#define HANDLE_CACHE_BITS	9

struct handle_cache {
	_Atomic(struct heap *) heap[1 << HANDLE_CACHE_BITS];
};

/* Handles are multiples of 64 KiB: the high bits of a product depend on all of theirs. */
static inline size_t handle_cache_hash(uintptr_t handle)
{
	return handle * 0x5bd1e995u >> (64 - HANDLE_CACHE_BITS);
}

/* The one below once there is one; before, one without heaps. Never NULL. */
extern struct handle_cache *process_handle_cache __attribute__((visibility("hidden")));

struct process {
	struct handle_cache handle_cache;

	struct lock registry_lock;	/* the table's writers, the list of heaps */
	_Atomic(struct registry_table *) table;
	struct heap *first, *last;
	size_t heaps;
	_Atomic size_t growable;	/* how many of them have no maximum of their own */
	_Atomic(struct heap *) doomed;	/* dropped in a signal handler, not ended yet */

	struct lock process_heap_lock;
	_Atomic(struct heap *) process_heap;

	struct lock meta_region_lock;
	struct meta_region meta[META_REGIONS];

	struct lock canary_lock;
	_Atomic uint32_t canary_ready;
	uint64_t canary[2];

	struct {			/* the ledger of anonymous memory */
		_Atomic uint64_t limit, used, peak, denied, heaps;
	} anon;

	_Atomic uint32_t cpus;		/* 0 = not asked yet */
	_Atomic uint32_t percpu;		/* see alloc/percpu.c; 0 = not asked yet */

	struct lock device_lock;
	_Atomic uint64_t device;	/* of descriptor.c: which opening, and its descriptor */
};

/* The page, made on first use. NULL: no memory. */
struct process *process_get(void);
/* The page if there is one already. Async-signal-safe. */
struct process *process_peek(void);
/* 16 random bytes, secret to this process. Pre: process_get() has succeeded. */
const uint64_t *process_canary(struct process *process);

#endif
