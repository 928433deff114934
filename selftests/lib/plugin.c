// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A plugin with a heap of its own, from when it is loaded to when it is not. */
#include "heapapi.h"

#define EXPORT __attribute__((visibility("default")))

/* 0: the plugin forgets to end it. */
EXPORT int plugin_tidy = 1;
EXPORT HANDLE plugin_heap;

EXPORT void *plugin_alloc(SIZE_T n)
{
	return HeapAlloc(plugin_heap, HEAP_ZERO_MEMORY, n);
}

EXPORT void *plugin_small(void)
{
	return HeapAlloc(plugin_heap, 0, 64);
}

__attribute__((constructor))
static void loaded(void)
{
	plugin_heap = HeapCreate(0, 0, 0);
}

__attribute__((destructor))
static void unloaded(void)
{
	if (plugin_tidy)
		HeapDestroy(plugin_heap);
}
