/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A slab: a run of pages cut into blocks of one class. Its record is in the side region:
 *
 *   | struct slab | free: 1 bit per block | slack: 1 or 2 bytes per block |
 *                   1 = free                class size - requested; 0 while free
 *
 * A block is taken by clearing its bit and given back by setting it; on a shared heap both are
 * one atomic operation on one word, and no lock is held. Whoever clears a bit owns the block.
 *
 * A record is type-stable: it describes slabs of one class and one length for as long as the
 * heap lives. So a thread that still holds a record whose pages were given back, or given back
 * and replaced, finds no free bit, or takes a proper block of the same class.
 */
#ifndef PRIVHEAP_SLAB_H
#define PRIVHEAP_SLAB_H

#include "canary.h"
#include "heap_internal.h"
#include "run.h"

#define SLAB_LEVEL_BYTES(level)	(PAGE_BYTES << 2 * (level))	/* 4, 16, 64 KiB */
#define SLAB_LEVELS		3

static_assert(SLAB_LEVEL_BYTES(SLAB_LEVELS - 1) <= 1 << 16, "reciprocals are exact to 2^16");
static_assert(SLAB_LEVEL_BYTES(SLAB_LEVELS - 1) / 2 == CLASS_MAX, "every class has a slab");

struct slab {
	_Atomic(char *) base;
	uint32_t size;		/* of a block */
	uint32_t reciprocal;
	uint32_t bytes;		/* blocks * size */
	uint16_t words;		/* of the bitmap */
	uint16_t slack_at;	/* offset of the slack array */
	_Atomic uint16_t hint;	/* the word that had a free bit last */
	_Atomic uint16_t full;	/* 0, or on the full list: 1 + blocks freed since */
	uint16_t wake;		/* so many freed: no longer full */
	uint8_t class;
	uint8_t level;
	struct slab *next, *previous;	/* partial, full or spare list, under the lock */
	_Atomic uint64_t free[];
};

#define SLAB_NO_BLOCK	UINT32_MAX
#define SLAB_HELD	UINT16_MAX	/* as slack: the block was freed, and is kept from reuse */

static inline char *slab_base(const struct slab *slab)
{
	return atomic_load_explicit(&slab->base, memory_order_relaxed);
}

static inline size_t slab_pages(const struct slab *slab)
{
	return (size_t)1 << 2 * slab->level;
}

static inline _Atomic uint16_t *slab_slack_at(const struct slab *slab, uint32_t i)
{
	return (_Atomic uint16_t *)((char *)slab + slab->slack_at) + i;
}

static inline size_t slab_slack(const struct slab *slab, uint32_t i)
{
	return atomic_load_explicit(slab_slack_at(slab, i), memory_order_acquire);
}

/* Release: whoever sees the slack sees the canary that was written before. */
static inline void slab_set_slack(struct slab *slab, uint32_t i, size_t slack)
{
	atomic_store_explicit(slab_slack_at(slab, i), (uint16_t)slack, memory_order_release);
}

static inline bool slab_has_free(const struct slab *slab, uint32_t i)
{
	return atomic_load_explicit(&slab->free[i / 64], memory_order_relaxed) >> i % 64 & 1;
}

/* To the program: the slab need not have it back yet. */
static inline bool slab_is_free(const struct slab *slab, uint32_t i)
{
	return slab_has_free(slab, i) || slab_slack(slab, i) == SLAB_HELD;
}

/* Clears one bit of a word that held `seen`. False: somebody was faster, look again. */
static inline bool slab_claim(_Atomic uint64_t *word, uint64_t *seen, uint64_t bit, bool exclusive)
{
	if (!exclusive)
		return atomic_compare_exchange_strong_explicit(word, seen, *seen & ~bit,
							       memory_order_acquire,
							       memory_order_relaxed);
	atomic_store_explicit(word, *seen & ~bit, memory_order_relaxed);
	return true;
}

/* A block of the slab, owned from now on; SLAB_NO_BLOCK if none is free. */
static inline uint32_t slab_take(struct slab *slab, bool exclusive)
{
	uint32_t first = atomic_load_explicit(&slab->hint, memory_order_relaxed), at = first;

	do {
		uint64_t seen = atomic_load_explicit(&slab->free[at], memory_order_relaxed);

		while (seen) {
			if (!slab_claim(&slab->free[at], &seen, seen & -seen, exclusive))
				continue;
			if (at != first)
				atomic_store_explicit(&slab->hint, (uint16_t)at,
						      memory_order_relaxed);
			return at * 64 + (uint32_t)__builtin_ctzll(seen);
		}
		at = at + 1 == slab->words ? 0 : at + 1;
	} while (at != first);
	return SLAB_NO_BLOCK;
}

/* Marks the block free. False: it was free already. */
static inline bool slab_give(struct slab *slab, uint32_t i, bool exclusive)
{
	_Atomic uint64_t *word = &slab->free[i / 64];
	uint64_t bit = 1ULL << i % 64, seen;

	if (!exclusive)
		return !(atomic_fetch_or(word, bit) & bit);
	seen = atomic_load_explicit(word, memory_order_relaxed);
	atomic_store_explicit(word, seen | bit, memory_order_relaxed);
	return !(seen & bit);
}

/* A block for n bytes, its slack and canary set; NULL if the slab has none. */
static inline void *slab_alloc(struct heap *heap, struct slab *slab, size_t n)
{
	uint32_t i = slab_take(slab, heap->exclusive);
	size_t slack;
	char *p;

	if (unlikely(i == SLAB_NO_BLOCK))
		return NULL;
	/* Only now: until a bit is ours the pages behind the record may still change. */
	p = slab_base(slab) + (size_t)i * slab->size;
	slack = slab->size - n;
	canary_put_new(p, slab->size, slack, heap->canary);
	slab_set_slack(slab, i, slack);
	return p;
}

/* Which block p is. Anything but HEAP_OK: it is none that is live. */
static inline enum heap_fault slab_find(const struct slab *slab, const void *p, uint32_t *i)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)slab_base(slab));

	if (unlikely(offset >= slab->bytes))
		return HEAP_INTERIOR;	/* the unused end of the slab */
	*i = (uint32_t)(offset * slab->reciprocal >> 32);
	if (unlikely(*i * slab->size != offset))
		return HEAP_INTERIOR;
	return unlikely(slab_has_free(slab, *i)) ? HEAP_FREED : HEAP_OK;
}

/* A block was freed in a slab that is full. Takes the lock itself, if others should know. */
void slab_freed_in_full(struct heap *heap, struct slab *slab);

/* From here on: with the lock held. */

/* A block for n bytes, of the class or a larger one that keeps align. NULL and *error. */
void *slab_alloc_slow(struct heap *heap, unsigned int class, size_t n, size_t align, int *error);
/* Gives back the pages of slabs without a live block. True if there were any. */
bool slab_sweep(struct heap *heap);
/* The same, if the heap has grown by an eighth since: worth a look before it grows more. */
bool slab_sweep_due(struct heap *heap);

/* Live blocks and their requested bytes. */
void slab_count(const struct slab *slab, size_t *blocks, size_t *bytes);
/* Record, bitmap and canaries; *bad = where. Others may allocate meanwhile. */
enum heap_fault slab_validate(const struct heap *heap, const struct slab *slab, const void **bad);

/* A new slab, on no list. NULL and *error. */
struct slab *slab_make(struct heap *heap, unsigned int class, unsigned int level,
		       enum run_commit commit, int *error);
/* How large the next slab of the class should be. */
unsigned int slab_level(const struct heap *heap, unsigned int class);
/* Puts a slab that is nowhere on the full list. False: a block came free, and it is not. */
bool slab_retire(struct heap *heap, struct slab *slab);
/* Makes partial what was full and has a free block, and keeps it so while space is short. */
void slab_reveal(struct heap *heap, unsigned int class);

void slab_push(struct slab **list, struct slab *slab);
void slab_unlink(struct slab **list, struct slab *slab);

#endif
