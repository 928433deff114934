// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Exceptions: how a filter is asked while the raise still waits.
 *
 *	high	main
 *		function with HEAP_TRY		struct privheap_try lives here
 *	sp -->	-----------------------		its frame ends here
 *		whatever it called
 *		HeapAlloc			^
 *		exception_offer			| these bytes are saved: the filter runs in
 *		ask (setjmp back)		| the function above, and what it calls
 *	low -->	-----------------------		v writes over them
 *
 * HEAP_TRY is a setjmp. ask() makes its own setjmp, saves the stack between its own end and the
 * function's, and longjmps up into the macro, which evaluates the filter as ordinary code of
 * that function and hands the value to privheap_try_decide():
 *	> 0	returns 1, the macro runs the except block; what was below is forgotten
 *	<= 0	moves its own stack pointer below low, writes the saved bytes back, longjmps down
 *		to ask(), which returns as if it had called the filter
 *
 * A signal handler on an alternate stack lives in other memory, but a second signal during the
 * filter would begin at its top again: then that piece of stack is saved as well.
 *
 * The copy is the price of having no compiler support: nested functions, blocks and lambdas are
 * each missing in one of gcc C, clang C and C++. It needs a downward stack without a hardware
 * shadow (CET, GCS): jumping down to ask() has no shadow entries to go back to.
 *
 * Compilers may let a variable of the filter share stack with one of the try body. gcc does not
 * across a call that can return twice into the filter; selftests/lib/exception.c tests both.
 */
#define _GNU_SOURCE
#undef _FORTIFY_SOURCE		/* its longjmp takes a jump down for an error */
#include "exception/exception.h"

#include <alloca.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exception/region.h"
#include "exception/vectored.h"
#include "heap/heap.h"
#include "heap/refusal.h"
#include "os/report.h"

#define RED_ZONE	128	/* below the stack pointer, in use all the same */
#define MARGIN		256	/* between what is restored and the code that restores it */

/* Stack is copied and rewritten behind the sanitizers' backs. */
#define RAW_STACK	__attribute__((noinline, no_sanitize("address"), no_sanitize("undefined")))

enum { OPEN, FILTERING, CLOSED };

/* Saved stack that did not fit into its region. A stack of them: taken in the order of raises. */
struct mapping {
	struct mapping *below;
	size_t bytes;
	char data[];
};

static _Thread_local struct mapping *mappings __attribute__((tls_model("initial-exec")));

/* Where ask() may find the pieces of stack it has to keep. */
struct stacks {
	ucontext_t *interrupted;
	char *signal_low, *signal_high;		/* the signal stack we run on, or NULL */
};

__attribute__((noinline))
void privheap_try_enter(struct privheap_try *region)
{
	region->sp = __builtin_dwarf_cfa();
	region_find_living(region->sp, region);
	region->outer = region_innermost;
	region->inner = NULL;
	region_link(region);
	region->state = OPEN;
	region->inside = heap_thread_holds_lock();
	region->store = NULL;
	region->mappings = mappings;
	region_innermost = region;
}

static void drop_mappings(struct mapping *until)
{
	while (mappings != until) {
		struct mapping *top = mappings;

		mappings = top->below;
		munmap(top, top->bytes);
	}
}

static void close_region(struct privheap_try *region)
{
	/* Also those of raises that waited in a filter further in, and are abandoned now. */
	drop_mappings(region->mappings);
	region_unlink(region);
	region->state = CLOSED;
}

void privheap_try_leave(struct privheap_try *region)
{
	if (region->state != CLOSED)
		close_region(region);
}


/* Not memcpy: the sanitizers watch that one, and these bytes are full of their red zones. */
RAW_STACK static void copy_raw(char *to, const char *from, size_t bytes)
{
	volatile char *out = to;
	const volatile char *in = from;

	while (bytes--)
		*out++ = *in++;
}

static char *store_of(struct privheap_try *region, size_t bytes)
{
	struct mapping *mapping;

	if (bytes <= sizeof(region->room))
		return region->room;
	bytes += sizeof(*mapping);
	mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mapping == MAP_FAILED)
		return NULL;
	mapping->below = mappings;
	mapping->bytes = bytes;
	mappings = mapping;
	return mapping->data;
}

/* Without memory for it the filter is still asked; only going back is then impossible. */
static void save_stack(struct privheap_try *region)
{
	region->store = store_of(region, region->saved[0].bytes + region->saved[1].bytes);
	if (!region->store)
		return;
	copy_raw(region->store, region->saved[0].at, region->saved[0].bytes);
	copy_raw(region->store + region->saved[0].bytes, region->saved[1].at,
		 region->saved[1].bytes);
}

/* Runs below everything it writes. */
RAW_STACK static _Noreturn void restore_stack(struct privheap_try *region)
{
	copy_raw(region->saved[0].at, region->store, region->saved[0].bytes);
	copy_raw(region->saved[1].at, region->store + region->saved[0].bytes,
		 region->saved[1].bytes);
	longjmp(region->back, 1);
}

RAW_STACK static _Noreturn void go_back(struct privheap_try *region)
{
	char *here = __builtin_frame_address(0);
	ptrdiff_t down = here - region->saved[0].at + MARGIN;
	void *below = alloca(down > MARGIN ? (size_t)down : MARGIN);

	__asm__ volatile("" : : "r"(below) : "memory");
	restore_stack(region);
}

int privheap_try_decide(struct privheap_try *region, LONG verdict)
{
	if (verdict > 0) {
		close_region(region);
		return 1;
	}
	if (!region->store) {
		struct report line = REPORT_INIT;

		report_text(&line, "privheap: no memory to go back from a filter; aborting");
		report_write(&line);
		abort();
	}
	region->verdict = (int)verdict;
	go_back(region);
}

static char *interrupted_sp(const ucontext_t *context)
{
#ifdef __x86_64__
	return (char *)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
	return (char *)context->uc_mcontext.sp;
#else
#error "which register is the stack pointer?"
#endif
}

bool exception_in_try(const ucontext_t *interrupted)
{
	region_find_living(interrupted_sp(interrupted), NULL);
	return region_innermost != NULL;
}

static bool on_signal_stack(const struct stacks *stacks, const char *sp)
{
	return stacks->signal_low && sp >= stacks->signal_low && sp <= stacks->signal_high;
}

/* What the filter may overwrite. False: the region is on a stack we cannot know the end of. */
static bool measure(struct privheap_try *region, const struct stacks *stacks, char *low)
{
	region->saved[1].at = low;
	region->saved[1].bytes = 0;
	if (stacks->signal_low && !on_signal_stack(stacks, region->sp)) {
		if (!stacks->interrupted)
			return false;
		region->saved[1].bytes = (size_t)(stacks->signal_high - low);
		low = interrupted_sp(stacks->interrupted) - RED_ZONE;
		if (on_signal_stack(stacks, low))
			return false;
	}
	if (low > region->sp)
		return false;
	region->saved[0].at = low;
	region->saved[0].bytes = (size_t)(region->sp - low);
	return true;
}

/* Jumps up into the filter. Called by ask(): the end of its caller's frame is what must stay. */
__attribute__((noinline))
static bool ask_filter(struct privheap_try *region, const struct stacks *stacks)
{
	if (!measure(region, stacks, __builtin_dwarf_cfa()))
		return false;
	save_stack(region);
	region->state = FILTERING;
	region_innermost = region->outer;
	longjmp(region->env, 1);
}

/* The filter's answer: 0 or negative. */
__attribute__((noinline))
static int ask(struct privheap_try *region, const EXCEPTION_RECORD *record,
	       const struct stacks *stacks)
{
	struct privheap_try *saved_innermost = region_innermost;
	struct mapping *saved_mappings = mappings;

	region->record = *record;
	region->pointers.ExceptionRecord = &region->record;
	region->pointers.ContextRecord = (PCONTEXT)stacks->interrupted;
	if (setjmp(region->back) == 0) {
		if (!ask_filter(region, stacks))
			return EXCEPTION_CONTINUE_SEARCH;
	}
	drop_mappings(saved_mappings);
	region_innermost = saved_innermost;
	region_link(region);
	region->state = OPEN;
	return region->verdict;
}

static void find_stacks(struct stacks *stacks, ucontext_t *interrupted)
{
	stack_t signal_stack;

	*stacks = (struct stacks){ .interrupted = interrupted };
	if (sigaltstack(NULL, &signal_stack) || !(signal_stack.ss_flags & SS_ONSTACK))
		return;
	stacks->signal_low = signal_stack.ss_sp;
	stacks->signal_high = stacks->signal_low + signal_stack.ss_size;
}

bool exception_offer(EXCEPTION_RECORD *record, ucontext_t *interrupted)
{
	EXCEPTION_POINTERS pointers = { record, (PCONTEXT)interrupted };
	bool inside = heap_thread_holds_lock();
	struct privheap_try *region;
	struct stacks stacks;

	if (vectored_offer(&pointers) < 0)
		return true;
	find_stacks(&stacks, interrupted);
	region_find_living(interrupted ? interrupted_sp(interrupted) : __builtin_frame_address(0),
			   NULL);
	for (region = region_innermost; region; region = region->outer) {
		/* Taken further out, the lock would never be dropped. */
		if (inside && !region->inside)
			break;
		if (ask(region, record, &stacks) < 0)
			return true;
	}
	return false;
}

static _Noreturn void unhandled(const EXCEPTION_RECORD *record)
{
	struct report line = REPORT_INIT;

	report_text(&line, "privheap: unhandled exception ");
	report_hex(&line, record->ExceptionCode);
	if (record->ExceptionCode == STATUS_NO_MEMORY && record->NumberParameters == 2) {
		report_text(&line, ": no memory: heap ");
		report_hex(&line, record->ExceptionInformation[1]);
		report_text(&line, ", size ");
		report_decimal(&line, record->ExceptionInformation[0]);
		refusal_quota(&line, (const void *)record->ExceptionInformation[1],
			      record->ExceptionInformation[0]);
	}
	if (record->ExceptionCode == STATUS_IN_PAGE_ERROR && record->NumberParameters == 3) {
		report_text(&line, ": no page for address ");
		report_hex(&line, record->ExceptionInformation[1]);
	}
	report_text(&line, "; aborting");
	report_write(&line);
	abort();
}

void exception_raise(EXCEPTION_RECORD *record, ucontext_t *interrupted)
{
	if (!exception_offer(record, interrupted))
		unhandled(record);
}

void exception_no_memory(void *heap, size_t n, void *caller)
{
	EXCEPTION_RECORD record = {
		.ExceptionCode = STATUS_NO_MEMORY,
		.ExceptionAddress = caller,
		.NumberParameters = 2,
		.ExceptionInformation = { n, (ULONG_PTR)heap },
	};

	/* In signal reentry no filter may have been asked. */
	if (!exception_offer(&record, NULL) && !heap_thread_holds_lock())
		unhandled(&record);
}

void RaiseException(DWORD code, DWORD flags, DWORD count, const ULONG_PTR *arguments)
{
	EXCEPTION_RECORD record = {
		.ExceptionCode = code,
		.ExceptionFlags = flags & EXCEPTION_NONCONTINUABLE,
		.ExceptionAddress = __builtin_return_address(0),
	};

	if (arguments) {
		if (count > EXCEPTION_MAXIMUM_PARAMETERS)
			count = EXCEPTION_MAXIMUM_PARAMETERS;
		memcpy(record.ExceptionInformation, arguments, count * sizeof(*arguments));
		record.NumberParameters = count;
	}
	exception_raise(&record, NULL);
	while (flags & EXCEPTION_NONCONTINUABLE) {
		record.ExceptionCode = STATUS_NONCONTINUABLE_EXCEPTION;
		record.NumberParameters = 0;
		exception_raise(&record, NULL);
	}
}
