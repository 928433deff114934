// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Try regions for gcc on Windows. What no frame handles, Windows hands to the process's filter for
 * unhandled exceptions while the raise still waits: that is where the regions are asked.
 */
#include <windows.h>

#include "heap_try.h"

static __thread struct heap_try *innermost;
static LPTOP_LEVEL_EXCEPTION_FILTER before;	/* the filter that was there before ours */

static LONG ask(struct heap_try *region, PEXCEPTION_POINTERS info)
{
	struct heap_try *saved = innermost;
	LONG verdict;

	innermost = region->outer;
	region->code = info->ExceptionRecord->ExceptionCode;
	verdict = region->filter(info);
	innermost = saved;
	return verdict;
}

static LONG WINAPI ask_all(PEXCEPTION_POINTERS info)
{
	struct heap_try *region;

	for (region = innermost; region; region = region->outer) {
		LONG verdict = ask(region, info);

		if (verdict < 0)
			return EXCEPTION_CONTINUE_EXECUTION;
		if (verdict > 0) {
			innermost = region;
			heap_try_leave(region);
			((NT_TIB *)NtCurrentTeb())->ExceptionList = region->frames;
			region->caught = 1;
			__builtin_longjmp(region->env, 1);
		}
	}
	return before ? before(info) : EXCEPTION_CONTINUE_SEARCH;
}

__attribute__((constructor))
static void install(void)
{
	before = SetUnhandledExceptionFilter(ask_all);
}

void heap_try_enter(struct heap_try *region, LONG (*filter)(PEXCEPTION_POINTERS info))
{
	region->outer = innermost;
	region->frames = ((NT_TIB *)NtCurrentTeb())->ExceptionList;
	region->filter = filter;
	region->caught = 0;
	region->closed = 0;
	innermost = region;
}

void heap_try_leave(struct heap_try *region)
{
	if (!region->closed)
		innermost = region->outer;
	region->closed = 1;
}
