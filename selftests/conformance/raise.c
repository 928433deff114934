// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HEAP_CONTRACT section 3: try regions, filters, what is raised. */
#include "check.h"

#include <string.h>

#define MINE	0xE0001234U
#define OTHER	0xE0005678U

static HANDLE fixed;		/* a heap that raises, of one MiB */

static void *too_much(void)
{
	return HeapAlloc(fixed, HEAP_GENERATE_EXCEPTIONS, 8 * MIB);
}

static void what_an_alloc_raises(void)
{
	void *volatile p = &fixed;
	volatile DWORD code = 0, flags = 77, parameters = 77;
	volatile ULONG_PTR bytes = 0;
	volatile int address = 0, nested = 1, after = 0, ended = 0;

	HEAP_TRY {
		p = too_much();
		after = 1;
	} HEAP_EXCEPT((code = GetExceptionInformation()->ExceptionRecord->ExceptionCode,
		       flags = GetExceptionInformation()->ExceptionRecord->ExceptionFlags,
		       parameters = GetExceptionInformation()->ExceptionRecord->NumberParameters,
		       bytes = GetExceptionInformation()->ExceptionRecord->ExceptionInformation[0],
		       address = GetExceptionInformation()->ExceptionRecord->ExceptionAddress != 0,
		       nested = GetExceptionInformation()->ExceptionRecord->ExceptionRecord != 0,
		       EXCEPTION_EXECUTE_HANDLER)) {
		check(GetExceptionCode(), STATUS_NO_MEMORY, "raise.alloc.block-code");
		ended = 1;
	} HEAP_END_TRY
	check(code, STATUS_NO_MEMORY, "raise.alloc.code");
	check(flags, 0, "raise.alloc.flags");
	check(parameters >= 1, 1, "raise.alloc.parameters");
	check(bytes == 8 * MIB, 1, "raise.alloc.bytes");
	check(address, 1, "raise.alloc.address");
	check(nested, 0, "raise.alloc.nested");
	check(p == &fixed, 1, "raise.alloc.not-assigned");
	check(after, 0, "raise.alloc.after");
	check(ended, 1, "raise.alloc.block");
}

/* Seed text: a handler that handles it and does not exit: HeapAlloc returns NULL. */
static void an_alloc_goes_on(void)
{
	void *volatile p = &fixed;
	volatile int after = 0, block = 0, asked = 0;
	volatile DWORD error = 0;

	SetLastError(UNTOUCHED);
	HEAP_TRY {
		p = too_much();
		error = GetLastError();
		after = 1;
	} HEAP_EXCEPT((asked++, asked == 1 ? EXCEPTION_CONTINUE_EXECUTION
					   : EXCEPTION_EXECUTE_HANDLER)) {
		block = 1;
	} HEAP_END_TRY
	check(asked, 1, "raise.continue.asked");
	check(p == NULL, 1, "raise.continue.null");
	check(error, ERROR_NOT_ENOUGH_MEMORY, "raise.continue.error");
	check(after, 1, "raise.continue.after");
	check(block, 0, "raise.continue.block");
}

static volatile char order[32];
static volatile unsigned int length;

static void note(char what)
{
	if (length < sizeof(order) - 1)
		order[length++] = what;
}

static LONG noted(char what, LONG verdict)
{
	note(what);
	return verdict;
}

/* As a number: the letters noted. */
static void check_order(const char *expected, const char *name)
{
	check(length, strlen(expected), "%s.steps", name);
	check(memcmp((const void *)order, expected, length) == 0, 1, "%s.order", name);
	memset((void *)order, 0, sizeof(order));
	length = 0;
}

static void nested(void)
{
	HEAP_TRY {
		HEAP_TRY {
			note('a');
			too_much();
			note('!');
		} HEAP_EXCEPT(noted('b', EXCEPTION_CONTINUE_SEARCH)) {
			note('!');
		} HEAP_END_TRY
		note('!');
	} HEAP_EXCEPT(noted('c', EXCEPTION_EXECUTE_HANDLER)) {
		note('d');
	} HEAP_END_TRY
	note('e');
	check_order("abcde", "raise.nested.search");

	HEAP_TRY {
		HEAP_TRY {
			too_much();
		} HEAP_EXCEPT(noted('a', EXCEPTION_EXECUTE_HANDLER)) {
			note('b');
		} HEAP_END_TRY
		note('c');
	} HEAP_EXCEPT(noted('!', EXCEPTION_EXECUTE_HANDLER)) {
		note('!');
	} HEAP_END_TRY
	check_order("abc", "raise.nested.inner");

	HEAP_TRY {
		HEAP_TRY {
			note('a');
			RaiseException(MINE, 0, 0, NULL);
			note('d');
		} HEAP_EXCEPT(noted('b', EXCEPTION_CONTINUE_SEARCH)) {
			note('!');
		} HEAP_END_TRY
		note('e');
	} HEAP_EXCEPT(noted('c', EXCEPTION_CONTINUE_EXECUTION)) {
		note('!');
	} HEAP_END_TRY
	check_order("abcde", "raise.nested.continue");
}

static void raised_again(void)
{
	volatile DWORD outer = 0;

	HEAP_TRY {
		HEAP_TRY {
			too_much();
		} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
			note('a');
			RaiseException(OTHER, 0, 0, NULL);
			note('!');
		} HEAP_END_TRY
		note('!');
	} HEAP_EXCEPT((outer = GetExceptionCode(), noted('b', EXCEPTION_EXECUTE_HANDLER))) {
		note('c');
	} HEAP_END_TRY
	check(outer, OTHER, "raise.again.code");
	check_order("abc", "raise.again");
}

static LONG raises(DWORD code)
{
	RaiseException(code, 0, 0, NULL);
	return EXCEPTION_CONTINUE_SEARCH;
}

static void raised_in_a_filter(void)
{
	volatile DWORD outer = 0;

	HEAP_TRY {
		HEAP_TRY {
			RaiseException(MINE, 0, 0, NULL);
		} HEAP_EXCEPT(raises(OTHER)) {
			note('!');
		} HEAP_END_TRY
		note('!');
	} HEAP_EXCEPT((outer = GetExceptionCode(), EXCEPTION_EXECUTE_HANDLER)) {
		note('a');
	} HEAP_END_TRY
	check(outer, OTHER, "raise.in-filter.code");
	check_order("a", "raise.in-filter");
}

static int leaves_by_return(void)
{
	HEAP_TRY {
		return 1;
	} HEAP_EXCEPT(noted('!', EXCEPTION_EXECUTE_HANDLER)) {
		return 2;
	} HEAP_END_TRY
	return 3;
}

static void left_early(void)
{
	int i;

	HEAP_TRY {
		check((uint64_t)leaves_by_return(), 1, "raise.return");
		for (i = 0; i < 3; i++) {
			HEAP_TRY {
				if (i == 1)
					continue;
				if (i == 2)
					break;
				note('a');
			} HEAP_EXCEPT(noted('!', EXCEPTION_EXECUTE_HANDLER)) {
				note('!');
			} HEAP_END_TRY
			note('b');
		}
		RaiseException(MINE, 0, 0, NULL);
		note('!');
	} HEAP_EXCEPT(noted('c', EXCEPTION_EXECUTE_HANDLER)) {
		note('d');
	} HEAP_END_TRY
	check_order("abcd", "raise.left-early");
}

static void arguments(void)
{
	static const ULONG_PTR given[] = { 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
					   24 };
	volatile DWORD parameters = 77, flags = 77, code = 0;
	volatile ULONG_PTR first = 0, last = 0;
	DWORD count;

	for (count = 0; count <= COUNT(given); count += 5) {
		HEAP_TRY {
			RaiseException(MINE, 0, count, given);
		} HEAP_EXCEPT((
			code = GetExceptionInformation()->ExceptionRecord->ExceptionCode,
			flags = GetExceptionInformation()->ExceptionRecord->ExceptionFlags,
			parameters =
				GetExceptionInformation()->ExceptionRecord->NumberParameters,
			first = GetExceptionInformation()->ExceptionRecord->ExceptionInformation[0],
			last = GetExceptionInformation()->ExceptionRecord->ExceptionInformation[
				parameters ? parameters - 1 : 0],
			EXCEPTION_EXECUTE_HANDLER)) {
		} HEAP_END_TRY
		check(code, MINE, "raise.arguments.%u.code", (unsigned int)count);
		check(flags, 0, "raise.arguments.%u.flags", (unsigned int)count);
		check(parameters, count, "raise.arguments.%u.count", (unsigned int)count);
		if (count) {
			check(first, 10, "raise.arguments.%u.first", (unsigned int)count);
			check(last, 9 + count, "raise.arguments.%u.last", (unsigned int)count);
		}
	}
}

static void by_hand(void)
{
	volatile int after = 0;
	volatile DWORD code = 0;

	HEAP_TRY {
		RaiseException(MINE, 0, 0, NULL);
		after = 1;
	} HEAP_EXCEPT(EXCEPTION_CONTINUE_EXECUTION) {
		note('!');
	} HEAP_END_TRY
	check(after, 1, "raise.by-hand.continued");
	check_order("", "raise.by-hand");

	HEAP_TRY {
		RaiseException(MINE, EXCEPTION_NONCONTINUABLE, 0, NULL);
		note('!');
	} HEAP_EXCEPT((code = GetExceptionCode(),
		       code == MINE ? EXCEPTION_CONTINUE_EXECUTION : EXCEPTION_EXECUTE_HANDLER)) {
		note('a');
	} HEAP_END_TRY
	check(code, STATUS_NONCONTINUABLE_EXCEPTION, "raise.noncontinuable.code");
	check_order("a", "raise.noncontinuable");
}

/* Ten functions deep, and a thousand times: nothing is left behind, nothing is left locked. */
static int deep(int depth)
{
	volatile int stack[50];

	stack[depth] = depth;
	if (depth)
		deep(depth - 1);
	else
		too_much();
	return stack[depth];
}

static void in_thread(void *count)
{
	HEAP_TRY {
		deep(10);
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
		++*(volatile int *)count;
	} HEAP_END_TRY
}

static void many(void)
{
	volatile int caught = 0;
	int i, in_other = 0;

	for (i = 0; i < 1000; i++) {
		HEAP_TRY {
			deep(10);
		} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
			caught++;
		} HEAP_END_TRY
	}
	check((uint64_t)caught, 1000, "raise.many.caught");
	port_join(port_start(in_thread, &in_other));
	check((uint64_t)in_other, 1, "raise.thread.caught");
	check(HeapLock(fixed), TRUE, "raise.many.lock");
	check(HeapUnlock(fixed), TRUE, "raise.many.unlock");
	check(GOT(HeapAlloc(fixed, 0, 100)), 1, "raise.many.alloc");
	check(HeapValidate(fixed, 0, NULL), TRUE, "raise.many.valid");
}

void checks_of_raise(void)
{
	fixed = make_heap(0, 0, MIB);
	what_an_alloc_raises();
	an_alloc_goes_on();
	nested();
	raised_again();
	raised_in_a_filter();
	left_early();
	arguments();
	by_hand();
	many();
	HeapDestroy(fixed);
}
