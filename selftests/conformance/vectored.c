// SPDX-License-Identifier: GPL-2.0 OR MIT
/* AddVectoredExceptionHandler and RemoveVectoredExceptionHandler. */
#include "check.h"

#define MINE	0xE0001234U

static volatile unsigned int trail;	/* who was asked, one decimal digit each */
static volatile LONG second_says;

static LONG WINAPI first_handler(PEXCEPTION_POINTERS info)
{
	if (info->ExceptionRecord->ExceptionCode == MINE)
		trail = trail * 10 + 1;
	return EXCEPTION_CONTINUE_SEARCH;
}

static LONG WINAPI second_handler(PEXCEPTION_POINTERS info)
{
	if (info->ExceptionRecord->ExceptionCode != MINE)
		return EXCEPTION_CONTINUE_SEARCH;
	trail = trail * 10 + 2;
	return second_says;
}

static LONG WINAPI counts_memory(PEXCEPTION_POINTERS info)
{
	trail += info->ExceptionRecord->ExceptionCode == STATUS_NO_MEMORY;
	return EXCEPTION_CONTINUE_SEARCH;
}

/* 3: the filter, 4: the except block, 5: the raise came back. */
static unsigned int raise_and_look(void)
{
	trail = 0;
	HEAP_TRY {
		RaiseException(MINE, 0, 0, NULL);
		trail = trail * 10 + 5;
	} HEAP_EXCEPT((trail = trail * 10 + 3, EXCEPTION_EXECUTE_HANDLER)) {
		trail = trail * 10 + 4;
	} HEAP_END_TRY
	return trail;
}

void checks_of_vectored(void)
{
	HANDLE heap = make_heap(0, 0, MIB);
	PVOID one, two;

	check(raise_and_look(), 34, "vectored.none");
	one = AddVectoredExceptionHandler(0, first_handler);
	check(one != NULL, 1, "vectored.added");
	check(raise_and_look(), 134, "vectored.one");
	two = AddVectoredExceptionHandler(0, second_handler);
	check(raise_and_look(), 1234, "vectored.last");
	second_says = EXCEPTION_CONTINUE_EXECUTION;
	check(raise_and_look(), 125, "vectored.continues");
	check(RemoveVectoredExceptionHandler(two) != 0, 1, "vectored.removed");
	check(raise_and_look(), 134, "vectored.removed.gone");
	second_says = EXCEPTION_CONTINUE_SEARCH;
	two = AddVectoredExceptionHandler(1, second_handler);
	check(raise_and_look(), 2134, "vectored.first");
	check(RemoveVectoredExceptionHandler(one) != 0, 1, "vectored.first.removed");
	check(raise_and_look(), 234, "vectored.first.left");
	check(RemoveVectoredExceptionHandler(two) != 0, 1, "vectored.all.removed");
	check(RemoveVectoredExceptionHandler(two), 0, "vectored.removed.twice");
	check(raise_and_look(), 34, "vectored.none.again");

	one = AddVectoredExceptionHandler(1, counts_memory);
	trail = 0;
	check(GOT(HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, 2 * MIB)), STATUS_NO_MEMORY,
	      "vectored.alloc");
	check(trail, 1, "vectored.alloc.asked");
	check(HeapAlloc(heap, 0, 2 * MIB) == NULL, 1, "vectored.plain");
	check(trail, 1, "vectored.plain.asked");
	check(RemoveVectoredExceptionHandler(one) != 0, 1, "vectored.alloc.removed");
	HeapDestroy(heap);
}
