/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Which shard this thread should use: a hint from the CPU it runs on. A wrong one costs time,
 * never correctness: any thread may use any shard.
 */
#ifndef PRIVHEAP_SHARD_H
#define PRIVHEAP_SHARD_H

#include "heap_internal.h"

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>

/* Registered by glibc for every thread; cpu_id_start is 0 where it could not be. */
static inline uint32_t shard_cpu(void)
{
	const char *area = (const char *)__builtin_thread_pointer() + __rseq_offset;

	return *(const volatile uint32_t *)(area + offsetof(struct rseq, cpu_id_start));
}
#else
#include <sched.h>

static inline uint32_t shard_cpu(void)
{
	return (uint32_t)sched_getcpu();
}
#endif

/* NULL until the first allocation there. */
static inline struct shard *shard_get(struct heap *heap)
{
	uint32_t i = heap->shard_mask ? shard_cpu() & heap->shard_mask : 0;

	return atomic_load_explicit(&heap->shards[i], memory_order_acquire);
}

#endif
