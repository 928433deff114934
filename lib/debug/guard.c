// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Guard pages (see guard.h). */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include "debug/guard.h"

static bool guard_mprotect(char *p, size_t bytes, int protection)
{
	int saved = errno;
	bool done = mprotect(p, bytes, protection) == 0;

	errno = saved;
	return done;
}

bool guard_protect(const struct heap *heap, char *p, size_t bytes)
{
	(void)heap;
	return guard_mprotect(p, bytes, PROT_NONE);
}

bool guard_unprotect(const struct heap *heap, char *p, size_t bytes)
{
	return guard_mprotect(p, bytes, PROT_READ | PROT_WRITE |
			     (heap->flags & HEAP_F_EXEC ? PROT_EXEC : 0));
}
