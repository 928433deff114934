// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A heap's metadata: cut off the front of chunks of metadata pages, never given back singly.
 *
 *   heap->first ◀── chunk ◀── chunk ◀── heap->meta		| header | used … | free |
 *
 * Each chunk is about a quarter of what the heap has already, so little is lost at the end.
 */
#include <errno.h>
#include <string.h>
#include "alloc/meta.h"
#include "alloc/meta_region.h"

#define META_ORDER_MAX	5

struct page pagemap_none[CHUNK_PAGES];

static unsigned int meta_order(const struct heap *heap, size_t bytes)
{
	unsigned int order = 0;

	while (META_PAGE << order < bytes + 64)
		order++;
	while (order < META_ORDER_MAX && META_PAGE << (order + 3) <= heap->meta_bytes)
		order++;
	return order;
}

static int meta_grow(struct heap *heap, size_t bytes)
{
	unsigned int order = meta_order(heap, bytes);
	struct meta_chunk *chunk;
	int error;

	chunk = meta_pages_alloc(heap->range.backend, order, &error);
	if (!chunk)
		return error;
	*chunk = (struct meta_chunk){
		.next = heap->meta, .order = order, .used = sizeof(*chunk),
	};
	heap->meta = chunk;
	heap->meta_bytes += META_PAGE << order;
	return 0;
}

static void *meta_bump(struct meta_chunk *chunk, size_t bytes)
{
	size_t align = bytes < 64 ? 8 : 64;
	size_t at = (chunk->used + align - 1) & ~(align - 1);

	if (at + bytes > META_PAGE << chunk->order)
		return NULL;
	chunk->used = (uint32_t)(at + bytes);
	return memset((char *)chunk + at, 0, bytes);
}

void *heap_meta_alloc(struct heap *heap, size_t bytes, int *error)
{
	void *p = meta_bump(heap->meta, bytes);

	if (p)
		return p;
	*error = meta_grow(heap, bytes);
	return *error ? NULL : meta_bump(heap->meta, bytes);
}

/* A directory that reaches chunk n. Readers may hold the old one: it stays. */
static struct pagedir *meta_directory(struct heap *heap, size_t n, int *error)
{
	struct pagedir *old = heap->map, *dir;
	size_t chunks = old ? old->chunks : 4, reach;

	while (chunks <= n)
		chunks *= 2;
	dir = heap_meta_alloc(heap, sizeof(*dir) + chunks * sizeof(dir->chunk[0]), error);
	if (!dir)
		return NULL;
	dir->chunks = chunks;
	for (size_t i = 0; i < chunks; i++)
		atomic_store_explicit(&dir->chunk[i], old && i < old->chunks ? old->chunk[i] :
				      pagemap_none, memory_order_relaxed);
	atomic_store_explicit(&heap->map, dir, memory_order_release);
	reach = heap->flags & HEAP_F_CHECK ? 0 : chunks << (CHUNK_SHIFT + PAGE_SHIFT);
	atomic_store_explicit(&heap->mapped_bytes, reach < heap->maximum ? reach : heap->maximum,
			      memory_order_release);
	return dir;
}

struct page *heap_page_make(struct heap *heap, size_t page, int *error)
{
	struct pagedir *dir = heap->map;
	size_t n = page >> CHUNK_SHIFT;
	struct page *chunk;

	if (!dir || n >= dir->chunks)
		dir = meta_directory(heap, n, error);
	if (!dir)
		return NULL;
	chunk = dir->chunk[n];
	if (chunk == pagemap_none) {
		chunk = heap_meta_alloc(heap, CHUNK_PAGES * sizeof(*chunk), error);
		if (!chunk)
			return NULL;
		atomic_store_explicit(&dir->chunk[n], chunk, memory_order_release);
	}
	return chunk + (page & (CHUNK_PAGES - 1));
}
