// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Which try regions are over though not closed (see region.h).
 *
 *	high	| the function with the region |	sp: the end of its frame when it was entered
 *		| what it called ...           |
 *	low	| ... and goes on now          |	sp now: below both, if the function is there
 *
 * Whether two addresses are on one stack is known of the thread's own and of the signal stack; of
 * others, a coroutine's, nothing is known, and regions there are left alone. What other frames have
 * written over has no seal, and what the new region lies on is gone.
 */
#define _GNU_SOURCE
#include "exception/region.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

_Thread_local struct privheap_try *region_innermost REGION_LOCAL;
static _Thread_local struct privheap_try *outermost __attribute__((tls_model("initial-exec")));

static bool on_thread_stack(const char *p)
{
	static _Thread_local char *low __attribute__((tls_model("initial-exec")));
	static _Thread_local size_t bytes __attribute__((tls_model("initial-exec")));
	pthread_attr_t attr;
	void *start;

	if (!low && pthread_getattr_np(pthread_self(), &attr) == 0) {
		if (pthread_attr_getstack(&attr, &start, &bytes) == 0)
			low = start;
		pthread_attr_destroy(&attr);
	}
	return low && (size_t)(p - low) < bytes;
}

/*
 * Two regions of one function may see it differ by so much: arguments of calls are on the stack, or
 * not.
 */
#define SP_SLACK	256

static uintptr_t seal_of(const struct privheap_try *region)
{
	return (uintptr_t)region ^ (uintptr_t)region->outer << 7 ^ (uintptr_t)region->sp << 13 ^
	       0x5ea1ed0f0e91057ULL;
}

static bool is_gone(const struct privheap_try *region, const char *sp,
		    const struct privheap_try *entered)
{
	const char *p = (const char *)region;
	stack_t now;

	if (entered && region < entered + 1 && entered < region + 1)
		return true;
	if (p >= sp && region->seal != seal_of(region))
		return true;
	if (p >= sp && region->sp + SP_SLACK >= sp)
		return false;
	if (sigaltstack(NULL, &now) == 0 && (size_t)(p - (char *)now.ss_sp) < now.ss_size)
		return !(now.ss_flags & SS_ONSTACK) ||
		       (size_t)(sp - (char *)now.ss_sp) <= now.ss_size;
	return on_thread_stack(p) && on_thread_stack(sp);
}

void region_find_living(const char *sp, const struct privheap_try *entered)
{
	struct privheap_try *region, *last = NULL;

	if (!region_innermost || !is_gone(region_innermost, sp, entered))
		return;
	for (region = outermost; region != region_innermost && !is_gone(region, sp, entered);
	     region = region->inner)
		last = region;
	region_innermost = last;
	if (last)
		last->inner = NULL;
	else
		outermost = NULL;
}

void region_link(struct privheap_try *region)
{
	region->seal = seal_of(region);
	if (region->outer)
		region->outer->inner = region;
	else
		outermost = region;
}

void region_unlink(struct privheap_try *region)
{
	region_innermost = region->outer;
	if (region_innermost)
		region_innermost->inner = NULL;
	else
		outermost = NULL;
}
