/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_CORRUPTION_H
#define PRIVHEAP_CORRUPTION_H

#include "alloc/types.h"

/*
 * A call found fault with p (or, p NULL, with the heap). Returns only if the heap or the
 * environment asks for it; the caller then reports 87 or EINVAL.
 */
void corruption_found(const char *call, struct heap *heap, const void *p, enum heap_fault fault);
/*
 * From now on it never returns, whatever the heap and the environment say; in forked children, too.
 */
void corruption_terminate(void);

#endif
