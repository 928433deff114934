/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Full checking of a heap, for finding bugs: what the fast paths cannot afford.
 *
 *	slab:	|      T| new …… T T T| freed …… T| new ……… T T|      |
 *		 margin   live          free        live		T: red zone, 16 and more
 *	large:	| new …………………… T|guard|		guard: a page without access
 *
 * HEAP_F_CHECK_TAIL: every block has at least 16 bytes behind it, all of them checked when it is
 * freed or resized, and the 16 before it; large blocks have a guard page behind these.
 * HEAP_F_CHECK_FREE: a freed block is filled (a large one: protected) and quarantined, and must
 * still be so when its bytes are allocated again.
 *
 * Both give way where the heap would be full otherwise. A checked heap keeps its record in
 * heap->check, has no fast path (heap->percpu_limit is 0), and does everything under its lock.
 */
#ifndef PRIVHEAP_CHECK_H
#define PRIVHEAP_CHECK_H

#include "alloc/types.h"
#include "debug/quarantine.h"

struct check {
	bool tail, freed;	/* HEAP_F_CHECK_TAIL, _FREE */
	struct quarantine quarantine;
};

/* What the environment, and the tools that watch this process, ask for: HEAP_F_CHECK_*. */
unsigned int check_wanted(void);

/* Makes a new heap a checked one, if its flags say so. 0 or a negative errno. */
int check_init(struct heap *heap);
/* Before its range is given back. */
void check_fini(struct heap *heap);

/*
 * As heap_alloc and so on, for checked heaps. EUCLEAN in *error: a freed block was written, and
 * check_stale_block() says which; it is as new then.
 */
void *check_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error);
enum heap_fault check_free(struct heap *heap, void *p, unsigned int flags);
enum heap_fault check_realloc(struct heap *heap, void *p, size_t n, unsigned int flags,
			      void **out, int *error);
enum heap_fault check_block(struct heap *heap, const void *p);
/* The block that this thread's last EUCLEAN is about. */
const void *check_stale_block(void);

#endif
