/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A shard: the slabs that the threads on one CPU, or a few, allocate from. Each slab belongs to
 * one. To change avail and freed of its groups one has to be inside, and one at a time is:
 *
 *	heap		inside is						a shard per
 *	owned		who runs a sequence on its CPU (percpu.h)		CPU
 *	shared		who holds its lock					CPU, or few CPUs
 *	exclusive	who calls: the program has promised			heap
 *	stopped		who holds the heap's lock				as it was
 *
 * An owned heap has one shard more, the last, for threads that are on no CPU with a shard: its number
 * is beyond the count, or the kernel does not tell the thread (its area is not registered). In there
 * is who holds the heap's lock.
 *
 * shard_quiesce() waits until everybody who was inside has left. Who comes in afterwards sees what
 * was written before: a slab's new owner, a closed gate.
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

/* Of a heap that is not owned: a hint. A wrong one costs time, never correctness. */
static inline uint32_t shard_hint(const struct heap *heap)
{
	return heap->shard_count > 1 ? shard_cpu() % heap->shard_count : 0;
}

/* With the one of those without a CPU's. */
static inline uint32_t shard_total(const struct heap *heap)
{
	return heap->shard_count + (heap->mode == HEAP_OWNED);
}

/* The shard this thread should use. */
static inline uint32_t shard_here(const struct heap *heap)
{
	uint32_t cpu;

	if (heap->mode != HEAP_OWNED)
		return shard_hint(heap);
	cpu = owned_cpu();
	return cpu < heap->shard_count ? cpu : heap->shard_count;
}

/* With the heap's lock held nobody else is inside this one. */
static inline bool shard_alone(const struct heap *heap, uint32_t i)
{
	return heap->mode == HEAP_EXCLUSIVE || heap->quiet ||
	       (heap->mode == HEAP_OWNED && i == heap->shard_count);
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
 * The current group has nothing left: makes the next one of its slab current that has. False: there
 * is none, or others were faster; then with the lock. Whose slab it is does not change, and groups
 * never go away, so at any moment this either finds the group replaced, or replaces it.
 */
bool shard_advance(struct heap *heap, unsigned int class);

/* From here on: with the heap's lock held. */

/* The shard, made if need be; another one, and *i says which, if there is no memory for it. */
struct shard *shard_make(struct heap *heap, uint32_t *i, int *error);
void shard_quiesce(struct heap *heap, uint32_t i);
/*
 * The same for all shards of an owned heap. If the kernel refuses that from now on nobody will be inside any
 * more but who holds the heap's lock, and heap->disowned is set.
 */
void shard_barrier(struct heap *heap);
/* *word |= bits from inside shard i. False: this thread is on another CPU. */
bool shard_or(struct heap *heap, uint32_t i, _Atomic uint64_t *word, uint64_t bits);
/* A block of the current group of shard i, from inside. NULL: none, or on another CPU. */
void *shard_take(struct heap *heap, uint32_t i, unsigned int class, size_t n);

#endif
