// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Memory for the few calls that the heap cannot serve: before the process has its environment,
 * while the heap is being made, in a signal handler that interrupted the library, in other
 * libraries' fork handlers while ours hold the locks.
 *
 *	| size | block | size | block | … free … |	of the program's bss: zero, not touched
 *						used	before
 *
 * One atomic addition takes a piece. Nothing is given back: that would need a lock.
 */
#include "malloc/bootstrap.h"

#include <stdatomic.h>
#include <stdint.h>

#define RESERVE		((size_t)1 << 20)
#define HEADER		((size_t)16)

static _Alignas(64) char reserve[RESERVE];
static _Atomic size_t used;

void *bootstrap_alloc(size_t n, size_t align)
{
	size_t at = atomic_load(&used), block, end;

	if (align < HEADER)
		align = HEADER;
	if (n > RESERVE || align > RESERVE)
		return NULL;
	do {
		uintptr_t first = (uintptr_t)reserve + at + HEADER;

		block = ((first + align - 1) & ~(align - 1)) - (uintptr_t)reserve;
		end = (block + n + HEADER - 1) & ~(HEADER - 1);
		if (end > RESERVE)
			return NULL;
	} while (!atomic_compare_exchange_weak(&used, &at, end));
	*(size_t *)(reserve + block - HEADER) = n;
	return reserve + block;
}

bool bootstrap_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)reserve < RESERVE;
}

size_t bootstrap_size(const void *p)
{
	return *(const size_t *)((const char *)p - HEADER);
}
