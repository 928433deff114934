// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What happens when a program hands in a pointer that is no block, or has damaged one.
 *
 *	heap_free() -> HEAP_DOUBLE_FREE -> one line on stderr -> abort
 *				  \-> asked to return: quiet, the wrapper fails the call
 *				      (unless the program asked for the abort)
 *
 * The environment is read each time: this path runs once in most processes' lives.
 */
#define _GNU_SOURCE
#include "debug/corruption.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "os/report.h"

static const char *const what[] = {
	[HEAP_OK]	   = "no fault",
	[HEAP_FOREIGN]	   = "not a block of this heap: outside of it",
	[HEAP_UNALLOCATED] = "not a block: nothing is allocated there",
	[HEAP_INTERIOR]	   = "not the start of a block",
	[HEAP_DOUBLE_FREE]	   = "freed already: double free or use after free",
	[HEAP_OVERRUN]	   = "bytes past the end of the block were written",
	[HEAP_UNDERRUN]	   = "bytes before the block were written",
	[HEAP_USE_AFTER_FREE]	   = "a freed block was written: use after free",
	[HEAP_METADATA]	   = "the heap's own records are damaged",
};

_Static_assert(sizeof(what) / sizeof(*what) == HEAP_METADATA + 1, "a text for every fault");

/* Ordinary memory: a forked child keeps it. */
static _Atomic bool terminate;

void corruption_terminate(void)
{
	terminate = true;
}

static bool asked_to_return(struct heap *heap)
{
	const char *mode;

	if (terminate)
		return false;
	if (heap && heap->flags & HEAP_F_RETURN)
		return true;
	/* A set-user-id program's caller must not decide that it goes on. */
	mode = secure_getenv("PRIVHEAP_ON_CORRUPTION");
	return mode && strcmp(mode, "return") == 0;
}

void corruption_found(const char *call, struct heap *heap, const void *p, enum heap_fault fault)
{
	struct report line = REPORT_INIT;

	if (asked_to_return(heap))
		return;
	report_text(&line, "privheap: ");
	report_text(&line, call);
	if (heap) {
		report_text(&line, ": heap ");
		report_hex(&line, (uintptr_t)heap->base);
	}
	report_text(&line, ": pointer ");
	report_hex(&line, (uintptr_t)p);
	report_text(&line, ": ");
	report_text(&line, what[fault]);
	report_text(&line, "; aborting");
	report_write(&line);
	abort();
}
