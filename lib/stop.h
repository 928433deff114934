/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Stopping a heap: no other thread starts an operation on it until it is resumed.
 *
 * Not for heaps whose caller serialises. One thread at a time: heaplock.c sees to that.
 */
#ifndef PRIVHEAP_STOP_H
#define PRIVHEAP_STOP_H

#include "heap_internal.h"

/* The calling thread goes on; others wait in their next heap_pass(). */
void heap_stop(struct heap *heap);
void heap_resume(struct heap *heap);

/* Waits while another thread has stopped the heap; a signal handler that must not wait goes on. */
void heap_pass_slow(struct heap *heap);

static inline void heap_pass(struct heap *heap)
{
	if (unlikely(atomic_load_explicit(&heap->stopped, memory_order_relaxed)))
		heap_pass_slow(heap);
}

#endif
