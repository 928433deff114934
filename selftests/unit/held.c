// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * L16: a heap that is destroyed while somebody holds it ends with the last hold. L17: who lists heaps
 * waits for nobody who is inside one.
 */
#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include "alloc/heap_lock.h"
#include "heap/registry.h"
#include "unit.h"

static uint64_t heaps_charged(void)
{
	struct backend_quota quota;

	backend_anon.quota_get(0, UINT32_MAX, &quota);
	return quota.heaps;
}

TEST(L16_held_heap_stays_and_is_not_to_be_found)
{
	struct heap *heap = unit_heap(0, MIB(8), 0), *held = heap_hold(heap_handle(heap));
	void *handle = heap_handle(heap);
	char *p = unit_alloc(heap, 100);
	uint64_t charged = heaps_charged();

	ASSERT_EQ(heap, held);
	EXPECT_FALSE(heap_gone(held));
	EXPECT_EQ(0, heap_destroy(heap));
	EXPECT_EQ(NULL, heap_lookup(handle));
	EXPECT_EQ(NULL, heap_hold(handle));
	EXPECT_EQ(NULL, heap_hold_containing(handle));
	EXPECT_EQ(-EINVAL, heap_destroy_handle(handle));
	EXPECT_EQ(0, heap_list(NULL, 0));
	EXPECT_TRUE(heap_gone(held));
	EXPECT_EQ(charged, heaps_charged());
	memset(p, 1, 100);
	EXPECT_EQ(100, unit_size(held, p));
	EXPECT_TRUE(unit_sound(held));
	EXPECT_NE(NULL, unit_alloc(held, 5000));
	heap_drop(held);
	EXPECT_EQ(charged - 1, heaps_charged());
}

TEST(L16_record_is_another_heaps_and_old_handle_names_none)
{
	struct heap *heap = unit_heap(0, MIB(1), 0), *other, *keep;
	void *handle = heap_handle(heap);

	/* Keeps the addresses from being used again. */
	ASSERT_EQ(0, heap_destroy(heap));
	keep = unit_heap(0, MIB(2), 0);
	other = unit_heap(0, MIB(1), 0);
	ASSERT_TRUE(other == heap || keep == heap);
	if (heap_handle(other) != handle && heap_handle(keep) != handle) {
		EXPECT_EQ(NULL, heap_hold(handle));
	}
	EXPECT_EQ(0, heap_destroy(other));
	EXPECT_EQ(0, heap_destroy(keep));
}

TEST(L16_dropped_last_where_locks_cannot_be_waited_for)
{
	struct heap *heap = unit_heap(0, MIB(1), 0), *held = heap_hold(heap_handle(heap));
	uint64_t charged = heaps_charged();

	EXPECT_EQ(0, heap_destroy(heap));
	/* As in a signal handler that interrupted the library. */
	lock_depth++;
	heap_drop(held);
	EXPECT_EQ(charged, heaps_charged());
	lock_depth--;
	/* The next who comes by ends it, too. */
	heap = unit_heap(0, MIB(1), 0);
	EXPECT_EQ(charged, heaps_charged());
	EXPECT_EQ(0, heap_destroy(heap));
	EXPECT_EQ(charged - 1, heaps_charged());
}

struct race {
	void *handle;
	_Atomic int destroyed;
};

static void *destroy(void *arg)
{
	struct race *race = arg;

	if (heap_destroy_handle(race->handle) == 0)
		race->destroyed++;
	return NULL;
}

TEST(L16_one_of_two_who_destroy_has_done_it)
{
	uint64_t charged = 0;

	for (int i = 0; i < 1000; i++) {
		struct race race = { .handle = heap_handle(unit_heap(0, MIB(1), 0)) };
		pthread_t threads[2];

		for (int n = 0; n < 2; n++)
			ASSERT_EQ(0, pthread_create(&threads[n], NULL, destroy, &race));
		for (int n = 0; n < 2; n++)
			pthread_join(threads[n], NULL);
		ASSERT_EQ(1, race.destroyed);
		if (!charged)
			charged = heaps_charged();
		ASSERT_EQ(charged, heaps_charged());
	}
}

static _Atomic int inside, listed, visited;

static void stand_inside(struct heap *heap)
{
	visited++;
	heap_lock(heap);
	inside++;
	while (!listed)
		sched_yield();
	heap_unlock(heap);
}

static void *visit_each(void *unused)
{
	heap_each(stand_inside);
	return unused;
}

TEST(L17_list_while_somebody_stands_inside)
{
	void *list[4] = { NULL };
	struct heap *heap;
	pthread_t thread;

	ASSERT_EQ(0, heap_process(&heap));
	ASSERT_EQ(0, pthread_create(&thread, NULL, visit_each, NULL));
	while (!inside)
		sched_yield();
	EXPECT_EQ(1, heap_list(list, 4));
	EXPECT_EQ(heap_handle(heap), list[0]);
	listed = 1;
	pthread_join(thread, NULL);
}

static struct heap *ended[3];

/* The first one that is met ends all of them. */
static void end_others(struct heap *heap)
{
	visited++;
	for (int i = 0; i < 3; i++)
		if (ended[i])
			heap_destroy(ended[i]);
	memset(ended, 0, sizeof(ended));
	/* It is still there, for this one. */
	unit_sound(heap);
}

TEST(L16_each_heap_while_they_end)
{
	for (int i = 0; i < 3; i++)
		ended[i] = unit_heap(0, MIB(1), 0);
	heap_each(end_others);
	EXPECT_EQ(1, visited);
	EXPECT_EQ(0, heap_list(NULL, 0));
}

TEST_HARNESS_MAIN
