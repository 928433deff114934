/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Freed blocks of a checked heap that are not reused for a while, oldest first, a bounded number of
 * them and of bytes. To the program they are free; to the allocator they are not yet. Under the
 * heap's lock.
 */
#ifndef PRIVHEAP_QUARANTINE_H
#define PRIVHEAP_QUARANTINE_H

#include "alloc/types.h"

#define QUARANTINE_BLOCKS	256U

struct quarantine {
	uint32_t first, count;
	size_t bytes, limit;
	char *block[QUARANTINE_BLOCKS];
};

/* limit: bytes. */
void quarantine_init(struct quarantine *quarantine, size_t limit);
/* False: no room, it must be given back at once. */
bool quarantine_push(struct quarantine *quarantine, char *p, size_t bytes);
/* The oldest, if there are more than `most` bytes. NULL: there are not. */
char *quarantine_pop(struct quarantine *quarantine, size_t most);
/* What was popped was so large. */
void quarantine_popped(struct quarantine *quarantine, size_t bytes);

#endif
