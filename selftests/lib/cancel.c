// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * pthread_cancel at every call: none is a cancellation point, and no thread ends inside. Each call is made
 * by a thread that is cancelled already, in a process of its own; it ends at the next real point.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>

#include "heap_exception.h"
#include "heapapi.h"
#include "privheap.h"

/* Made before, unless the call is the first of all. */
static HANDLE heap, locked;
static void *block, *large;

static void heap_create(void)
{
	CHECK_IN_CHILD(HeapCreate(0, MIB, 0));
	CHECK_IN_CHILD(HeapCreate(HEAP_TAIL_CHECKING_ENABLED, 0, MIB));
}

static void heap_destroy(void)
{
	CHECK_IN_CHILD(HeapDestroy(locked));
}

static void process_heap(void)
{
	CHECK_IN_CHILD(GetProcessHeap());
}

static void process_heaps(void)
{
	HANDLE heaps[4];

	CHECK_IN_CHILD(GetProcessHeaps(4, heaps) >= 2);
}

static void heap_alloc(void)
{
	/* Small, commits, large, and none. */
	CHECK_IN_CHILD(HeapAlloc(heap, HEAP_ZERO_MEMORY, 100));
	CHECK_IN_CHILD(HeapAlloc(heap, 0, 20000));
	CHECK_IN_CHILD(HeapAlloc(heap, 0, 2 * MIB));
	CHECK_IN_CHILD(!HeapAlloc(locked, 0, 5 * MIB));
}

static void heap_realloc(void)
{
	block = HeapReAlloc(heap, 0, block, 100000);
	CHECK_IN_CHILD(block);
}

static void heap_free(void)
{
	CHECK_IN_CHILD(HeapFree(heap, 0, block));
	CHECK_IN_CHILD(HeapFree(heap, 0, large));
}

static void wrong_free(void)
{
	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
	CHECK_IN_CHILD(!HeapFree(heap, 0, (char *)block + 16));
}

static void heap_size(void)
{
	CHECK_IN_CHILD(HeapSize(heap, 0, block) == 100);
}

static void heap_validate(void)
{
	CHECK_IN_CHILD(HeapValidate(heap, 0, NULL));
}

static void heap_compact(void)
{
	CHECK_IN_CHILD(HeapCompact(heap, 0));
}

static void heap_lock(void)
{
	CHECK_IN_CHILD(HeapLock(heap));
	CHECK_IN_CHILD(HeapUnlock(heap));
}

static void heap_walk(void)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };

	while (HeapWalk(heap, &entry))
		;
	CHECK_IN_CHILD(GetLastError() == ERROR_NO_MORE_ITEMS);
}

static void heap_summary(void)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };

	CHECK_IN_CHILD(HeapSummary(heap, 0, &summary));
}

static void heap_information(void)
{
	ULONG value = 2;

	CHECK_IN_CHILD(HeapSetInformation(heap, HeapCompatibilityInformation, &value,
					  sizeof(value)));
	CHECK_IN_CHILD(HeapQueryInformation(heap, HeapCompatibilityInformation, &value,
					    sizeof(value), NULL));
}

static void last_error(void)
{
	SetLastError(5);
	CHECK_IN_CHILD(GetLastError() == 5);
}

static LONG NTAPI look_on(PEXCEPTION_POINTERS info)
{
	(void)info;
	return EXCEPTION_CONTINUE_SEARCH;
}

static void exceptions(void)
{
	PVOID handler = AddVectoredExceptionHandler(0, look_on);
	volatile int taken = 0;

	CHECK_IN_CHILD(handler);
	HEAP_TRY {
		RaiseException(1, 0, 0, NULL);
	} HEAP_EXCEPT(1) {
		taken = 1;
	} HEAP_END_TRY
	CHECK_IN_CHILD(taken && RemoveVectoredExceptionHandler(handler));
}

static void native_create(void)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	privheap_t *own = privheap_create(&attr);

	CHECK_IN_CHILD(own && privheap_destroy(own) == 0);
}

static void native_blocks(void)
{
	void *p = privheap_alloc(heap, 100);

	p = privheap_realloc(heap, p, 300000);
	CHECK_IN_CHILD(p && privheap_realloc_inplace(heap, p, 200000) == 0);
	CHECK_IN_CHILD(privheap_usable_size(heap, p) == 200000 && privheap_validate(heap, p));
	CHECK_IN_CHILD(privheap_free(heap, p) == 0);
	p = privheap_aligned_alloc(heap, 4096, 5000);
	CHECK_IN_CHILD(p && privheap_zalloc(heap, 50) && privheap_free(heap, p) == 0);
}

static bool no_room(privheap_t *full, size_t bytes, void *argument)
{
	(void)full;
	(void)bytes;
	(void)argument;
	return false;
}

static void native_whole(void)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	struct privheap_item item = PRIVHEAP_ITEM_INIT;

	CHECK_IN_CHILD(privheap_stats(heap, &stats) == 0);
	CHECK_IN_CHILD(privheap_walk(heap, &item) == 1);
	CHECK_IN_CHILD(privheap_trim(heap));
	CHECK_IN_CHILD(privheap_lock(heap) == 0 && privheap_unlock(heap) == 0);
	CHECK_IN_CHILD(privheap_set_oom_handler(heap, no_room, NULL) == 0);
}

static void quota(void)
{
	struct privheap_quota_info info = PRIVHEAP_QUOTA_INFO_INIT;

	CHECK_IN_CHILD(privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info) == 0);
	CHECK_IN_CHILD(privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 4096 * MIB) == 0);
}

static void a_child(void)
{
	pid_t child = vfork();

	if (child == 0)
		_exit(0);
	CHECK_IN_CHILD(child > 0);
}

/* Each call, and which exported functions it makes; fresh: no heap was made before. */
static const struct call {
	const char *functions;
	void (*make)(void);
	bool fresh;
} calls[] = {
	{ "HeapCreate", heap_create, true },
	{ "HeapCreate", heap_create, false },
	{ "GetProcessHeap", process_heap, true },
	{ "GetProcessHeap", process_heap, false },
	{ "GetProcessHeaps", process_heaps, false },
	{ "HeapDestroy", heap_destroy, false },
	{ "HeapAlloc", heap_alloc, false },
	{ "HeapReAlloc", heap_realloc, false },
	{ "HeapFree", heap_free, false },
	{ "HeapFree", wrong_free, false },
	{ "HeapSize", heap_size, false },
	{ "HeapValidate", heap_validate, false },
	{ "HeapCompact", heap_compact, false },
	{ "HeapLock HeapUnlock", heap_lock, false },
	{ "HeapWalk", heap_walk, false },
	{ "HeapSummary", heap_summary, false },
	{ "HeapSetInformation HeapQueryInformation", heap_information, false },
	{ "GetLastError SetLastError", last_error, true },
	{ "AddVectoredExceptionHandler RemoveVectoredExceptionHandler RaiseException "
	  "privheap_try_enter privheap_try_leave privheap_try_decide", exceptions, true },
	{ "privheap_create privheap_destroy", native_create, true },
	{ "privheap_create privheap_destroy", native_create, false },
	{ "privheap_alloc privheap_zalloc privheap_aligned_alloc privheap_realloc privheap_free "
	  "privheap_realloc_inplace privheap_usable_size privheap_validate", native_blocks, false },
	{ "privheap_stats privheap_walk privheap_trim privheap_lock privheap_unlock "
	  "privheap_set_oom_handler", native_whole, false },
	{ "privheap_quota_get privheap_quota_set", quota, true },
	{ "vfork", a_child, false },
	{ "privheap_quota_get privheap_quota_set", quota, false },
};

static const struct call *call;
static volatile bool returned;

static void *cancelled_already(void *none)
{
	pthread_cancel(pthread_self());
	call->make();
	returned = true;
	pthread_testcancel();
	return none;
}

/* What somebody who holds a lock for ever would hang. */
static void go_on(void)
{
	HANDLE own = HeapCreate(0, 0, 0);
	void *p = HeapAlloc(own, 0, 100000);

	CHECK_IN_CHILD(p && HeapFree(own, 0, p) && HeapLock(own) && HeapUnlock(own));
	CHECK_IN_CHILD(HeapValidate(own, 0, NULL) && HeapDestroy(own));
	CHECK_IN_CHILD(GetProcessHeap() && HeapAlloc(GetProcessHeap(), 0, 10));
	if (call->fresh)
		return;
	CHECK_IN_CHILD(HeapAlloc(heap, 0, 100) && HeapAlloc(heap, 0, 100000));
	CHECK_IN_CHILD(HeapValidate(heap, 0, NULL));
}

static void call_in_thread(void)
{
	pthread_t thread;
	void *result;

	alarm(60);
	if (!call->fresh) {
		heap = HeapCreate(0, 0, 16 * MIB);
		locked = HeapCreate(0, 0, MIB);
		block = HeapAlloc(heap, 0, 100);
		large = HeapAlloc(heap, 0, 100000);
		CHECK_IN_CHILD(block && large && locked);
	}
	CHECK_IN_CHILD(pthread_create(&thread, NULL, cancelled_already, NULL) == 0);
	CHECK_IN_CHILD(pthread_join(thread, &result) == 0);
	CHECK_IN_CHILD(returned);
	CHECK_IN_CHILD(result == PTHREAD_CANCELED);
	go_on();
}

FIXTURE(cancel) {
};

FIXTURE_SETUP(cancel)
{
}

FIXTURE_TEARDOWN(cancel)
{
}

TEST_F_TIMEOUT(cancel, L3_no_call_is_a_cancellation_point, 300)
{
	for (size_t i = 0; i < COUNT(calls); i++) {
		call = &calls[i];
		TH_LOG("%s", call->functions);
		EXPECT_CHILD_OK(call_in_thread);
	}
}

static bool is_called(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < COUNT(calls); i++) {
		const char *at = calls[i].functions;

		for (; (at = strstr(at, name)); at += length)
			if ((at == calls[i].functions || at[-1] == ' ') &&
			    (at[length] == ' ' || at[length] == '\0'))
				return true;
	}
	return false;
}

/* EXPORTED: what libprivheap.map says. */
TEST(L3_every_exported_function_is_called)
{
	char names[] = EXPORTED, *name;

	for (name = strtok(names, " "); name; name = strtok(NULL, " "))
		EXPECT_TRUE(is_called(name)) TH_LOG("%s", name);
}

TEST_HARNESS_MAIN
