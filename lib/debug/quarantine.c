// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 *	push ──▶ | newest | … | oldest | ──▶ pop
 */
#include "debug/quarantine.h"

void hold_init(struct hold *hold, size_t limit)
{
	hold->limit = limit;
}

bool hold_push(struct hold *hold, char *p, size_t bytes)
{
	if (hold->count == HOLD_BLOCKS || bytes > hold->limit)
		return false;
	hold->block[(hold->first + hold->count) % HOLD_BLOCKS] = p;
	hold->count++;
	hold->bytes += bytes;
	return true;
}

char *hold_pop(struct hold *hold, size_t most)
{
	char *p;

	/* One place is kept free for the next. */
	if (!hold->count || (hold->bytes <= most && hold->count < HOLD_BLOCKS))
		return NULL;
	p = hold->block[hold->first];
	hold->first = (hold->first + 1) % HOLD_BLOCKS;
	hold->count--;
	return p;
}

void hold_popped(struct hold *hold, size_t bytes)
{
	hold->bytes -= bytes;
}
