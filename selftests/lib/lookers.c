// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * L16: threads that look at every heap there is, beside threads that make and end heaps; and L17:
 * listing them while a thread stands still inside of one. What is looked at may be gone: then the
 * call says so, and the thread that asked is no worse for it.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "heapapi.h"
#include "privheap.h"

#define MAKERS	2
#define LOOKERS	2
#define ROUNDS	600
#define LEAST	100	/* once the time is over */
#define SECONDS	5
#define LISTED	64

static atomic_int making, wrong;

/* Whether the last call failed because the heap was gone. */
static bool is_gone(void)
{
	return GetLastError() == ERROR_INVALID_HANDLE;
}

static bool look_validate(HANDLE heap)
{
	/* FALSE without a reason, by its contract. */
	HeapValidate(heap, 0, NULL);
	HeapValidate(heap, 0, heap);
	return true;
}

static bool look_summary(HANDLE heap)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };

	return HeapSummary(heap, 0, &summary) ? summary.cbReserved != 0 : is_gone();
}

static bool look_walk(HANDLE heap)
{
	PROCESS_HEAP_ENTRY entry = { 0 };

	for (int i = 0; i < 10000; i++)
		if (!HeapWalk(heap, &entry))
			/* Another heap may begin there meanwhile, of which it is no entry. */
			return is_gone() || GetLastError() == ERROR_NO_MORE_ITEMS ||
			       GetLastError() == ERROR_INVALID_PARAMETER;
	return false;
}

static bool look_size(HANDLE heap)
{
	/* The first block of a heap begins where the heap does. */
	SIZE_T size = HeapSize(heap, 0, heap);

	return size != (SIZE_T)-1 || is_gone() || GetLastError() == ERROR_INVALID_PARAMETER;
}

static bool look_information(HANDLE heap)
{
	ULONG value = 77;

	if (HeapQueryInformation(heap, HeapCompatibilityInformation, &value, sizeof(value), NULL))
		return value == 0 || value == 2;
	return is_gone();
}

static bool look_set_information(HANDLE heap)
{
	HEAP_OPTIMIZE_RESOURCES_INFORMATION wish = { HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION, 0 };

	if (!HeapSetInformation(NULL, HeapOptimizeResources, &wish, sizeof(wish)))
		return false;
	return HeapSetInformation(heap, HeapOptimizeResources, &wish, sizeof(wish)) || is_gone();
}

static bool look_compact(HANDLE heap)
{
	return HeapCompact(heap, 0) != 0 || is_gone() || GetLastError() == NO_ERROR;
}

static bool look_lock(HANDLE heap)
{
	if (!HeapLock(heap))
		return is_gone();
	/* What is destroyed while it is locked is locked no more. */
	return HeapUnlock(heap) || is_gone() || GetLastError() == ERROR_NOT_OWNER;
}

static bool look_alloc(HANDLE heap)
{
	return HeapAlloc(heap, HEAP_ZERO_MEMORY, 100) || is_gone() ||
	       GetLastError() == ERROR_NOT_ENOUGH_MEMORY;
}

static bool look_native(HANDLE heap)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	struct privheap_item item = PRIVHEAP_ITEM_INIT;

	privheap_validate(heap, NULL);
	privheap_usable_size(heap, heap);
	privheap_trim(heap);
	privheap_set_oom_handler(heap, NULL, NULL);
	while (privheap_walk(heap, &item) == 1)
		;
	return privheap_stats(heap, &stats) == 0 || errno == EINVAL;
}

static void *make_and_end(void *unused)
{
	static const SIZE_T maximum[] = { 64 * KIB, 8 * MIB, 0 };
	time_t end = time(NULL) + SECONDS;

	for (int i = 0; i < ROUNDS && (i < LEAST || time(NULL) < end); i++) {
		/* Those that the program serialises are not used while others may look. */
		DWORD options = i % 4 == 3 ? HEAP_NO_SERIALIZE : 0;
		HANDLE heap = HeapCreate(options, 0, maximum[i % COUNT(maximum)]);
		void *p;

		if (!heap) {
			wrong++;
			break;
		}
		for (int n = 0; !options && n < 20; n++) {
			p = HeapAlloc(heap, 0, n % 10 == 9 ? 9000 : 24);
			if (n % 3 == 0)
				HeapFree(heap, 0, p);
		}
		if (!HeapDestroy(heap))
			wrong++;
	}
	making--;
	return unused;
}

/* The thread can do what it could before. */
static bool unharmed(void)
{
	HANDLE own = GetProcessHeap();
	void *p = HeapAlloc(own, HEAP_ZERO_MEMORY, 1000);

	return p && HeapFree(own, 0, p) && GetProcessHeaps(0, NULL) && HeapValidate(own, 0, NULL);
}

static void *look_at_all(void *look)
{
	bool (*at)(HANDLE heap) = look;
	HANDLE list[LISTED];
	DWORD count;

	do {
		count = GetProcessHeaps(LISTED, list);
		for (DWORD i = 0; i < count && i < LISTED; i++) {
			SetLastError(NO_ERROR);
			if (!at(list[i]))
				wrong++;
		}
		if (!count || !unharmed())
			wrong++;
	} while (making);
	return NULL;
}

FIXTURE(L16_look) {
};

FIXTURE_VARIANT(L16_look) {
	bool (*at)(HANDLE heap);
};

#define LOOK(name) FIXTURE_VARIANT_ADD(L16_look, name) { .at = look_##name }

LOOK(validate);
LOOK(summary);
LOOK(walk);
LOOK(size);
LOOK(information);
LOOK(set_information);
LOOK(compact);
LOOK(lock);
LOOK(alloc);
LOOK(native);

FIXTURE_SETUP(L16_look)
{
}

FIXTURE_TEARDOWN(L16_look)
{
}

TEST_F_TIMEOUT(L16_look, beside_who_makes_and_ends, 300)
{
	struct privheap_quota_info before = PRIVHEAP_QUOTA_INFO_INIT, after = before;
	pthread_t makers[MAKERS], lookers[LOOKERS];

	ASSERT_NE(NULL, GetProcessHeap());
	ASSERT_EQ(0, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &before));
	making = MAKERS;
	for (int i = 0; i < LOOKERS; i++)
		ASSERT_EQ(0, pthread_create(&lookers[i], NULL, look_at_all, variant->at));
	for (int i = 0; i < MAKERS; i++)
		ASSERT_EQ(0, pthread_create(&makers[i], NULL, make_and_end, NULL));
	for (int i = 0; i < MAKERS; i++)
		pthread_join(makers[i], NULL);
	for (int i = 0; i < LOOKERS; i++)
		pthread_join(lookers[i], NULL);
	EXPECT_EQ(0, wrong);
	EXPECT_EQ(1, GetProcessHeaps(0, NULL));
	/* Who was last to look has given it back. */
	ASSERT_EQ(0, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &after));
	EXPECT_EQ(before.heaps, after.heaps);
}

static HANDLE locked;
static atomic_int waiting;

static void *wait_for_the_lock(void *error)
{
	waiting++;
	if (!HeapLock(locked))
		*(DWORD *)error = GetLastError();
	return NULL;
}

static void *wait_for_a_block(void *error)
{
	waiting++;
	if (!HeapAlloc(locked, HEAP_ZERO_MEMORY, 100))
		*(DWORD *)error = GetLastError();
	return NULL;
}

/* Whoever waits for a heap is not left waiting by who destroys it. */
TEST(L16_who_waits_is_told_that_the_heap_is_gone)
{
	for (int i = 0; i < 200; i++) {
		DWORD error[2] = { 0 };
		pthread_t threads[2];

		locked = HeapCreate(0, 0, 8 * MIB);
		ASSERT_TRUE(HeapLock(locked));
		waiting = 0;
		ASSERT_EQ(0, pthread_create(&threads[0], NULL, wait_for_the_lock, &error[0]));
		ASSERT_EQ(0, pthread_create(&threads[1], NULL, wait_for_a_block, &error[1]));
		while (waiting < 2)
			sched_yield();
		ASSERT_TRUE(HeapDestroy(locked));
		EXPECT_FALSE(HeapUnlock(locked));
		pthread_join(threads[0], NULL);
		pthread_join(threads[1], NULL);
		EXPECT_EQ(ERROR_INVALID_HANDLE, error[0]);
		EXPECT_EQ(ERROR_INVALID_HANDLE, error[1]);
	}
	EXPECT_TRUE(unharmed());
}

static atomic_int using, standing, may_go;

static void stand(int number)
{
	standing = 1;
	while (!may_go)
		sched_yield();
	standing = 0;
}

static void *use_process_heap(void *unused)
{
	HEAP_OPTIMIZE_RESOURCES_INFORMATION wish = { HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION, 0 };
	HANDLE own = GetProcessHeap();

	while (using) {
		void *small = HeapAlloc(own, 0, 24), *large = HeapAlloc(own, HEAP_ZERO_MEMORY, 100 * KIB);

		HeapFree(own, 0, small);
		HeapFree(own, 0, large);
		HeapSetInformation(NULL, HeapOptimizeResources, &wish, sizeof(wish));
	}
	return unused;
}

/* As debuggers and profilers do: stop a thread wherever it is, look, let it go on. */
TEST(L17_list_while_a_thread_stands_still)
{
	pthread_t thread;
	HANDLE list[4];

	ASSERT_NE(NULL, GetProcessHeap());
	ASSERT_NE(SIG_ERR, signal(SIGUSR1, stand));
	using = 1;
	ASSERT_EQ(0, pthread_create(&thread, NULL, use_process_heap, NULL));
	for (int i = 0; i < 300; i++) {
		may_go = 0;
		ASSERT_EQ(0, pthread_kill(thread, SIGUSR1));
		while (!standing)
			sched_yield();
		EXPECT_EQ(1, GetProcessHeaps(COUNT(list), list));
		may_go = 1;
		while (standing)
			sched_yield();
	}
	using = 0;
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
