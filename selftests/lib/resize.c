// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * L8: looking at a block while its owner resizes it, with the heap locked or not. It has one of the
 * sizes that it had, never a third, and is whole.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "heapapi.h"

#define LOOKS	20000

static HANDLE heap;
static void *block;
static SIZE_T sizes[2];
static atomic_int looking, refused;
static atomic_uint resized;

static void *resize(void *unused)
{
	for (unsigned int i = 1; looking; i++) {
		if (HeapReAlloc(heap, HEAP_REALLOC_IN_PLACE_ONLY, block, sizes[i % 2]) == block)
			resized++;
		else
			refused++;
	}
	return unused;
}

static bool had(SIZE_T size)
{
	return size == sizes[0] || size == sizes[1];
}

static bool look_size(void)
{
	return had(HeapSize(heap, 0, block));
}

static bool look_validate(void)
{
	return HeapValidate(heap, 0, block);
}

static bool look_validate_all(void)
{
	return HeapValidate(heap, 0, NULL);
}

static bool look_walk(void)
{
	PROCESS_HEAP_ENTRY entry = { 0 };

	while (HeapWalk(heap, &entry))
		if (entry.wFlags & PROCESS_HEAP_ENTRY_BUSY && entry.lpData == block)
			return had(entry.cbData);
	return false;
}

static bool look_summary(void)
{
	HEAP_SUMMARY summary = { .cb = sizeof(summary) };

	return HeapSummary(heap, 0, &summary) && had(summary.cbAllocated);
}

FIXTURE(L8_look) {
	pthread_t owner;
};

FIXTURE_VARIANT(L8_look) {
	DWORD options;
	SIZE_T sizes[2];
};

#define CHECKED	(HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED)

FIXTURE_VARIANT_ADD(L8_look, small) { 0, { 100, 110 } };
FIXTURE_VARIANT_ADD(L8_look, large) { 0, { 100000, 100100 } };
FIXTURE_VARIANT_ADD(L8_look, large_pages) { 0, { 90000, 150001 } };
FIXTURE_VARIANT_ADD(L8_look, large_whole_pages) { 0, { 81920, 122880 } };
FIXTURE_VARIANT_ADD(L8_look, checked_small) { CHECKED, { 100, 90 } };
FIXTURE_VARIANT_ADD(L8_look, checked_large) { CHECKED, { 90000, 150001 } };

FIXTURE_SETUP(L8_look)
{
	memcpy(sizes, variant->sizes, sizeof(sizes));
	heap = HeapCreate(variant->options, 0, 8 * MIB);
	block = HeapAlloc(heap, 0, sizes[0]);
	ASSERT_NE(NULL, block);
	looking = 1;
	ASSERT_EQ(0, pthread_create(&self->owner, NULL, resize, NULL));
	while (!resized)
		sched_yield();
}

FIXTURE_TEARDOWN(L8_look)
{
	looking = 0;
	pthread_join(self->owner, NULL);
	EXPECT_EQ(0, refused);
	EXPECT_TRUE(HeapDestroy(heap));
}

static int wrong_looks(bool (*look)(void))
{
	int wrong = 0;

	for (int i = 0; i < LOOKS; i++)
		if (!look())
			wrong++;
	return wrong;
}

TEST_F_TIMEOUT(L8_look, as_it_is, 300)
{
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(0, wrong_looks(look_size));
	for (int i = 0; i < 20; i++)
		EXPECT_EQ(0, wrong_looks(look_validate));
	EXPECT_EQ(0, wrong_looks(look_validate_all));
	EXPECT_EQ(0, wrong_looks(look_walk));
	EXPECT_EQ(0, wrong_looks(look_summary));
}

TEST_F_TIMEOUT(L8_look, with_the_heap_locked, 300)
{
	int wrong = 0;

	for (int i = 0; i < LOOKS / 10; i++) {
		ASSERT_TRUE(HeapLock(heap));
		wrong += !look_size() + !look_validate() + !look_walk() + !look_summary();
		ASSERT_TRUE(HeapUnlock(heap));
	}
	EXPECT_EQ(0, wrong);
}

TEST_HARNESS_MAIN
