// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What a fork does to the heap (see malloc.c).
 *
 *	prepare		heap's lock taken, shards quiescent, metadata region's lock taken: no other
 *	fork		thread is in the middle of anything
 *	parent, child	dropped, shards resumed; the child frees shards' locks, which a thread of the
 *			parent may have held on its way to see the heap quiescent
 *
 * Our handlers are registered at the first allocation, so others' prepare handlers have run before
 * ours and their other handlers run after: they find a heap that works. Those of a library that
 * registers without ever having allocated are served from the reserve.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "alloc/heap_lock.h"
#include "alloc/freeze.h"
#include "alloc/shard.h"
#include "malloc/fork.h"
#include "malloc/process.h"
#include "os/process.h"
#include "os/report.h"

#ifdef __GLIBC__
/* Its own, under the name that is not replaced. */
pid_t __fork(void);
#else
#include <dlfcn.h>

static pid_t __fork(void)
{
	pid_t (*next)(void) = (pid_t (*)(void))dlsym(RTLD_NEXT, "fork");

	return next();
}
#endif

__attribute__((visibility("default"))) pid_t fork(void);

static void say(const char *what)
{
	struct report line = REPORT_INIT;

	report_text(&line, "privheap: malloc: ");
	report_text(&line, what);
	report_write(&line);
}

/*
 * In a signal handler that interrupted the library this thread has what it needs, or waits for it.
 */
static _Thread_local bool locked_for_fork __attribute__((tls_model("initial-exec")));

static void before_fork(void)
{
	locked_for_fork = malloc_heap && !malloc_on_device() && !lock_any_held();
	if (!locked_for_fork)
		return;
	heap_lock(malloc_heap);
	heap_quiesce(malloc_heap);
	lock_take(&process_get()->meta_region_lock);
}

static void after_fork(void)
{
	if (!locked_for_fork)
		return;
	lock_drop(&process_get()->meta_region_lock);
	heap_resume(malloc_heap);
	heap_unlock(malloc_heap);
}

static void free_shards(struct heap *heap)
{
	for (uint32_t i = 0; i < heap->shard_count; i++)
		if (shard_made(heap, i))
			shard_at(heap, i)->lock = (struct lock){ 0 };
}

static void after_fork_in_child(void)
{
	if (malloc_on_device()) {
		say("a child has no heap of its parent's on the device; aborting");
		abort();
	}
	if (locked_for_fork)
		free_shards(malloc_heap);
	after_fork();
}

void malloc_fork_init(void)
{
	pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

pid_t fork(void)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!malloc_on_device())
		return __fork();
	if (!atomic_flag_test_and_set(&said))
		say("fork is refused: the heap is on the device, and a child would not have it");
	errno = ENOTSUP;
	return -1;
}
