// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapLock and HeapUnlock: HEAP_CONTRACT section 2. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "heapapi.h"
#include "privheap.h"

#define WAIT_MS	100

static HANDLE heap;
static void *block, *large;

static void sleep_ms(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

/* Blocks of both kinds, and more free ones of each size. */
static void make(void)
{
	heap = HeapCreate(0, 0, 16 * MIB);
	block = HeapAlloc(heap, 0, 100);
	large = HeapAlloc(heap, 0, 100000);
}

struct call {
	bool (*body)(void);
	atomic_int state;	/* 0 not begun, 1 begun, 2 done and as it should be, 3 and not */
};

static void *make_call(void *argument)
{
	struct call *call = argument;

	call->state = 1;
	call->state = call->body() ? 2 : 3;
	return NULL;
}

/* The state of a call by another thread after a while, and, perhaps unlocked, when it is over. */
static int call_by_other(bool (*body)(void), bool unlock, int *after)
{
	struct call call = { .body = body };
	pthread_t thread;
	int ms, before;

	pthread_create(&thread, NULL, make_call, &call);
	while (call.state == 0)
		sleep_ms(1);
	for (ms = 0; ms < WAIT_MS && call.state == 1; ms += 5)
		sleep_ms(5);
	before = call.state;
	if (unlock)
		HeapUnlock(heap);
	pthread_join(thread, NULL);
	*after = call.state;
	return before;
}

static bool small_alloc(void) { return HeapAlloc(heap, 0, 100) != NULL; }
static bool large_alloc(void) { return HeapAlloc(heap, 0, 200000) != NULL; }
static bool native_alloc(void) { return privheap_alloc(heap, 100) != NULL; }
static bool small_free(void) { return HeapFree(heap, 0, block); }
static bool large_free(void) { return HeapFree(heap, 0, large); }
static bool small_realloc(void) { return (block = HeapReAlloc(heap, 0, block, 90)); }
static bool large_realloc(void) { return (large = HeapReAlloc(heap, 0, large, 300000)); }
static bool lock_and_unlock(void) { return HeapLock(heap) && HeapUnlock(heap); }
static bool native_lock(void) { return !privheap_lock(heap) && !privheap_unlock(heap); }
static bool compact(void) { return HeapCompact(heap, 0) != 0; }

static const struct {
	const char *name;
	bool (*body)(void);
} waits[] = {
	{ "HeapAlloc", small_alloc }, { "HeapAlloc, large", large_alloc },
	{ "privheap_alloc", native_alloc }, { "HeapReAlloc", small_realloc },
	{ "HeapReAlloc, large", large_realloc }, { "HeapFree", small_free },
	{ "HeapFree, large", large_free }, { "HeapLock", lock_and_unlock },
	{ "privheap_lock", native_lock }, { "HeapCompact", compact },
};

TEST(calls_of_other_threads_wait)
{
	size_t i;
	int after;

	for (i = 0; i < COUNT(waits); i++) {
		make();
		ASSERT_TRUE(HeapLock(heap));
		EXPECT_EQ(1, call_by_other(waits[i].body, true, &after))
			TH_LOG("%s", waits[i].name);
		EXPECT_EQ(2, after) TH_LOG("%s", waits[i].name);
		EXPECT_TRUE(HeapDestroy(heap));
	}
}

static bool alloc_unserialised(void) { return HeapAlloc(heap, HEAP_NO_SERIALIZE, 100) != NULL; }
static bool free_unserialised(void) { return HeapFree(heap, HEAP_NO_SERIALIZE, block); }
static bool size(void) { return HeapSize(heap, 0, block) == 100; }
static bool validate(void) { return HeapValidate(heap, 0, NULL); }
static bool other_heap(void) { return HeapAlloc(GetProcessHeap(), 0, 100) != NULL; }

static bool realloc_unserialised(void)
{
	return HeapReAlloc(heap, HEAP_NO_SERIALIZE, block, 20000) &&
	       HeapReAlloc(heap, HEAP_NO_SERIALIZE, large, 300000);
}

static bool summary(void)
{
	HEAP_SUMMARY figures = { .cb = sizeof(figures) };

	return HeapSummary(heap, 0, &figures) && figures.cbAllocated == 100100;
}

static bool walk(void)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	int blocks = 0;

	while (HeapWalk(heap, &entry))
		blocks += entry.wFlags == PROCESS_HEAP_ENTRY_BUSY;
	return blocks == 2;
}

static const struct {
	const char *name;
	bool (*body)(void);
} passes[] = {
	{ "HeapAlloc", alloc_unserialised }, { "HeapReAlloc", realloc_unserialised },
	{ "HeapFree", free_unserialised }, { "HeapSize", size }, { "HeapValidate", validate },
	{ "HeapSummary", summary }, { "HeapWalk", walk }, { "another heap", other_heap },
};

TEST(calls_that_do_not_wait)
{
	size_t i;
	int after;

	for (i = 0; i < COUNT(passes); i++) {
		make();
		ASSERT_TRUE(HeapLock(heap));
		EXPECT_EQ(2, call_by_other(passes[i].body, true, &after))
			TH_LOG("%s", passes[i].name);
		EXPECT_TRUE(HeapDestroy(heap));
	}
}

TEST(nothing_waits_once_it_is_unlocked)
{
	size_t i;
	int after;

	for (i = 0; i < COUNT(waits); i++) {
		make();
		HeapLock(heap);
		HeapUnlock(heap);
		EXPECT_EQ(2, call_by_other(waits[i].body, false, &after))
			TH_LOG("%s", waits[i].name);
		EXPECT_TRUE(HeapDestroy(heap));
	}
}

TEST(the_owner_goes_on)
{
	size_t i;

	make();
	ASSERT_TRUE(HeapLock(heap));
	EXPECT_TRUE(summary() && walk() && validate() && size());
	for (i = 0; i < COUNT(waits); i++) {
		EXPECT_TRUE(waits[i].body()) TH_LOG("%s", waits[i].name);
	}
	EXPECT_TRUE(validate());
	EXPECT_TRUE(HeapUnlock(heap));
}

TEST(as_often_unlocked_as_locked)
{
	int i, after;

	make();
	for (i = 0; i < 3; i++) {
		EXPECT_TRUE(HeapLock(heap));
	}
	EXPECT_TRUE(HeapUnlock(heap));
	EXPECT_TRUE(HeapUnlock(heap));
	EXPECT_EQ(1, call_by_other(small_alloc, true, &after));
	EXPECT_EQ(2, after);
}

static bool unlock_fails(void)
{
	SetLastError(0);
	errno = 0;
	return !HeapUnlock(heap) && GetLastError() == ERROR_NOT_OWNER && errno == EPERM;
}

TEST(unlock_by_who_has_not_locked)
{
	int after;

	make();
	EXPECT_TRUE(unlock_fails());
	HeapLock(heap);
	EXPECT_EQ(2, call_by_other(unlock_fails, true, &after));
	EXPECT_TRUE(unlock_fails());
	errno = 0;
	EXPECT_EQ(-1, privheap_unlock(heap));
	EXPECT_EQ(EPERM, errno);
}

TEST(handles_that_are_none)
{
	SetLastError(0);
	EXPECT_FALSE(HeapLock(NULL));
	EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());
	SetLastError(0);
	EXPECT_FALSE(HeapUnlock(&heap));
	EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());
	errno = 0;
	EXPECT_EQ(-1, privheap_lock(NULL));
	EXPECT_EQ(EINVAL, errno);
}

TEST(no_serialize_heap_has_nothing_to_lock)
{
	int after;

	heap = HeapCreate(HEAP_NO_SERIALIZE, 0, 1 * MIB);
	EXPECT_TRUE(HeapUnlock(heap));
	EXPECT_TRUE(HeapLock(heap));
	EXPECT_EQ(2, call_by_other(lock_and_unlock, false, &after));
	EXPECT_EQ(2, call_by_other(small_alloc, false, &after));
	EXPECT_TRUE(HeapUnlock(heap));
}

#define THREADS	8

static int inside, most, turns;

static void *take_turns(void *unused)
{
	int i;

	(void)unused;
	for (i = 0; i < 2000; i++) {
		HeapLock(heap);
		inside++;
		most = inside > most ? inside : most;
		turns++;
		HeapFree(heap, 0, HeapAlloc(heap, 0, 100));
		inside--;
		HeapUnlock(heap);
		HeapFree(heap, 0, HeapAlloc(heap, 0, 100));
	}
	return NULL;
}

TEST(one_thread_at_a_time)
{
	pthread_t threads[THREADS];
	int i;

	make();
	for (i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], NULL, take_turns, NULL);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	EXPECT_EQ(1, most);
	EXPECT_EQ(THREADS * 2000, turns);
	EXPECT_TRUE(summary());
}

static atomic_bool over;
static atomic_ulong done;

static void *churn(void *number)
{
	unsigned int seed = (unsigned int)(uintptr_t)number + 1;
	void *slots[32] = { NULL };
	size_t i;

	while (!over) {
		i = rand_r(&seed) % COUNT(slots);
		if (slots[i] && rand_r(&seed) % 4 == 0)
			slots[i] = HeapReAlloc(heap, 0, slots[i], rand_r(&seed) % 1000);
		HeapFree(heap, 0, slots[i]);
		slots[i] = HeapAlloc(heap, 0, rand_r(&seed) % (rand_r(&seed) % 8 ? 500 : 90000));
		done++;
	}
	return NULL;
}

/* A sum over everything that a walk shows. */
static uint64_t picture(void)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };
	uint64_t sum = 0;

	while (HeapWalk(heap, &entry))
		sum = sum * 31 + (uintptr_t)entry.lpData + entry.cbData * 7 + entry.wFlags;
	return sum;
}

TEST(nothing_moves_while_it_is_locked)
{
	pthread_t threads[THREADS];
	unsigned long before;
	uint64_t first;
	uintptr_t i;

	heap = HeapCreate(0, 0, 64 * MIB);
	for (i = 0; i < THREADS; i++) {
		pthread_create(&threads[i], NULL, churn, (void *)i);
	}
	for (i = 0; i < 20; i++) {
		before = done;
		while (done < before + 1000)
			sleep_ms(1);
		ASSERT_TRUE(HeapLock(heap));
		before = done;
		first = picture();
		sleep_ms(20);
		EXPECT_EQ(first, picture()) TH_LOG("round %zu", (size_t)i);
		/* What was over when the lock was taken may be counted since. */
		EXPECT_GE(before + THREADS, done);
		EXPECT_TRUE(validate());
		EXPECT_TRUE(HeapUnlock(heap));
	}
	over = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	EXPECT_TRUE(validate());
}

static void child_of_owner(void)
{
	CHECK_IN_CHILD(!HeapUnlock(heap) && GetLastError() == ERROR_INVALID_HANDLE);
	CHECK_IN_CHILD(!HeapLock(heap) && GetLastError() == ERROR_INVALID_HANDLE);
	make();
	CHECK_IN_CHILD(HeapLock(heap) && small_alloc() && HeapUnlock(heap));
}

TEST(fork_while_it_is_locked)
{
	make();
	HeapLock(heap);
	EXPECT_CHILD_OK(child_of_owner);
	EXPECT_TRUE(HeapUnlock(heap));
}

static bool lock_and_end(void) { return HeapLock(heap); }
static bool destroy(void) { return HeapDestroy(heap); }

TEST(thread_that_ends_leaves_it_locked)
{
	int after;

	make();
	EXPECT_EQ(2, call_by_other(lock_and_end, false, &after));
	EXPECT_TRUE(unlock_fails());
	EXPECT_EQ(2, call_by_other(unlock_fails, false, &after));
	EXPECT_TRUE(summary());
	EXPECT_EQ(2, call_by_other(destroy, false, &after));
}

static void raise_while_locked(void)
{
	HEAP_TRY {
		HeapLock(heap);
		HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, 64 * MIB);
	} HEAP_EXCEPT(EXCEPTION_EXECUTE_HANDLER) {
	} HEAP_END_TRY
}

TEST(exception_leaves_it_locked)
{
	make();
	raise_while_locked();
	EXPECT_TRUE(HeapUnlock(heap));
	EXPECT_TRUE(unlock_fails());
}

TEST_HARNESS_MAIN
