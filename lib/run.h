/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Runs of pages of a heap. All calls with the heap's lock held. Page numbers count from the base.
 */
#ifndef PRIVHEAP_RUN_H
#define PRIVHEAP_RUN_H

#include "heap_internal.h"

#define RUN_NONE	SIZE_MAX

enum run_commit {
	RUN_COMMITTED,		/* only from what is committed */
	RUN_POPULATE,		/* commit more if needed, resident */
	RUN_CHARGE,		/* commit more if needed, resident on touch */
};

/*
 * n pages whose first address is a multiple of align pages (a power of two). The caller marks
 * the first page; descriptors of the first and the last exist. *fresh: pages from this number on
 * were never used, so are zero. RUN_NONE: *error = -ENOMEM, -EDQUOT.
 */
size_t run_alloc(struct heap *heap, size_t n, size_t align, enum run_commit commit,
		 size_t *fresh, int *error);
/* Gives [page, page + n) back. Cannot fail. The descriptors of the run need not be cleared. */
void run_free(struct heap *heap, size_t page, size_t n);
/* Lets the run [page, page + old) become n pages where it is. 0 or a negative errno. */
int run_resize(struct heap *heap, size_t page, size_t old, size_t n, enum run_commit commit,
	       size_t *fresh);

/* The head of the run that holds page, for reports and walks; RUN_NONE beyond the top. */
size_t run_head(struct heap *heap, size_t page);
/*
 * The head of the first run that starts at page or later, for who looks at a heap piece by piece
 * and drops the lock in between. runs.top: there is none. RUN_NONE: descriptors make no sense.
 */
size_t run_from(struct heap *heap, size_t page);
/* The length of the longest free run that is committed, the tail's part included. */
size_t run_longest(struct heap *heap);
/* How many pages the run at head has; 0 if the descriptor makes no sense. */
size_t run_pages(struct heap *heap, size_t head);
/* True if both ends of the free run at head agree, and its neighbours are not free. */
bool run_consistent(struct heap *heap, size_t head);

#endif
