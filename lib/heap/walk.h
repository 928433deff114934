/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The items of a heap one after the other, by address. */
#ifndef PRIVHEAP_WALK_H
#define PRIVHEAP_WALK_H

#include "alloc/types.h"

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
 * A block that lives from the first call to the last is met once, whatever other threads do.
 */
int heap_walk(struct heap *heap, struct heap_item *item);

#endif
