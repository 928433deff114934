/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The heap: what both public APIs are thin wrappers of.
 *
 * A public handle (HANDLE, privheap_t *) is the base address of the heap's range. The registry
 * turns it into the struct heap, which lives in the side region, or into NULL.
 * No function here raises, aborts or sets errno or the last error: wrappers do.
 */
#ifndef PRIVHEAP_HEAP_H
#define PRIVHEAP_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "backend.h"

struct heap;

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

struct heap_attr {
	size_t initial;			/* bytes, rounded up to pages; 0 = one page */
	size_t maximum;			/* bytes, rounded up to pages; 0 = growable */
	unsigned int flags;		/* the HEAP_F_* marked "heap" */
	const char *name;		/* NULL = "heap" */
	const struct backend *backend;	/* NULL = backend_default() */
};

/* What a pointer check found. Everything but HEAP_OK is corruption of one kind. */
enum heap_fault {
	HEAP_OK,
	HEAP_FOREIGN,		/* not inside this heap's range */
	HEAP_UNALLOCATED,	/* inside it, but in no slab and no large run */
	HEAP_INTERIOR,		/* not the first byte of a block */
	HEAP_FREED,		/* the block is free already: double free, use after free */
	HEAP_OVERRUN,		/* bytes past the requested size were written */
	HEAP_UNDERRUN,		/* bytes before the block were written (checked heaps) */
	HEAP_STALE,		/* a freed block was written (checked heaps) */
	HEAP_METADATA,		/* the heap's own records contradict each other */
};

/* 0, -EINVAL (initial > maximum), -EDQUOT, -ENOMEM, or why the device cannot be opened. */
int heap_create(const struct heap_attr *attr, struct heap **out);
/*
 * Frees everything; while others hold the heap, when the last of them drops it. 0; -EINVAL: no live
 * heap, or the process heap; -EPERM: the kernel refused to unmap, the heap lives on; -EDEADLK.
 */
int heap_destroy_handle(const void *handle);
/* The same, for who knows that nobody else destroys it. */
int heap_destroy(struct heap *heap);

/*
 * handle -> heap, or NULL for anything that is not a live heap of this process. It is held: if it is
 * destroyed meanwhile it keeps its pages until heap_drop. Both lock-free and async-signal-safe.
 */
struct heap *heap_hold(const void *handle);
void heap_drop(struct heap *heap);
/* Destroyed since it was held. */
bool heap_gone(const struct heap *heap);
/* The same heap, not held: for who knows that nobody destroys it. */
struct heap *heap_lookup(const void *handle);
void *heap_handle(const struct heap *heap);
unsigned int heap_flags(const struct heap *heap);
/*
 * The heap whose range holds the address, or NULL. Lock-free, async-signal-safe. Looks at every
 * heap: for faults, not for anything that happens often. The second one holds it.
 */
struct heap *heap_containing(const void *address);
struct heap *heap_hold_containing(const void *address);
/* The growable process heap, made on first use, never destroyed. 0 or a negative errno. */
int heap_process(struct heap **out);
/*
 * Handles of live heaps, process heap first, then creation order; fills at most n. How many
 * live, or -EDEADLK: a signal handler that interrupted the library.
 */
ssize_t heap_list(void **handles, size_t n);
/* True while this thread holds a lock of the library (the SIGBUS bridge must not unwind then). */
bool heap_thread_holds_lock(void);

/*
 * align: a power of two, 16 at least. NULL and *error = ENOMEM or EDQUOT; on a checked heap also
 * EUCLEAN: the block it would have been, heap_stale(), was written after it was freed.
 */
void *heap_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error);
const void *heap_stale(void);
enum heap_fault heap_free(struct heap *heap, void *p);
/* The same, but does not wait while another thread has stopped the heap. */
enum heap_fault heap_free_unserialised(struct heap *heap, void *p);
/* *size = the requested size. */
enum heap_fault heap_size(struct heap *heap, const void *p, size_t *size);
/*
 * *out = the block, moved or not, or NULL with *error as in heap_alloc and the block unchanged.
 * n = 0 keeps the block, at size 0. HEAP_F_ZERO zeroes only what grew, inside slack too.
 */
enum heap_fault heap_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			     void **out, int *error);
/* One block (p), or everything (NULL). *bad = where. Touches nothing outside the range. */
enum heap_fault heap_validate(struct heap *heap, const void *p, const void **bad);

struct heap_stats {
	size_t maximum, committed;	/* bytes */
	size_t reserved;		/* of the maximum: a growable heap's share grows as it does */
	size_t high_water;		/* bytes from the base that pages were ever handed out of */
	size_t metadata;		/* bytes of the side region */
	size_t allocated, blocks;	/* live blocks: requested bytes, and how many */
};

/*
 * Counts in pieces: other threads go on in between, and only their blocks that come or go
 * meanwhile may be missed. 0, or -EDEADLK (as heap_list) and only the first two are filled.
 */
int heap_stats(struct heap *heap, struct heap_stats *stats);

enum heap_item_kind {
	HEAP_ITEM_REGION,	/* the heap: bytes = committed, beyond = not committed */
	HEAP_ITEM_BLOCK,	/* bytes = requested, beyond = what it occupies more than that */
	HEAP_ITEM_FREE,		/* committed, could be a block of so many bytes */
	HEAP_ITEM_UNCOMMITTED,
};

struct heap_item {
	void *start;
	size_t bytes, beyond;
	enum heap_item_kind kind;
};

/*
 * Replaces *item by what comes after it, by address; start NULL: by the first. Only .start and
 * .kind are read. 1; 0: that was the last; -EINVAL: no such item can have been; -EDEADLK.
 * A block that lives from the first call to the last is met once, whatever others do meanwhile.
 */
int heap_walk(struct heap *heap, struct heap_item *item);

/*
 * Gives slabs without a live block back to the runs. Bytes of the largest free block that needs
 * no commit; 0: there is none.
 */
size_t heap_compact(struct heap *heap);
/* The same for every heap that is not in use this moment; HEAP_F_NO_SERIALIZE ones left out. */
void heap_compact_all(void);

/*
 * Stops all other threads at their next operation on the heap until heap_unlock; as often as
 * it was locked. Nothing on a HEAP_F_NO_SERIALIZE heap. 0; -EDEADLK; -EINVAL: destroyed meanwhile;
 * -EPERM: not locked by this thread.
 */
int heap_lock(struct heap *heap);
int heap_unlock(struct heap *heap);

/* What the program asked HeapSetInformation for: 0, or 2, which stays. False: it is 2. */
unsigned int heap_compatibility(const struct heap *heap);
bool heap_set_compatibility(struct heap *heap, unsigned int value);

#endif
