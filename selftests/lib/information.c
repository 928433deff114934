// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapSetInformation, HeapQueryInformation, GetProcessHeaps: HEAP_CONTRACT section 2. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <stdatomic.h>

#include "heapapi.h"
#include "privheap.h"

#define COMPATIBILITY	HeapCompatibilityInformation
#define TERMINATION	HeapEnableTerminationOnCorruption
#define OPTIMIZE	HeapOptimizeResources

static HANDLE heap;

#define REFUSED(call, code) do {						\
	SetLastError(0);							\
	EXPECT_FALSE(call);							\
	EXPECT_EQ(code, GetLastError());					\
} while (0)

static BOOL set(HANDLE of, ULONG value)
{
	return HeapSetInformation(of, COMPATIBILITY, &value, sizeof(value));
}

static ULONG get(HANDLE of)
{
	ULONG value = 77;

	HeapQueryInformation(of, COMPATIBILITY, &value, sizeof(value), NULL);
	return value;
}

TEST(low_fragmentation_is_for_ever)
{
	heap = HeapCreate(0, 0, 1 * MIB);
	EXPECT_EQ(0, get(heap));
	EXPECT_TRUE(set(heap, 0));
	EXPECT_TRUE(set(heap, 2));
	EXPECT_EQ(2, get(heap));
	EXPECT_TRUE(set(heap, 2));
	REFUSED(set(heap, 0), ERROR_GEN_FAILURE);
	REFUSED(set(heap, 1), ERROR_GEN_FAILURE);
	EXPECT_EQ(2, get(heap));
}

TEST(low_fragmentation_is_what_there_is)
{
	heap = HeapCreate(0, 0, 1 * MIB);
	REFUSED(set(heap, 1), ERROR_GEN_FAILURE);
	REFUSED(set(heap, 3), ERROR_GEN_FAILURE);
	REFUSED(set(heap, UINT32_MAX), ERROR_GEN_FAILURE);
	EXPECT_EQ(0, get(heap));
}

TEST(no_serialize_heap_has_no_low_fragmentation)
{
	heap = HeapCreate(HEAP_NO_SERIALIZE, 0, 1 * MIB);
	REFUSED(set(heap, 2), ERROR_INVALID_PARAMETER);
	EXPECT_EQ(0, get(heap));
}

TEST(arguments_of_compatibility)
{
	ULONG value = 2;
	SIZE_T length = 0;

	heap = HeapCreate(0, 0, 1 * MIB);
	REFUSED(set(NULL, 2), ERROR_INVALID_HANDLE);
	REFUSED(set(&heap, 2), ERROR_INVALID_HANDLE);
	REFUSED(HeapSetInformation(heap, COMPATIBILITY, &value, 3), ERROR_INSUFFICIENT_BUFFER);
	REFUSED(HeapSetInformation(heap, COMPATIBILITY, NULL, 4), ERROR_NOACCESS);
	REFUSED(HeapQueryInformation(NULL, COMPATIBILITY, &value, 4, NULL), ERROR_NOACCESS);
	REFUSED(HeapQueryInformation(&heap, COMPATIBILITY, &value, 4, NULL),
		ERROR_INVALID_HANDLE);
	REFUSED(HeapQueryInformation(heap, COMPATIBILITY, NULL, 4, NULL), ERROR_NOACCESS);
	REFUSED(HeapQueryInformation(heap, COMPATIBILITY, &value, 3, &length),
		ERROR_INSUFFICIENT_BUFFER);
	EXPECT_EQ(4, length);
	EXPECT_EQ(2, value);
	length = 0;
	EXPECT_TRUE(HeapQueryInformation(heap, COMPATIBILITY, &value, 4, &length));
	EXPECT_EQ(4, length);
	EXPECT_EQ(0, value);
}

TEST(classes_that_are_none)
{
	static const int classes[] = { 2, 4, 5, 1000, -1 };
	ULONG value = 2;
	size_t i;

	heap = HeapCreate(0, 0, 1 * MIB);
	for (i = 0; i < COUNT(classes); i++) {
		HEAP_INFORMATION_CLASS class = (HEAP_INFORMATION_CLASS)classes[i];

		REFUSED(HeapSetInformation(heap, class, &value, 4), ERROR_INVALID_PARAMETER);
		REFUSED(HeapQueryInformation(heap, class, &value, 4, NULL),
			ERROR_INVALID_PARAMETER);
	}
	REFUSED(HeapQueryInformation(heap, TERMINATION, &value, 4, NULL),
		ERROR_INVALID_PARAMETER);
}

/* A double free, where it would be told by return. */
static BOOL wrong_free(void)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	void *p;

	attr.on_corruption = PRIVHEAP_CORRUPTION_RETURN;
	heap = privheap_create(&attr);
	p = HeapAlloc(heap, 0, 100);
	HeapFree(heap, 0, p);
	return HeapFree(heap, 0, p);
}

static void terminate_and_free(void)
{
	if (HeapSetInformation(NULL, TERMINATION, NULL, 0))
		wrong_free();
}

static void terminate_one_and_free_in_child(void)
{
	HANDLE other = HeapCreate(0, 0, 0);

	if (HeapSetInformation(other, TERMINATION, NULL, 0) && fork() == 0)
		wrong_free();
	else
		raise(SIGABRT);
}

TEST(termination_cannot_be_undone)
{
	ULONG value = 0;

	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
	EXPECT_FALSE(wrong_free());
	EXPECT_ABORT(terminate_and_free, "HeapFree", "freed already");
	EXPECT_ABORT(terminate_one_and_free_in_child, "HeapFree", "freed already");
	REFUSED(HeapSetInformation(NULL, TERMINATION, &value, 4), ERROR_INVALID_PARAMETER);
	REFUSED(HeapSetInformation(NULL, TERMINATION, NULL, 4), ERROR_INVALID_PARAMETER);
	REFUSED(HeapSetInformation(&value, TERMINATION, NULL, 0), ERROR_INVALID_HANDLE);
	EXPECT_FALSE(wrong_free());
}

/* Whether a heap keeps free blocks of this size apart, seen by a walk. */
static bool keeps(HANDLE of, DWORD bytes)
{
	PROCESS_HEAP_ENTRY entry = { .lpData = NULL };

	while (HeapWalk(of, &entry))
		if (entry.wFlags == 0 && entry.cbData == bytes)
			return true;
	return false;
}

static HANDLE heap_that_keeps(DWORD options)
{
	HANDLE of = HeapCreate(options, 0, 1 * MIB);

	HeapFree(of, 0, HeapAlloc(of, 0, 48));
	return keeps(of, 48) ? of : NULL;
}

TEST(optimize_resources)
{
	HEAP_OPTIMIZE_RESOURCES_INFORMATION wish = { HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION, 0 };
	HANDLE one = heap_that_keeps(0), two = heap_that_keeps(0);
	HANDLE locked = heap_that_keeps(0), single = heap_that_keeps(HEAP_NO_SERIALIZE);

	ASSERT_TRUE(one && two && locked && single);
	EXPECT_TRUE(HeapSetInformation(one, OPTIMIZE, &wish, sizeof(wish)));
	EXPECT_FALSE(keeps(one, 48));
	EXPECT_TRUE(keeps(two, 48));
	HeapLock(locked);
	EXPECT_TRUE(HeapSetInformation(NULL, OPTIMIZE, &wish, sizeof(wish)));
	HeapUnlock(locked);
	EXPECT_FALSE(keeps(two, 48));
	EXPECT_TRUE(keeps(locked, 48));
	EXPECT_TRUE(keeps(single, 48));
	EXPECT_TRUE(HeapSetInformation(single, OPTIMIZE, &wish, sizeof(wish)));
	EXPECT_FALSE(keeps(single, 48));
}

TEST(arguments_of_optimize_resources)
{
	HEAP_OPTIMIZE_RESOURCES_INFORMATION wish = { 1, 0 };

	REFUSED(HeapSetInformation(&wish, OPTIMIZE, &wish, sizeof(wish)), ERROR_INVALID_HANDLE);
	REFUSED(HeapSetInformation(NULL, OPTIMIZE, NULL, sizeof(wish)), ERROR_INVALID_PARAMETER);
	REFUSED(HeapSetInformation(NULL, OPTIMIZE, &wish, 4), ERROR_INVALID_PARAMETER);
	wish.Version = 2;
	REFUSED(HeapSetInformation(NULL, OPTIMIZE, &wish, sizeof(wish)), ERROR_INVALID_PARAMETER);
	wish.Version = 1;
	wish.Flags = 1;
	REFUSED(HeapSetInformation(NULL, OPTIMIZE, &wish, sizeof(wish)), ERROR_INVALID_PARAMETER);
}

TEST(process_heaps_in_order)
{
	HANDLE made[5], seen[8] = { NULL };
	int i;

	for (i = 0; i < 5; i++) {
		made[i] = HeapCreate(0, 0, 1 * MIB);
	}
	HeapDestroy(made[1]);
	EXPECT_EQ(5, GetProcessHeaps(8, seen));
	EXPECT_EQ(GetProcessHeap(), seen[0]);
	EXPECT_EQ(made[0], seen[1]);
	EXPECT_EQ(made[2], seen[2]);
	EXPECT_EQ(made[3], seen[3]);
	EXPECT_EQ(made[4], seen[4]);
	EXPECT_EQ(NULL, seen[5]);
}

TEST(process_heaps_that_do_not_fit)
{
	HANDLE seen[3] = { NULL }, first;

	EXPECT_EQ(1, GetProcessHeaps(0, NULL));
	first = HeapCreate(0, 0, 0);
	HeapCreate(0, 0, 0);
	EXPECT_EQ(3, GetProcessHeaps(0, seen));
	EXPECT_EQ(NULL, seen[0]);
	EXPECT_EQ(3, GetProcessHeaps(2, seen));
	EXPECT_EQ(GetProcessHeap(), seen[0]);
	EXPECT_EQ(first, seen[1]);
	EXPECT_EQ(NULL, seen[2]);
	REFUSED(GetProcessHeaps(1, NULL), ERROR_INVALID_PARAMETER);
}

static atomic_bool stop;

static void *make_and_destroy(void *unused)
{
	(void)unused;
	while (!stop)
		HeapDestroy(HeapCreate(0, 0, 64 * KIB));
	return NULL;
}

TEST(process_heaps_while_they_come_and_go)
{
	HEAP_OPTIMIZE_RESOURCES_INFORMATION wish = { 1, 0 };
	HANDLE kept = HeapCreate(0, 0, 64 * KIB), seen[8];
	pthread_t thread;
	int i;

	pthread_create(&thread, NULL, make_and_destroy, NULL);
	for (i = 0; i < 2000; i++) {
		DWORD count = GetProcessHeaps(8, seen);

		EXPECT_TRUE(count == 2 || count == 3);
		EXPECT_EQ(GetProcessHeap(), seen[0]);
		EXPECT_EQ(kept, seen[1]);
		EXPECT_TRUE(HeapSetInformation(NULL, OPTIMIZE, &wish, sizeof(wish)));
	}
	stop = true;
	pthread_join(thread, NULL);
}

TEST_HARNESS_MAIN
