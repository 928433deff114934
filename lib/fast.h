/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The fast path, inlined into the public functions: what an owned heap does in most calls.
 *
 *   fast_lookup ─▶ fast_alloc ─ a block, or not: then heap_alloc knows why, and does it
 *               └▶ fast_free ── done, or not: then heap_free knows why
 *
 * Nothing here fails, waits, writes errno or calls anything.
 *
 * Words that others may write meanwhile are read as plain ones: the compiler folds such loads into
 * other instructions, and atomic ones it does not. On x86-64, the only place where heaps are
 * owned, loads are not reordered by the CPU; where the order matters FAST_ORDER keeps the compiler
 * to it.
 */
#ifndef PRIVHEAP_FAST_H
#define PRIVHEAP_FAST_H

#include "process.h"
#include "shard.h"

#define FAST_LOAD(type, word) ({					\
	typedef type __attribute__((may_alias)) fast_type;		\
	*(const fast_type *)&(word);					\
})
#define FAST_ORDER()		atomic_signal_fence(memory_order_seq_cst)

#if OWNED
/* The heap, if it has the place in front that its handle names; else NULL: ask heap_lookup. */
static inline struct heap *fast_lookup(const void *handle)
{
	struct heap *heap = FAST_LOAD(struct heap *,
				      process_front->heap[front_hash((uintptr_t)handle)]);

	return likely(heap && heap->base == handle) ? heap : NULL;
}

static inline bool fast_alloc(struct heap *heap, size_t n, void **p)
{
	return likely(n <= CLASS_SMALL) && owned_take(heap, class_table[(n + 15) / 16], n, p);
}

static inline bool fast_free(struct heap *heap, void *p)
{
	size_t offset = (size_t)((uintptr_t)p - (uintptr_t)heap->base), slack;
	struct pagedir *map;
	struct page *chunk;
	struct group *group;
	struct slab *slab;
	uint64_t i;

	if (unlikely(offset >= FAST_LOAD(size_t, heap->reach)))
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
	group = (struct group *)((char *)slab->groups + (i & ~(uint64_t)63));
	return owned_give(heap, slab, group, i);
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

static inline bool fast_free(struct heap *heap, void *p)
{
	(void)heap;
	(void)p;
	return false;
}
#endif

#endif
