// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Touches of guard pages (see segv.h).
 *
 * The handler gives way for good as soon as a SIGSEGV is not ours, or not to be explained: the
 * access happens again and finds the handler that was there before. So a program that lives on
 * SIGSEGV loses the line on stderr, nothing else.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include "alloc/heap_lock.h"
#include "alloc/run_walk.h"
#include "debug/corruption.h"
#include "heap/heap.h"
#include "heap/segv.h"

static struct sigaction before;

/* What the address is, if it is something that guards shut. */
static enum heap_fault segv_fault(struct heap *heap, const char *p)
{
	size_t page = (size_t)(p - heap->base) >> PAGE_SHIFT, head;
	enum heap_fault fault = HEAP_OK;
	uint64_t tag;

	if (!heap->check)
		return HEAP_OK;
	heap_lock(heap);
	head = run_head(heap, page);
	tag = head == RUN_NONE ? PAGE_NONE : page_tag(heap_page(heap, head));
	if (page_kind(tag) == PAGE_QUARANTINED)
		fault = HEAP_DOUBLE_FREE;
	else if (page_kind(tag) == PAGE_LARGE && page + 1 == head + page_count(tag))
		fault = HEAP_OVERRUN;
	heap_unlock(heap);
	return fault;
}

static void on_sigsegv(int number, siginfo_t *info, void *context)
{
	enum heap_fault fault = HEAP_OK;
	struct heap *heap = NULL;
	int saved = errno;

	(void)context;
	/* Sent by kill(2) there is no address in it. */
	if (info->si_code > 0 && !lock_any_held())
		heap = heap_hold_containing(info->si_addr);
	if (heap)
		fault = segv_fault(heap, info->si_addr);
	/* Dropped first, as in the wrappers: a SIGABRT handler may not return. */
	if (heap)
		heap_drop(heap);
	if (fault != HEAP_OK)
		corruption_found("access", heap, info->si_addr, fault);
	sigaction(SIGSEGV, &before, NULL);
	if (info->si_code <= 0)
		raise(number);
	errno = saved;
}

static void install(void)
{
	struct sigaction action = {
		.sa_sigaction = on_sigsegv,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	sigemptyset(&action.sa_mask);
	sigaction(SIGSEGV, &action, &before);
}

void segv_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
