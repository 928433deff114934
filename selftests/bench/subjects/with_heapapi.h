/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The Win32 Heap API: this library's, or Wine's when built by mingw. The same calls either way. */
#ifdef _WIN32
#include <windows.h>
#define SUBJECT		"wine"
#else
#include "heapapi.h"
#include "privheap.h"
#define SUBJECT		"privheap"
#define HAS_LEDGER	1
#endif
#include <stddef.h>

#define HAS_HEAPS	1
#define HAS_MAXIMUM	1
#define ANY_THREAD	1

typedef HANDLE subject_heap;

static inline int heap_make(subject_heap *heap, size_t maximum)
{
	*heap = HeapCreate(0, 0, maximum);
	return *heap ? 0 : -1;
}

static inline subject_heap heap_join(subject_heap heap)
{
	return heap;
}

static inline void *heap_get(subject_heap heap, size_t n)
{
	return HeapAlloc(heap, 0, n);
}

static inline void *heap_resize(subject_heap heap, void *p, size_t n)
{
	return HeapReAlloc(heap, 0, p, n);
}

static inline void heap_put(subject_heap heap, void *p)
{
	HeapFree(heap, 0, p);
}

static inline void heap_end(subject_heap heap)
{
	HeapDestroy(heap);
}

#ifdef HAS_LEDGER
/* Bytes committed by this process: heaps and what the library knows about them. */
static inline size_t heaps_committed(void)
{
	struct privheap_quota_info info = PRIVHEAP_QUOTA_INFO_INIT;

	privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info);
	return info.used;
}
#endif
