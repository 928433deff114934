/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Reading the page map, see run_walk.c. All calls with the heap's lock held. */
#ifndef PRIVHEAP_RUN_WALK_H
#define PRIVHEAP_RUN_WALK_H

#include "alloc/run.h"

/* The head of the run that holds page, for reports and walks; RUN_NONE beyond the top. */
size_t run_head(struct heap *heap, size_t page);
/*
 * The head of the first run that starts at page or later, for scans that drop the lock between
 * chunks. runs.top: there is none. RUN_NONE: descriptors make no sense.
 */
size_t run_from(struct heap *heap, size_t page);
/* How many pages the run at head has; 0 if the descriptor makes no sense. */
size_t run_pages(struct heap *heap, size_t head);
/* True if both ends of the free run at head agree, and its neighbours are not free. */
bool run_consistent(struct heap *heap, size_t head);

#endif
