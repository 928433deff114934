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
#include "backend.h"

struct heap;

/* heap: the caller serialises all calls on it; call: do not wait for a stopped heap */
#define HEAP_F_NO_SERIALIZE	(1U << 0)
#define HEAP_F_EXCEPTIONS	(1U << 1)	/* heap: every failed allocation raises */
#define HEAP_F_ZERO		(1U << 2)	/* call: zero the bytes that are new */
#define HEAP_F_IN_PLACE		(1U << 3)	/* call: resize without moving, or fail */
#define HEAP_F_EXEC		(1U << 4)	/* heap: pages may be executed */
#define HEAP_F_SECRET		(1U << 5)	/* heap: hidden from ptrace and core dumps */
#define HEAP_F_RETURN		(1U << 6)	/* heap: report corruption by return, do not abort */

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
	HEAP_METADATA,		/* the heap's own records contradict each other */
};

/* 0, -EINVAL (initial > maximum), -EDQUOT, -ENOMEM, or why the device cannot be opened. */
int heap_create(const struct heap_attr *attr, struct heap **out);
/* Frees everything. 0, or -EPERM if the kernel refused to unmap: the heap lives on. */
int heap_destroy(struct heap *heap);

/* handle -> heap, or NULL for anything that is not a live heap of this process. Lock-free. */
struct heap *heap_lookup(const void *handle);
void *heap_handle(const struct heap *heap);
unsigned int heap_flags(const struct heap *heap);
/* The heap whose range holds the address, or NULL. Lock-free, async-signal-safe. */
struct heap *heap_containing(const void *address);
/* The growable process heap, made on first use, never destroyed. 0 or a negative errno. */
int heap_process(struct heap **out);
/* Live heaps, process heap first, then creation order; fills at most n; returns how many live. */
size_t heap_list(struct heap **heaps, size_t n);
/* True while this thread holds a lock of the library (the SIGBUS bridge must not unwind then). */
bool heap_thread_holds_lock(void);

/* align: a power of two, 16 at least. NULL and *error = ENOMEM or EDQUOT. */
void *heap_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error);
enum heap_fault heap_free(struct heap *heap, void *p);
/* The same, but does not wait while another thread has stopped the heap. */
enum heap_fault heap_free_unserialised(struct heap *heap, void *p);
/* *size = the requested size. */
enum heap_fault heap_size(struct heap *heap, const void *p, size_t *size);
/*
 * *out = the block, moved or not, or NULL with *error = ENOMEM or EDQUOT and the block unchanged.
 * n = 0 keeps the block, at size 0. HEAP_F_ZERO zeroes only what grew, inside slack too.
 */
enum heap_fault heap_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			     void **out, int *error);
/* One block (p), or everything (NULL). *bad = where. Touches nothing outside the range. */
enum heap_fault heap_validate(struct heap *heap, const void *p, const void **bad);

struct heap_stats {
	size_t maximum, committed;	/* bytes */
	size_t allocated, blocks;	/* live blocks: requested bytes, and how many */
};

void heap_stats(struct heap *heap, struct heap_stats *stats);

#endif
