/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The fast path, inlined into the public functions: what a per-CPU heap does in most calls.
 *
 *   fast_lookup ─▶ fast_alloc ─ none ─▶ fast_alloc_next ─ none ─▶ heap_refill knows why
 *               │
 *               └▶ fast_ptr_to_block ─▶ fast_free_local ─ not ─▶ fast_free_remote ─ not ─┐
 *                          └── not ──────────────────────────────────────────────▶ heap_free
 *
 * Nothing here fails, waits, writes errno or, but for fast_alloc_next and fast_free_remote, calls
 * anything.
 *
 * Words that other threads write are read as plain ones: the compiler folds such loads into other
 * instructions, and atomic ones it does not. On x86-64, the only place where heaps are per-CPU,
 * loads are not reordered by the CPU; where the order matters FAST_ORDER keeps the compiler to it.
 */
#ifndef PRIVHEAP_FAST_H
#define PRIVHEAP_FAST_H

#include "os/process.h"
#include "alloc/shard.h"
#include "alloc/slab_ring.h"

#define FAST_LOAD(type, word) ({					\
	typedef type __attribute__((may_alias)) fast_type;		\
	*(const fast_type *)&(word);					\
})
#define FAST_ORDER()		atomic_signal_fence(memory_order_seq_cst)

struct fast_block {
	struct slab *slab;
	struct group *group;
	uint64_t i;		/* in the slab */
};

#if PERCPU
/* The heap, if it has the place in front that its handle names; else NULL: ask heap_lookup. */
static inline struct heap *fast_lookup(const void *handle)
{
	struct heap *heap = FAST_LOAD(struct heap *,
		process_handle_cache->heap[handle_cache_hash((uintptr_t)handle)]);

	return likely(heap && heap->base == handle) ? heap : NULL;
}

static inline bool fast_alloc(struct heap *heap, size_t n, void **p)
{
	return likely(n <= CLASS_SMALL) && percpu_alloc(heap, class_table[(n + 15) / 16], n, p);
}

/*
 * The same once the current group has nothing left: from the next one of its slab. Pre: n is small.
 */
static inline bool fast_alloc_next(struct heap *heap, size_t n, void **p)
{
	return shard_advance(heap, class_table[(n + 15) / 16]) && fast_alloc(heap, n, p);
}

/* Which block p is, if it can be one that is live, and its canary is whole. */
static inline bool fast_ptr_to_block(struct heap *heap, void *p, struct fast_block *found)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)heap->base), slack;
	struct pagedir *map;
	struct page *chunk;
	struct slab *slab;
	uint64_t i;

	if (unlikely(offset >= FAST_LOAD(size_t, heap->mapped_bytes)))
		return false;
	FAST_ORDER();
	map = FAST_LOAD(struct pagedir *, heap->map);
	chunk = FAST_LOAD(struct page *, map->chunk[offset >> (PAGE_SHIFT + CHUNK_SHIFT)]);
	chunk += offset >> PAGE_SHIFT & (CHUNK_PAGES - 1);
	slab = (struct slab *)(FAST_LOAD(uintptr_t, chunk->tag) - PAGE_SLAB);
	if (unlikely((uintptr_t)slab & PAGE_KIND_MASK))
		return false;
	offset = (size_t)((uintptr_t)p - FAST_LOAD(uintptr_t, slab->base));
	i = offset * slab->reciprocal;
	if (unlikely((uint32_t)i >= slab->reciprocal))
		return false;
	i >>= 32;
	slack = FAST_LOAD(uint16_t, slab->slack[i]);
	if (slack && unlikely(!canary_intact_fast(p, slab->size, slack, heap->canary)))
		return false;
	/* Of 64 bytes for 64 blocks each. */
	found->group = (struct group *)((char *)slab->groups + (i & ~(uint64_t)63));
	found->slab = slab;
	found->i = i;
	return true;
}
#else
static inline struct heap *fast_lookup(const void *handle)
{
	(void)handle;
	return NULL;
}

static inline bool fast_alloc(struct heap *heap, size_t n, void **p)
{
	(void)heap;
	(void)n;
	(void)p;
	return false;
}

static inline bool fast_alloc_next(struct heap *heap, size_t n, void **p)
{
	return fast_alloc(heap, n, p);
}

static inline bool fast_ptr_to_block(struct heap *heap, void *p, struct fast_block *found)
{
	(void)heap;
	(void)p;
	(void)found;
	return false;
}
#endif

/* Of a slab of this CPU. */
static inline bool fast_free_local(struct heap *heap, const struct fast_block *block)
{
	return percpu_free(heap, block->slab, block->group, block->i);
}

/* Of another CPU's. */
static inline bool fast_free_remote(struct heap *heap, const struct fast_block *block)
{
	if (!percpu_free_remote(heap, block->group, block->i))
		return false;
	if (unlikely(atomic_load(&block->slab->notify_free)))
		slab_notify_freed(heap, block->slab);
	return true;
}

#endif
