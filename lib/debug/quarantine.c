// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 *	push ──▶ | newest | … | oldest | ──▶ pop
 */
#include "debug/quarantine.h"

void quarantine_init(struct quarantine *quarantine, size_t limit)
{
	quarantine->limit = limit;
}

bool quarantine_push(struct quarantine *quarantine, char *p, size_t bytes)
{
	if (quarantine->count == QUARANTINE_BLOCKS || bytes > quarantine->limit)
		return false;
	quarantine->block[(quarantine->first + quarantine->count) % QUARANTINE_BLOCKS] = p;
	quarantine->count++;
	quarantine->bytes += bytes;
	return true;
}

char *quarantine_pop(struct quarantine *quarantine, size_t most)
{
	char *p;

	/* One place is kept free for the next. */
	if (!quarantine->count ||
	    (quarantine->bytes <= most && quarantine->count < QUARANTINE_BLOCKS))
		return NULL;
	p = quarantine->block[quarantine->first];
	quarantine->first = (quarantine->first + 1) % QUARANTINE_BLOCKS;
	quarantine->count--;
	return p;
}

void quarantine_popped(struct quarantine *quarantine, size_t bytes)
{
	quarantine->bytes -= bytes;
}
