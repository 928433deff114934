// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HeapCreate, HeapDestroy, GetProcessHeap, the last error: HEAP_CONTRACT sections 1, 2. */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "heapapi.h"
#include "privheap.h"

TEST(types_have_the_sizes_of_win64)
{
	EXPECT_EQ(8, sizeof(HANDLE));
	EXPECT_EQ(4, sizeof(DWORD));
	EXPECT_EQ(4, sizeof(ULONG));
	EXPECT_EQ(4, sizeof(BOOL));
	EXPECT_EQ(8, sizeof(SIZE_T));
	EXPECT_EQ(152, sizeof(EXCEPTION_RECORD));
}

static const struct {
	DWORD options;
	SIZE_T initial, maximum;
} good[] = {
	{ 0, 0, 0 }, { 0, 1, 0 }, { 0, 4096, 4096 }, { 0, 4097, 8192 }, { 0, 0, 1 },
	{ 0, 1 * MIB, 0 }, { 0, 1 * MIB, 1 * MIB }, { 0, 0, 64 * MIB }, { 0, 5000, 5000 },
	{ HEAP_NO_SERIALIZE, 0, 0 }, { HEAP_GENERATE_EXCEPTIONS, 0, 0 },
	{ HEAP_TAIL_CHECKING_ENABLED, 0, 0 }, { HEAP_FREE_CHECKING_ENABLED, 0, 0 },
	{ HEAP_CREATE_ALIGN_16, 0, 0 }, { HEAP_CREATE_ENABLE_EXECUTE, 0, 0 },
};

TEST(create_and_destroy)
{
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		HANDLE heap = HeapCreate(good[i].options, good[i].initial, good[i].maximum);

		ASSERT_NE(NULL, heap) TH_LOG("row %zu: errno %d", i, errno);
		EXPECT_EQ(0, (uintptr_t)heap % (64 * KIB));
		EXPECT_TRUE(HeapValidate(heap, 0, NULL));
		EXPECT_TRUE(HeapDestroy(heap));
	}
}

/* Public programs pass them; L12. Which bits these are says the table of HeapCreate's options. */
TEST(L12_options_without_effect)
{
	static const DWORD options[] = {
		HEAP_GROWABLE, HEAP_REALLOC_IN_PLACE_ONLY, HEAP_DISABLE_COALESCE_ON_FREE,
		HEAP_CREATE_SEGMENT_HEAP, HEAP_CREATE_HARDENED, HEAP_CREATE_ENABLE_TRACING,
		HEAP_PSEUDO_TAG_FLAG, HEAP_MAXIMUM_TAG << HEAP_TAG_SHIFT & ~HEAP_CREATE_ENABLE_EXECUTE,
	};

	for (size_t i = 0; i < COUNT(options); i++) {
		HANDLE heap = HeapCreate(options[i], 0, 1 * MIB);
		void *p = HeapAlloc(heap, 0, 100);

		ASSERT_NE(NULL, heap) TH_LOG("%#x", options[i]);
		/* Moves if it must, and holds what it was made for. */
		ASSERT_NE(NULL, HeapAlloc(heap, 0, 100));
		EXPECT_NE(NULL, HeapReAlloc(heap, 0, p, 300 * KIB));
		EXPECT_EQ(NULL, HeapAlloc(heap, 0, 1 * MIB));
		EXPECT_TRUE(HeapDestroy(heap));
	}
}

static const SIZE_T zeroed[] = { 1, 100, 1000, 5000, 100 * KIB, 300 * KIB };

/* Every byte that the heap ever hands out is 0 at first, and what is added to a block. */
TEST(L12_heap_of_zeroed_blocks)
{
	static const DWORD also[] = {
		0, HEAP_NO_SERIALIZE, HEAP_TAIL_CHECKING_ENABLED | HEAP_FREE_CHECKING_ENABLED,
	};

	for (size_t k = 0; k < COUNT(also); k++) {
		HANDLE heap = HeapCreate(HEAP_ZERO_MEMORY | also[k], 0, k ? 0 : 64 * MIB);

		ASSERT_NE(NULL, heap);
		for (int round = 0; round < 60; round++) {
			SIZE_T n = zeroed[round % COUNT(zeroed)];
			char *p = HeapAlloc(heap, 0, n);

			ASSERT_NE(NULL, p);
			ASSERT_TRUE(all_bytes(p, 0, n)) TH_LOG("%zu bytes, options %#x", n, also[k]);
			memset(p, 1, n);
			p = HeapReAlloc(heap, 0, p, n / 2);
			p = HeapReAlloc(heap, 0, p, n);
			ASSERT_TRUE(all_bytes(p, 1, n / 2) && all_bytes(p + n / 2, 0, n - n / 2));
			memset(p, 1, n);
			p = HeapReAlloc(heap, 0, p, 3 * n);
			ASSERT_TRUE(all_bytes(p, 1, n) && all_bytes(p + n, 0, 2 * n));
			memset(p, 1, 3 * n);
			p = privheap_realloc(heap, p, 4 * n);
			ASSERT_TRUE(all_bytes(p, 1, 3 * n) && all_bytes(p + 3 * n, 0, n));
			memset(p, 1, 4 * n);
			ASSERT_TRUE(HeapFree(heap, 0, p));
			p = privheap_alloc(heap, n);
			ASSERT_TRUE(all_bytes(p, 0, n));
			memset(p, 1, n);
			ASSERT_EQ(0, privheap_free(heap, p));
		}
		EXPECT_TRUE(HeapDestroy(heap));
	}
}

static const struct {
	DWORD options;
	SIZE_T initial, maximum;
	DWORD last_error;
	int error;
} bad[] = {
	{ 0, 8192, 4096, 87, EINVAL }, { 0, SIZE_MAX, 4096, 87, EINVAL },
	{ 0x400, 0, 0, 87, EINVAL }, { 0x800, 0, 0, 87, EINVAL }, { 0x1000, 0, 0, 87, EINVAL },
	{ 0x2000, 0, 0, 87, EINVAL }, { 0x4000, 0, 0, 87, EINVAL },
	{ 0x40000000, 0, 0, 87, EINVAL }, { 0x80000000, 0, 0, 87, EINVAL },
	{ 0, 0, SIZE_MAX, 8, ENOMEM }, { 0, SIZE_MAX, 0, 8, ENOMEM },
	{ 0, SIZE_MAX, SIZE_MAX, 8, ENOMEM }, { 0, 0, (SIZE_T)1 << 63, 8, ENOMEM },
	{ 0, 0, (SIZE_T)1 << 47, 8, ENOMEM },
};

TEST(create_refuses)
{
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		SetLastError(0xdead);
		errno = 0;
		EXPECT_EQ(NULL, HeapCreate(bad[i].options, bad[i].initial, bad[i].maximum))
			TH_LOG("row %zu", i);
		EXPECT_EQ(bad[i].last_error, GetLastError()) TH_LOG("row %zu", i);
		EXPECT_EQ(bad[i].error, errno) TH_LOG("row %zu", i);
	}
}

TEST(unknown_options_are_refused_one_by_one)
{
	/* 0xFFF << 18: tags. */
	const DWORD known = 0x3FF | 0x8000 | 0x10000 | 0x20000 | 0xFFF << 18;
	int bit;

	for (bit = 0; bit < 32; bit++) {
		DWORD option = (DWORD)1 << bit;
		HANDLE heap = HeapCreate(option, 0, 0);

		EXPECT_EQ(!!(option & known), heap != NULL) TH_LOG("bit %d", bit);
		if (heap)
			HeapDestroy(heap);
	}
}

TEST(initial_is_committed)
{
	HANDLE heap = HeapCreate(0, 1 * MIB, 4 * MIB);
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;

	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, privheap_stats(heap, &stats));
	EXPECT_LE(1 * MIB, stats.committed);
	EXPECT_EQ(4 * MIB, stats.maximum);
	EXPECT_EQ(0, stats.blocks);
}

TEST(success_keeps_errno_and_last_error)
{
	HANDLE heap;

	SetLastError(0xdead);
	errno = 77;
	heap = HeapCreate(0, 0, 0);
	HeapFree(heap, 0, HeapAlloc(heap, 0, 100));
	EXPECT_TRUE(HeapDestroy(heap));
	EXPECT_EQ(0xdead, GetLastError());
	EXPECT_EQ(77, errno);
}

TEST(destroy_frees_live_blocks)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	int i;

	for (i = 0; i < 1000; i++)
		ASSERT_NE(NULL, HeapAlloc(heap, 0, (SIZE_T)i * 10));
	EXPECT_TRUE(HeapDestroy(heap));
}

/* What heapapi.h says of it: the heap ends; no other block is a handle. */
TEST(first_block_at_the_address_of_the_handle)
{
	char *first = NULL, *other = NULL, *p;
	HANDLE heap;

	setenv("PRIVHEAP_CHECK", "off", 1);
	heap = HeapCreate(0, 0, 64 * KIB);
	while ((p = HeapAlloc(heap, 0, 1000)))
		*(p == heap ? &first : &other) = p;
	ASSERT_NE(NULL, other);
	EXPECT_FALSE(HeapDestroy(other));
	EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());
	EXPECT_TRUE(HeapDestroy(first));
	EXPECT_FALSE(HeapDestroy(heap));
}

TEST(destroy_of_no_heap)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	HANDLE bogus[] = { NULL, (HANDLE)1, (HANDLE)0x10000, (HANDLE)&heap, (HANDLE)UINTPTR_MAX,
			   (HANDLE)0x8000000000000000, (char *)heap + 16, heap };
	size_t i;

	EXPECT_TRUE(HeapDestroy(heap));
	for (i = 0; i < COUNT(bogus); i++) {
		SetLastError(0);
		EXPECT_FALSE(HeapDestroy(bogus[i])) TH_LOG("row %zu", i);
		EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError()) TH_LOG("row %zu", i);
	}
}

TEST(every_call_refuses_a_destroyed_heap)
{
	HANDLE heap = HeapCreate(0, 0, 0);
	void *p = HeapAlloc(heap, 0, 10);

	HeapDestroy(heap);
#define REFUSED(call, result) do {						\
	SetLastError(0);							\
	EXPECT_EQ(result, call);						\
	EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());			\
} while (0)
	REFUSED(HeapAlloc(heap, 0, 1), NULL);
	REFUSED(HeapAlloc(heap, HEAP_GENERATE_EXCEPTIONS, 1), NULL);
	REFUSED(HeapReAlloc(heap, 0, p, 1), NULL);
	REFUSED(HeapFree(heap, 0, p), FALSE);
	REFUSED(HeapSize(heap, 0, p), (SIZE_T)-1);
	EXPECT_FALSE(HeapValidate(heap, 0, NULL));
	EXPECT_FALSE(HeapValidate(NULL, 0, NULL));
}

TEST(process_heap)
{
	HANDLE heap = GetProcessHeap();
	void *p = HeapAlloc(heap, HEAP_ZERO_MEMORY, 1 * MIB);

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(heap, GetProcessHeap());
	ASSERT_NE(NULL, p);
	EXPECT_FALSE(HeapDestroy(heap));
	EXPECT_EQ(ERROR_INVALID_HANDLE, GetLastError());
	EXPECT_EQ(1 * MIB, HeapSize(heap, 0, p));
	EXPECT_EQ(-1, privheap_destroy(heap));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(HeapFree(heap, 0, p));
}

TEST(two_thousand_lives)
{
	int i;

	for (i = 0; i < 2000; i++) {
		HANDLE heap = HeapCreate(0, 0, 1 * MIB);

		ASSERT_NE(NULL, heap) TH_LOG("round %d", i);
		ASSERT_NE(NULL, HeapAlloc(heap, 0, 5000));
		ASSERT_TRUE(HeapDestroy(heap));
	}
}

TEST(many_heaps_at_once)
{
	static HANDLE heaps[200];
	size_t i;

	for (i = 0; i < COUNT(heaps); i++) {
		heaps[i] = HeapCreate(0, 0, 256 * KIB);
		ASSERT_NE(NULL, heaps[i]) TH_LOG("heap %zu: errno %d", i, errno);
		*(size_t *)HeapAlloc(heaps[i], 0, 8) = i;
	}
	for (i = 0; i < COUNT(heaps); i++)
		EXPECT_TRUE(HeapValidate(heaps[i], 0, NULL));
	for (i = 0; i < COUNT(heaps); i++)
		EXPECT_TRUE(HeapDestroy(heaps[i]));
}

TEST(quota_refuses_creation)
{
	ASSERT_EQ(0, privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 8 * MIB));
	errno = 0;
	EXPECT_EQ(NULL, HeapCreate(0, 16 * MIB, 0));
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(EDQUOT, errno);
	EXPECT_NE(NULL, HeapCreate(0, 1 * MIB, 64 * MIB));
}

#ifndef __SANITIZE_ADDRESS__	/* which needs terabytes of addresses itself */
TEST(address_space_refuses_creation)
{
	struct rlimit limit = { 1024 * MIB, 1024 * MIB };

	ASSERT_NE(NULL, HeapCreate(0, 0, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	errno = 0;
	EXPECT_EQ(NULL, HeapCreate(0, 0, 4096 * MIB));
	EXPECT_EQ(ERROR_NOT_ENOUGH_MEMORY, GetLastError());
	EXPECT_EQ(ENOMEM, errno);
}
#endif

static void *last_error_of_thread(void *seen)
{
	*(DWORD *)seen = GetLastError();
	SetLastError(5);
	return NULL;
}

TEST(last_error_is_per_thread)
{
	DWORD seen = 99;
	pthread_t thread;

	SetLastError(7);
	pthread_create(&thread, NULL, last_error_of_thread, &seen);
	pthread_join(thread, NULL);
	EXPECT_EQ(0, seen);
	EXPECT_EQ(7, GetLastError());
}

static void without_device(void)
{
	/* Where there is a device, hide it; without privilege in a user namespace. */
	if (access("/dev/privheap", F_OK) == 0 &&
	    ((chroot("/proc") && (unshare(CLONE_NEWUSER) || chroot("/proc"))) || chdir("/")))
		_exit(4);
	setenv("PRIVHEAP_BACKEND", "device", 1);
	if (HeapCreate(0, 0, 0) || GetLastError() != ERROR_NOT_ENOUGH_MEMORY || errno != ENOENT)
		_exit(1);
	if (HeapCreate(0, 0, 0) || GetProcessHeap() || HeapDestroy(NULL))
		_exit(2);
}

TEST(no_device_is_one_clear_line)
{
	struct outcome out;

	run_in_child(&out, without_device);
	EXPECT_TRUE(exited(&out, 0)) TH_LOG("status %#x", out.status);
	EXPECT_NE(NULL, strstr(out.text, "modprobe privheap"));
	EXPECT_NE(NULL, strstr(out.text, "PRIVHEAP_BACKEND=anon"));
	EXPECT_EQ(out.text + strlen(out.text) - 1, strchr(out.text, '\n'));
}

static void with_unknown_backend(void)
{
	setenv("PRIVHEAP_BACKEND", "nonsense", 1);
	CHECK_IN_CHILD(!HeapCreate(0, 0, 0));
	CHECK_IN_CHILD(!GetProcessHeap());
	CHECK_IN_CHILD(!privheap_create(NULL));
}

TEST(unknown_backend_is_refused)
{
	EXPECT_CHILD_OK(with_unknown_backend);
}

TEST_HARNESS_MAIN
