/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Runs of pages of a heap. All calls with the heap's lock held. Page numbers count from the base.
 */
#ifndef PRIVHEAP_RUN_H
#define PRIVHEAP_RUN_H

#include "alloc/types.h"

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

/* The length of the longest free run that is committed, the tail's part included. */
size_t run_longest(struct heap *heap);

#endif
