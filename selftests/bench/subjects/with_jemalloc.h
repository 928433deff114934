/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* A jemalloc arena as a heap, with an explicit cache for each thread that uses it. */
#include <jemalloc/jemalloc.h>
#include <stddef.h>
#include <stdio.h>

#define SUBJECT		"jemalloc"
#define HAS_HEAPS	1
#define HAS_MAXIMUM	0
#define ANY_THREAD	1

typedef struct {
	unsigned int arena, cache;
	int flags, free_flags;
} subject_heap;

static inline subject_heap heap_join(subject_heap heap)
{
	size_t size = sizeof(heap.cache);

	mallctl("tcache.create", &heap.cache, &size, NULL, 0);
	heap.free_flags = MALLOCX_TCACHE(heap.cache);
	heap.flags = MALLOCX_ARENA(heap.arena) | heap.free_flags;
	return heap;
}

static inline int heap_make(subject_heap *heap, size_t maximum)
{
	size_t size = sizeof(heap->arena);

	(void)maximum;
	if (mallctl("arenas.create", &heap->arena, &size, NULL, 0))
		return -1;
	*heap = heap_join(*heap);
	return 0;
}

static inline void *heap_get(subject_heap heap, size_t n)
{
	return mallocx(n, heap.flags);
}

static inline void *heap_resize(subject_heap heap, void *p, size_t n)
{
	return rallocx(p, n, heap.flags);
}

static inline void heap_put(subject_heap heap, void *p)
{
	dallocx(p, heap.free_flags);
}

static inline void heap_end(subject_heap heap)
{
	char name[32];

	mallctl("tcache.destroy", NULL, NULL, &heap.cache, sizeof(heap.cache));
	snprintf(name, sizeof(name), "arena.%u.destroy", heap.arena);
	mallctl(name, NULL, NULL, NULL, 0);
}
