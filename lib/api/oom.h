/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_OOM_H
#define PRIVHEAP_OOM_H

#include "alloc/types.h"

/* 0 or -EDEADLK. */
int oom_set(struct heap *heap, oom_function *function, void *argument);
/* A block of so many bytes cannot be had: try again? Pre: no lock of the library is held. */
bool oom_retry(struct heap *heap, size_t bytes);
/*
 * heap_alloc(), again for as long as the handler says so. refill: the fast path has found that this
 * CPU of a per-CPU heap has no such block, a small one, at hand.
 */
void *oom_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, bool refill,
		int *error);

#endif
