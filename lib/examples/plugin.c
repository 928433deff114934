// SPDX-License-Identifier: GPL-2.0 OR MIT
#include "plugin.h"

#include <string.h>

#include "privheap.h"

static privheap_t *heap;

__attribute__((constructor))
static void begin(void)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;

	attr.name = "plugin";
	attr.initial = 64 << 10;
	attr.maximum = 16 << 20;
	heap = privheap_create(&attr);
}

HANDLE plugin_heap(void)
{
	return heap;
}

const char *plugin_remember(const char *text)
{
	char *copy = HeapAlloc(heap, 0, strlen(text) + 1);

	return copy ? strcpy(copy, text) : NULL;
}
