// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapLock and HeapUnlock, and what other threads then do. */
#include "check.h"

struct other {
	HANDLE heap;
	void *block;
	int (*call)(struct other *other);
	volatile int begun, done, result;
};

static int locks(struct other *other)
{
	return HeapLock(other->heap) && HeapUnlock(other->heap);
}

static int allocates(struct other *other)
{
	return HeapAlloc(other->heap, 0, 24) != NULL;
}

static int frees(struct other *other)
{
	return HeapFree(other->heap, 0, other->block);
}

static int reallocates(struct other *other)
{
	return HeapReAlloc(other->heap, 0, other->block, 5000) != NULL;
}

static int unlocks(struct other *other)
{
	return HeapUnlock(other->heap);
}

static int allocates_unserialized(struct other *other)
{
	return HeapAlloc(other->heap, HEAP_NO_SERIALIZE, 24) != NULL;
}

static const struct {
	const char *name;
	int (*call)(struct other *other);
	int waits, result;
} calls[] = {
	{ "lock", locks, 1, 1 },
	{ "alloc", allocates, 1, 1 },
	{ "free", frees, 1, 1 },
	{ "realloc", reallocates, 1, 1 },
	{ "unlock", unlocks, 0, 0 },
	{ "unserialized", allocates_unserialized, 0, 1 },
};

static void in_thread(void *argument)
{
	struct other *other = argument;

	other->block = HeapAlloc(other->heap, HEAP_NO_SERIALIZE, 100);
	other->begun = 1;
	other->result = other->call(other);
	other->done = 1;
}

static void while_locked(size_t row)
{
	struct other other = { make_heap(0, 0, 0), NULL, calls[row].call, 0, 0, 99 };
	const char *name = calls[row].name;
	struct port_thread *thread;
	int i;

	check(HeapLock(other.heap), TRUE, "lock.%s.locked", name);
	thread = port_start(in_thread, &other);
	for (i = 0; i < 1000 && !other.begun; i++)
		port_sleep(1);
	port_sleep(100);
	check(other.done, !calls[row].waits, "lock.%s.went-on", name);
	check(HeapUnlock(other.heap), TRUE, "lock.%s.unlocked", name);
	port_join(thread);
	check(other.result, (uint64_t)calls[row].result, "lock.%s.result", name);
	HeapDestroy(other.heap);
}

static void is_recursive(HANDLE heap)
{
	struct other other = { heap, NULL, locks, 0, 0, 99 };
	struct port_thread *thread;
	void *p;

	check(HeapLock(heap), TRUE, "lock.once");
	check(HeapLock(heap), TRUE, "lock.twice");
	p = HeapAlloc(heap, 0, 100);
	check(p != NULL, 1, "lock.own.alloc");
	p = HeapReAlloc(heap, 0, p, 100000);
	check(p != NULL, 1, "lock.own.realloc");
	check(HeapSize(heap, 0, p), 100000, "lock.own.size");
	check(HeapValidate(heap, 0, NULL), TRUE, "lock.own.valid");
	check(HeapFree(heap, 0, p), TRUE, "lock.own.free");
	check(HeapUnlock(heap), TRUE, "lock.unlocked.once");
	thread = port_start(in_thread, &other);
	port_sleep(100);
	check(other.done, 0, "lock.still-held");
	check(HeapUnlock(heap), TRUE, "lock.unlocked.twice");
	port_join(thread);
	check(other.result, 1, "lock.then-free");
	check(RESULT(HeapUnlock(heap)), FALSE, "lock.unlock.not-held");
}

static void on_no_heap(void)
{
	HANDLE gone = make_heap(0, 0, 0);

	HeapDestroy(gone);
	CHECK_ERROR(HeapLock(NULL), FALSE, ERROR_INVALID_HANDLE, "lock.heap.null");
	CHECK_ERROR(HeapLock(gone), FALSE, ERROR_INVALID_HANDLE, "lock.heap.gone");
	CHECK_ERROR(HeapUnlock(NULL), FALSE, ERROR_INVALID_HANDLE, "unlock.heap.null");
	CHECK_ERROR(HeapUnlock(gone), FALSE, ERROR_INVALID_HANDLE, "unlock.heap.gone");
}

void checks_of_lock(void)
{
	HANDLE heap = make_heap(0, 0, 0);
	size_t i;

	is_recursive(heap);
	HeapDestroy(heap);
	for (i = 0; i < COUNT(calls); i++)
		while_locked(i);
	heap = make_heap(HEAP_NO_SERIALIZE, 0, 0);
	check(HeapLock(heap), TRUE, "lock.no-serialize");
	check(HeapUnlock(heap), TRUE, "lock.no-serialize.unlocked");
	check(HeapUnlock(heap), TRUE, "lock.no-serialize.unlocked.twice");
	HeapDestroy(heap);
	on_no_heap();
}
