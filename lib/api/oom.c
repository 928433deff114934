// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A heap's last resort before an allocation fails.
 *
 *   heap_alloc ─ NULL ─▶ oom_retry ─▶ the program's handler ─ true ─▶ heap_alloc once more
 *                                                          └ false ─▶ NULL, or an exception
 *
 * The handler may allocate and free, here or elsewhere; what fails inside of it fails at once. It
 * is called without any lock held.
 */
#include "api/oom.h"

#include <errno.h>

#include "alloc/heap_lock.h"
#include "heap/block.h"

static _Thread_local bool in_handler __attribute__((tls_model("initial-exec")));

int oom_set(struct heap *heap, oom_function *function, void *argument)
{
	if (!heap_lock_unless_in_signal(heap))
		return -EDEADLK;
	heap->oom = (struct oom_handler){ function, argument };
	heap_unlock(heap);
	return 0;
}

bool oom_retry(struct heap *heap, size_t bytes)
{
	struct oom_handler handler;
	bool again;

	/* In a signal handler that interrupted the library: nothing would become of a retry. */
	if (in_handler || heap_in_signal_reentry(heap))
		return false;
	heap_lock(heap);
	handler = heap->oom;
	heap_unlock(heap);
	if (!handler.function)
		return false;
	in_handler = true;
	again = handler.function((struct privheap *)heap->base, bytes, handler.argument);
	in_handler = false;
	return again;
}

void *oom_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, bool refill,
		int *error)
{
	void *p;

	do {
		p = refill ? heap_refill(heap, class_of(n), n, align, flags, error) :
			     heap_alloc(heap, n, align, flags, error);
		refill = false;
	} while (!p && oom_retry(heap, n));
	return p;
}
