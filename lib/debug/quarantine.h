/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Freed blocks of a checked heap that are kept from reuse for a while, oldest first, a bounded
 * number of them and of bytes. To the program they are free; to the allocator they are not yet.
 */
#ifndef PRIVHEAP_HOLD_H
#define PRIVHEAP_HOLD_H

#include "alloc/types.h"

#define HOLD_BLOCKS	256U

struct hold {
	uint32_t first, count;
	size_t bytes, limit;
	char *block[HOLD_BLOCKS];
};

/* limit: bytes. */
void hold_init(struct hold *hold, size_t limit);
/* Locked. False: no room, it must be given back at once. */
bool hold_push(struct hold *hold, char *p, size_t bytes);
/* The oldest, if there are more than `most` bytes. NULL: there are not. Locked. */
char *hold_pop(struct hold *hold, size_t most);
/* What was popped was so large. Locked. */
void hold_popped(struct hold *hold, size_t bytes);

#endif
