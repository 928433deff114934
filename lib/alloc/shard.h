/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A shard: the slabs that the threads on one CPU, or a few, allocate from. Each slab belongs to
 * one. free and local_free of its groups are written only inside the shard, by one thread at a
 * time:
 *
 *	heap		inside is					a shard per
 *	per-CPU		the sequence that runs on its CPU (percpu.h)	CPU
 *	shared		the holder of its lock				CPU, or a few CPUs
 *	exclusive	the caller: the program serialises		heap
 *	quiescent	the holder of the heap's lock			as before
 *
 * A per-CPU heap has one shard more, the last, for threads without a CPU's: the CPU's number is
 * above the limit, or not known (the area is not registered). Inside it is the holder of the heap's
 * lock.
 *
 * shard_quiesce() waits until every thread that was inside has left. One that comes in later sees
 * what was written before: a slab's new owner, percpu_limit 0.
 */
#ifndef PRIVHEAP_SHARD_H
#define PRIVHEAP_SHARD_H

#include "alloc/percpu.h"
#include "alloc/slab_group.h"

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>

/* Registered by glibc for every thread; cpu_id_start is 0 where it could not be. */
static inline uint32_t shard_cpu(void)
{
	const char *area = (const char *)__builtin_thread_pointer() + __rseq_offset;

	return *(const volatile uint32_t *)(area + offsetof(struct rseq, cpu_id_start));
}
#else
uint32_t shard_cpu(void);
#endif

/* Of a heap that is not per-CPU. A wrong hint costs time, never correctness. */
static inline uint32_t shard_hint(const struct heap *heap)
{
	return heap->shard_count > 1 ? shard_cpu() % heap->shard_count : 0;
}

/* With the one of those without a CPU's. */
static inline uint32_t shard_total(const struct heap *heap)
{
	return heap->shard_count + (heap->mode == HEAP_PERCPU);
}

/* The shard this thread should use. */
static inline uint32_t shard_here(const struct heap *heap)
{
	uint32_t cpu;

	if (heap->mode != HEAP_PERCPU)
		return shard_hint(heap);
	cpu = percpu_cpu();
	return cpu < heap->shard_count ? cpu : heap->shard_count;
}

/* Under the heap's lock no other thread is inside this one. */
static inline bool shard_alone(const struct heap *heap, uint32_t i)
{
	return heap->mode == HEAP_EXCLUSIVE || heap->quiesced ||
	       (heap->mode == HEAP_PERCPU && i == heap->shard_count);
}

/* Never NULL: where none was made yet, one without slabs. */
static inline struct shard *shard_at(struct heap *heap, uint32_t i)
{
	return atomic_load_explicit(&heap->shards[i], memory_order_acquire);
}

static inline bool shard_made(struct heap *heap, uint32_t i)
{
	return shard_at(heap, i) != &shard_none;
}

static inline struct group *shard_current(struct shard *shard, unsigned int class)
{
	return atomic_load_explicit(&shard->current[class], memory_order_acquire);
}

/*
 * The current group is empty: makes the next one of its slab with a free block current. False:
 * there is none, or another thread was faster; then under the lock. A group's slab does not change,
 * and groups never go away, so this either finds the group replaced, or replaces it.
 */
bool shard_advance(struct heap *heap, unsigned int class);

/* From here on: under the heap's lock. */

/* The shard, made if need be; another one, and *i is its number, if there is no memory for it. */
struct shard *shard_make(struct heap *heap, uint32_t *i, int *error);
void shard_quiesce(struct heap *heap, uint32_t i);
/*
 * The same for all shards of a per-CPU heap. If the kernel refuses, inside is from now on only the
 * holder of the heap's lock, and percpu_off is set.
 */
void shard_fence(struct heap *heap);
/* *word |= bits from inside shard i. False: this thread is on another CPU. */
bool shard_or(struct heap *heap, uint32_t i, _Atomic uint64_t *word, uint64_t bits);
/* A block of the current group of shard i, from inside. NULL: none, or on another CPU. */
void *shard_take(struct heap *heap, uint32_t i, unsigned int class, size_t n);

#endif
