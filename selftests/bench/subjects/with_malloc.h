/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* malloc and free, of glibc or of what is linked in its place: one heap for the whole process. */
#include <stddef.h>
#include <stdlib.h>

#ifndef SUBJECT
#define SUBJECT		"glibc"
#endif
#define HAS_HEAPS	0
#define HAS_MAXIMUM	0
#define ANY_THREAD	1

typedef int subject_heap;

static inline int heap_make(subject_heap *heap, size_t maximum)
{
	(void)maximum;
	*heap = 0;
	return 0;
}

static inline subject_heap heap_join(subject_heap heap)
{
	return heap;
}

static inline void *heap_get(subject_heap heap, size_t n)
{
	(void)heap;
	return malloc(n);
}

static inline void *heap_resize(subject_heap heap, void *p, size_t n)
{
	(void)heap;
	return realloc(p, n);
}

static inline void heap_put(subject_heap heap, void *p)
{
	(void)heap;
	free(p);
}

static inline void heap_end(subject_heap heap)
{
	(void)heap;
}
