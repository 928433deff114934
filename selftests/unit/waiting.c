// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A signal handler that interrupted the library, seen from inside: this thread has a lock, and what
 * would have to wait for it says so, leaving everything as it is.
 */
#define _GNU_SOURCE
#include "alloc/heap_lock.h"
#include "include/heapapi.h"
#include "include/privheap.h"
#include "unit.h"
#include <pthread.h>
#include <unistd.h>

FIXTURE(waiting) {
	HANDLE handle;
	struct heap *heap;
};

FIXTURE_SETUP(waiting)
{
	setenv("PRIVHEAP_BACKEND", "anon", 1);
	self->handle = HeapCreate(0, 0, MIB(1));
	ASSERT_NE(NULL, self->handle);
	self->heap = heap_lookup(self->handle);
	ASSERT_NE(NULL, HeapAlloc(self->handle, 0, 100));
	SetLastError(0);
	errno = 0;
	heap_lock(self->heap);
}

FIXTURE_TEARDOWN(waiting)
{
	heap_unlock(self->heap);
	EXPECT_TRUE(unit_sound(self->heap));
	EXPECT_TRUE(HeapDestroy(self->handle));
}

static bool deadlock(void)
{
	return GetLastError() == ERROR_POSSIBLE_DEADLOCK && errno == EDEADLK;
}

TEST_F(waiting, walk)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };

	EXPECT_FALSE(HeapWalk(self->handle, &entry));
	EXPECT_TRUE(deadlock());
	EXPECT_EQ(NULL, entry.lpData);
}

TEST_F(waiting, summary)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };

	EXPECT_FALSE(HeapSummary(self->handle, 0, &summary));
	EXPECT_TRUE(deadlock());
	EXPECT_EQ(0, summary.cbCommitted);
}

TEST_F(waiting, lock)
{
	EXPECT_FALSE(HeapLock(self->handle));
	EXPECT_TRUE(deadlock());
}

TEST_F(waiting, native)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	struct privheap_item item = PRIVHEAP_ITEM_INIT;
	privheap_t *heap = self->handle;

	EXPECT_EQ(-1, privheap_stats(heap, &stats));
	EXPECT_EQ(EDEADLK, errno);
	errno = 0;
	EXPECT_EQ(-1, privheap_walk(heap, &item));
	EXPECT_EQ(EDEADLK, errno);
	errno = 0;
	EXPECT_EQ(-1, privheap_lock(heap));
	EXPECT_EQ(EDEADLK, errno);
}

TEST_F(waiting, large_block)
{
	EXPECT_EQ(NULL, HeapAlloc(self->handle, 0, 200000));
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(ENOMEM, errno);
}

TEST_F(waiting, heaps_come_and_go_later)
{
	EXPECT_FALSE(HeapDestroy(self->handle));
	EXPECT_EQ(ERROR_GEN_FAILURE, GetLastError());
	EXPECT_EQ(EDEADLK, errno);
	EXPECT_EQ(NULL, HeapCreate(0, 0, 0));
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(NULL, GetProcessHeap());
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(ENOMEM, errno);
}

static struct lock spun;
static volatile bool taken;

static void *spin(void *none)
{
	pthread_cancel(pthread_self());
	lock_spin_take(&spun);
	taken = true;
	lock_spin_drop(&spun);
	pthread_testcancel();
	return none;
}

/* Who waits long for a shard sleeps: not in a cancellation point. */
TEST(L3_waiting_for_a_shard_is_no_cancellation_point)
{
	bool ended = false;
	pthread_t thread;
	void *result;

	lock_spin_take(&spun);
	ASSERT_EQ(0, pthread_create(&thread, NULL, spin, NULL));
	/* It sleeps after 200 attempts; ended, it would have to be joined. */
	for (int i = 0; i < 100 && !ended; i++) {
		usleep(1000);
		ended = pthread_tryjoin_np(thread, &result) == 0;
	}
	lock_spin_drop(&spun);
	if (!ended)
		pthread_join(thread, &result);
	EXPECT_TRUE(taken);
	EXPECT_EQ(PTHREAD_CANCELED, result);
}

TEST_HARNESS_MAIN
