/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* mimalloc's heaps: of version 3, or with MIMALLOC_2 of version 2, where a heap has one thread. */
#include <mimalloc.h>
#include <stddef.h>

#define HAS_HEAPS	1
#ifdef MIMALLOC_2
#define SUBJECT		"mimalloc2"
#define HAS_MAXIMUM	0
#define ANY_THREAD	0
#else
#define SUBJECT		"mimalloc"
#define HAS_MAXIMUM	1
#define ANY_THREAD	1
#endif

typedef mi_heap_t *subject_heap;

/* A maximum is an arena of that size, which only this heap may use. */
static inline int heap_make(subject_heap *heap, size_t maximum)
{
#if HAS_MAXIMUM
	mi_arena_id_t arena;

	if (maximum) {
		if (mi_reserve_os_memory_ex(maximum, false, false, true, &arena))
			return -1;
		*heap = mi_heap_new_in_arena(arena);
		return *heap ? 0 : -1;
	}
#endif
	(void)maximum;
	*heap = mi_heap_new();
	return *heap ? 0 : -1;
}

static inline subject_heap heap_join(subject_heap heap)
{
	return heap;
}

static inline void *heap_get(subject_heap heap, size_t n)
{
	return mi_heap_malloc(heap, n);
}

static inline void *heap_resize(subject_heap heap, void *p, size_t n)
{
	return mi_heap_realloc(heap, p, n);
}

static inline void heap_put(subject_heap heap, void *p)
{
	(void)heap;
	mi_free(p);
}

static inline void heap_end(subject_heap heap)
{
	mi_heap_destroy(heap);
}
