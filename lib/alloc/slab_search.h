/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The search for a block when the current group has none, see slab_search.c. With the lock held. */
#ifndef PRIVHEAP_SLAB_SEARCH_H
#define PRIVHEAP_SLAB_SEARCH_H

#include "alloc/slab_group.h"

/* A block for n bytes, of the class or a larger one that keeps align. NULL and *error. */
void *slab_alloc_slow(struct heap *heap, unsigned int class, size_t n, size_t align, int *error);

#endif
