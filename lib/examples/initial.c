// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Memory that is there when it is needed: an initial size at program start, or no start. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "heapapi.h"
#include "privheap.h"
#include "show.h"

int main(void)
{
	HANDLE heap = HeapCreate(0, 8 * MIB, 64 * MIB), second;
	struct show_heap kernel;

	if (!heap) {
		fprintf(stderr, "this program needs 8 MiB and will not start without\n");
		return 1;
	}
	HOLDS(show_device(), "this scene shows figures of /dev/privheap");
	printf("HeapCreate(0, 8 MiB, 64 MiB) = %p: nothing was touched yet, and the kernel says\n",
	       heap);
	kernel = show_heap(heap);
	HOLDS(kernel.committed >= 8 * MIB, "8 MiB are committed");
	HOLDS(kernel.resident >= 8 * MIB, "8 MiB are resident");
	HOLDS(kernel.maximum == 64 * MIB, "64 MiB are reserved");
	HOLDS(show_mapping(heap) >= 8 * MIB, "the process has those pages in its address space");

	printf("a quota of 32 MiB for this process, then HeapCreate(0, 48 MiB, 0):\n");
	HOLDS(!privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 32 * MIB),
	      "a process may lower its own quota: %s", strerror(errno));
	second = HeapCreate(0, 48 * MIB, 0);
	printf("  result  %p, last error %u, errno %s\n", second, GetLastError(),
	       strerrorname_np(errno));
	HOLDS(!second && GetLastError() == ERROR_NOT_ENOUGH_MEMORY && errno == EDQUOT,
	      "the program is told at creation");
	HOLDS(show_figure(0, "denied") >= 1, "the kernel counted the refusal");
	HOLDS(HeapAlloc(heap, 0, 4 * MIB), "the first heap works on");
	return 0;
}
