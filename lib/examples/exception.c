// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The exception at the maximum: handled and out, or handled and on, with NULL. */
#include "heapapi.h"
#include "show.h"

static int note(EXCEPTION_POINTERS *info)
{
	printf("  filter  exception %#x: %zu bytes wanted\n", info->ExceptionRecord->ExceptionCode,
	       (size_t)info->ExceptionRecord->ExceptionInformation[0]);
	return info->ExceptionRecord->ExceptionCode == STATUS_NO_MEMORY;
}

int main(void)
{
	HANDLE heap = HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 16 * MIB);
	void *volatile last = NULL;
	volatile int count = 0, handled = 0, went_on = 0;

	HOLDS(heap, "HeapCreate(HEAP_GENERATE_EXCEPTIONS, 0, 16 MiB)");
	printf("1 MiB at a time, with nobody looking at results:\n");
	HEAP_TRY {
		for (;;) {
			last = HeapAlloc(heap, 0, 1 * MIB);
			count++;
		}
	} HEAP_EXCEPT(note(GetExceptionInformation())) {
		printf("  except  after %d blocks; the variable still holds the last one, %p\n",
		       count, last);
		handled++;
	} HEAP_END_TRY
	HOLDS(handled == 1 && count >= 14 && count <= 16, "the except block ran once");
	HOLDS(HeapSize(heap, 0, last) == 1 * MIB, "the assignment that raised did not happen");

	printf("a handler that handles it and does not leave:\n");
	HEAP_TRY {
		last = HeapAlloc(heap, 0, 1 * MIB);
		printf("  return  HeapAlloc returned %p, last error %u\n", last, GetLastError());
		went_on++;
	} HEAP_EXCEPT((note(GetExceptionInformation()), EXCEPTION_CONTINUE_EXECUTION)) {
		handled++;
	} HEAP_END_TRY
	HOLDS(went_on == 1 && !last && handled == 1, "HeapAlloc returned NULL to its caller");
	HOLDS(HeapValidate(heap, 0, NULL) && HeapDestroy(heap), "the heap is whole");
	return 0;
}
