// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Growth on demand past the initial size, out of the reserved range; it never falls. */
#include <string.h>

#include "heapapi.h"
#include "privheap.h"
#include "show.h"

#define BLOCKS	12

static size_t committed(HANDLE heap)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;

	if (show_device())
		return show_heap(heap).committed;
	HOLDS(!privheap_stats(heap, &stats), "figures of the library");
	return stats.committed;
}

int main(void)
{
	HANDLE heap = HeapCreate(0, 1 * MIB, 64 * MIB);
	void *blocks[BLOCKS];
	size_t now, before;
	int i;

	HOLDS(heap, "HeapCreate(0, 1 MiB, 64 MiB)");
	before = committed(heap);
	printf("new heap                  committed %6zu KiB\n", before >> 10);
	for (i = 0; i < BLOCKS; i++) {
		blocks[i] = HeapAlloc(heap, 0, 2 * MIB);
		HOLDS(blocks[i], "block %d", i);
		memset(blocks[i], i, 2 * MIB);
		now = committed(heap);
		printf("%2d blocks of 2 MiB live   committed %6zu KiB\n", i + 1, now >> 10);
		HOLDS(now >= before && now >= (size_t)(i + 1) * 2 * MIB, "commit follows demand");
		before = now;
	}
	for (i = 0; i < BLOCKS; i++)
		HOLDS(HeapFree(heap, 0, blocks[i]), "free of block %d", i);
	now = committed(heap);
	printf("all freed                 committed %6zu KiB\n", now >> 10);
	HOLDS(now == before, "committed pages stay until the heap is destroyed");
	for (i = 0; i < BLOCKS; i++)
		HOLDS(HeapAlloc(heap, 0, 2 * MIB), "they are used again");
	now = committed(heap);
	printf("allocated once more       committed %6zu KiB\n", now >> 10);
	HOLDS(now == before, "no page more than the first time");
	HOLDS(HeapDestroy(heap), "HeapDestroy");
	if (show_device())
		printf("heap destroyed            the process has committed %zu KiB for metadata\n",
		       show_figure(0, "committed") >> 10);
	return 0;
}
