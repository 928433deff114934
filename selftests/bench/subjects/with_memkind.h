/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* memkind's fixed kinds: a heap inside a range that it is given. */
#include <memkind.h>
#include <stddef.h>
#include <sys/mman.h>

#define SUBJECT		"memkind"
#define HAS_HEAPS	1
#define HAS_MAXIMUM	1
#define ANY_THREAD	1

typedef struct {
	memkind_t kind;
	void *base;
	size_t bytes;
} subject_heap;

static inline int heap_make(subject_heap *heap, size_t maximum)
{
	heap->bytes = maximum ? maximum : (size_t)1 << 30;
	heap->base = mmap(NULL, heap->bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (heap->base == MAP_FAILED)
		return -1;
	if (memkind_create_fixed(heap->base, heap->bytes, &heap->kind)) {
		munmap(heap->base, heap->bytes);
		return -1;
	}
	return 0;
}

static inline subject_heap heap_join(subject_heap heap)
{
	return heap;
}

static inline void *heap_get(subject_heap heap, size_t n)
{
	return memkind_malloc(heap.kind, n);
}

static inline void *heap_resize(subject_heap heap, void *p, size_t n)
{
	return memkind_realloc(heap.kind, p, n);
}

static inline void heap_put(subject_heap heap, void *p)
{
	memkind_free(heap.kind, p);
}

static inline void heap_end(subject_heap heap)
{
	memkind_destroy_kind(heap.kind);
	munmap(heap.base, heap.bytes);
}
