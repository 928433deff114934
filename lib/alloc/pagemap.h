/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What each page of a heap is: one descriptor of 16 bytes per 4 KiB.
 *
 *   directory ──▶ [ chunk 0 | chunk 1 | NULL | … ]        chunk = 32 descriptors = 128 KiB of heap
 *                     │
 *                     ▼  page  0: FREE 3      1: –    2: FREE_TAIL 3
 *                              3: SLAB s      4: SLAB s
 *                              5: LARGE 3     6: –    7: –                   (– = NONE)
 *
 * Only the first page of a large block and both ends of a free run are marked, so a huge block
 * costs two chunks, not one per 128 KiB; every page of a slab names its slab. The inside of a
 * run is always NONE, never a leftover.
 *
 * Written under the heap's lock, read without: a tag is one word and says everything a reader
 * needs. Chunks and directories, once published, live until the heap is destroyed. A directory
 * has no NULL: where nothing is known yet it names one chunk of NONE, the same for all. A heap's
 * .reach tells how many bytes its directory covers, and is raised after the directory is there.
 *
 * Beside its kind a page can remember that a large block began there and was freed: to name the
 * fault if that pointer is used again. It forgets when it becomes the first page of something.
 */
#ifndef PRIVHEAP_PAGEMAP_H
#define PRIVHEAP_PAGEMAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT	12
#define PAGE_BYTES	((size_t)1 << PAGE_SHIFT)
#define CHUNK_SHIFT	5
#define CHUNK_PAGES	((size_t)1 << CHUNK_SHIFT)

enum page_kind {
	PAGE_NONE,
	PAGE_FREE,		/* head of a free run; payload: pages; link: its bin's neighbours */
	PAGE_FREE_TAIL,		/* last page of a free run of 2 and more; payload: pages */
	PAGE_SLAB,		/* payload: struct slab * (8-aligned, so it fits above the kind) */
	PAGE_LARGE,		/* head of a large block; payload: pages; link: see large.h */
	PAGE_QUARANTINED,	/* head of a large block, freed, not yet reusable; payload: pages */
};

#define PAGE_KIND_MASK	7ULL
#define PAGE_WAS_BLOCK	(1ULL << 63)

struct page {
	_Atomic uint64_t tag;	/* kind and payload */
	_Atomic uint64_t link;
};

struct pagedir {
	size_t chunks;
	_Atomic(struct page *) chunk[];
};

/* Where nothing was described yet: NONE, all of it. */
extern struct page pagemap_none[CHUNK_PAGES];

struct slab;

static inline enum page_kind page_kind(uint64_t tag)
{
	return (enum page_kind)(tag & PAGE_KIND_MASK);
}

static inline size_t page_count(uint64_t tag)
{
	return (tag & ~PAGE_WAS_BLOCK) >> 3;
}

static inline struct slab *page_slab(uint64_t tag)
{
	return (struct slab *)(uintptr_t)(tag & ~PAGE_KIND_MASK);
}

static inline uint64_t page_tag(const struct page *page)
{
	return page ? atomic_load_explicit(&page->tag, memory_order_acquire) : PAGE_NONE;
}

static inline void page_set(struct page *page, enum page_kind kind, size_t pages)
{
	atomic_store_explicit(&page->tag, (uint64_t)pages << 3 | kind, memory_order_release);
}

/* Of a page that is free, or inside a run: keeps what it remembers. */
static inline void page_set_free(struct page *page, enum page_kind kind, size_t pages)
{
	uint64_t old = atomic_load_explicit(&page->tag, memory_order_relaxed);

	atomic_store_explicit(&page->tag, (old & PAGE_WAS_BLOCK) | (uint64_t)pages << 3 | kind,
			      memory_order_release);
}

static inline void page_set_was_block(struct page *page)
{
	atomic_fetch_or_explicit(&page->tag, PAGE_WAS_BLOCK, memory_order_release);
}

static inline void page_set_slab(struct page *page, struct slab *slab)
{
	atomic_store_explicit(&page->tag, (uint64_t)(uintptr_t)slab | PAGE_SLAB,
			      memory_order_release);
}

/* The descriptor of page number n, or NULL where nothing was ever described. */
static inline struct page *pagemap_get(_Atomic(struct pagedir *) *map, size_t n)
{
	struct pagedir *dir = atomic_load_explicit(map, memory_order_acquire);
	struct page *chunk;

	if (n >> CHUNK_SHIFT >= dir->chunks)
		return NULL;
	chunk = atomic_load_explicit(&dir->chunk[n >> CHUNK_SHIFT], memory_order_acquire);
	return chunk != pagemap_none ? chunk + (n & (CHUNK_PAGES - 1)) : NULL;
}

#endif
