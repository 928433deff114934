// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The native API: HEAP_CONTRACT section 5. */
#include "kselftest_harness.h"
#include "common.h"

#include <sys/mman.h>

#include "heapapi.h"
#include "privheap.h"

FIXTURE(heap)
{
	privheap_t *heap;
};

FIXTURE_SETUP(heap)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;

	attr.name = "native";
	attr.maximum = 16 * MIB;
	self->heap = privheap_create(&attr);
	ASSERT_NE(NULL, self->heap);
}

FIXTURE_TEARDOWN(heap)
{
	EXPECT_TRUE(privheap_validate(self->heap, NULL));
	EXPECT_EQ(0, privheap_destroy(self->heap));
}

TEST(default_attributes)
{
	privheap_t *heap = privheap_create(NULL);

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(0, (uintptr_t)heap % (64 * KIB));
	EXPECT_NE(NULL, privheap_alloc(heap, 100));
	EXPECT_EQ(0, privheap_destroy(heap));
}

/* On either backend: what is developed on one shall run on the other. */
TEST(names)
{
	static const char *const bad[] = { "a/b", "a\nb", "\303\244", "12345678901234567890123456789012" };
	static const char *const good[] = { "", " ", "1234567890123456789012345678901" };
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		attr.name = bad[i];
		errno = 0;
		EXPECT_EQ(NULL, privheap_create(&attr)) TH_LOG("%s", bad[i]);
		EXPECT_EQ(EINVAL, errno);
	}
	for (i = 0; i < COUNT(good); i++) {
		attr.name = good[i];
		EXPECT_EQ(0, privheap_destroy(privheap_create(&attr))) TH_LOG("%s", good[i]);
	}
}

TEST(every_attribute_that_is_a_flag)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	int i;

	for (i = 0; i < 32; i++) {
		privheap_t *heap;

		attr.executable = i & 1;
		attr.secret = i & 2;
		attr.no_serialize = i & 4;
		attr.on_corruption = i & 8 ? PRIVHEAP_CORRUPTION_RETURN : PRIVHEAP_CORRUPTION_ABORT;
		attr.populate = i & 16;
		heap = privheap_create(&attr);
		ASSERT_NE(NULL, heap) TH_LOG("flags %#x: errno %d", i, errno);
		EXPECT_NE(NULL, privheap_alloc(heap, 100));
		EXPECT_EQ(0, privheap_destroy(heap));
	}
}

TEST(backend_by_attribute)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	privheap_t *heap;

	attr.backend = PRIVHEAP_BACKEND_ANON;
	heap = privheap_create(&attr);
	ASSERT_NE(NULL, heap);
	EXPECT_NE(NULL, privheap_alloc(heap, 100));
	EXPECT_EQ(0, privheap_destroy(heap));
}

/* Where there is no device, and the environment does not ask for it, it is the device all the same. */
TEST(device_by_attribute)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	bool device = access("/dev/privheap", F_OK) == 0;
	privheap_t *heap;

	setenv("PRIVHEAP_BACKEND", "anon", 1);
	attr.backend = PRIVHEAP_BACKEND_DEVICE;
	errno = 0;
	heap = privheap_create(&attr);
	EXPECT_EQ(device, heap != NULL);
	EXPECT_EQ(device ? 0 : ENOENT, errno);
	if (heap)
		EXPECT_EQ(0, privheap_destroy(heap));
}

/* A descriptor that the library keeps is none of those that programs close and open again. */
TEST(standard_descriptors_stay_the_programs)
{
	privheap_t *heap;
	int fd;

	close(STDIN_FILENO);
	heap = privheap_create(NULL);
	fd = open("/dev/null", O_RDONLY);
	EXPECT_EQ(STDIN_FILENO, fd);
	ASSERT_NE(NULL, heap);
	EXPECT_NE(NULL, privheap_alloc(heap, 100));
	EXPECT_EQ(0, privheap_destroy(heap));
}

/* Of a block of 2 MiB, before it is touched. */
static size_t resident_pages(bool populate)
{
	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
	unsigned char present[512];
	size_t i, pages = 0;
	void *p;

	attr.populate = populate;
	p = privheap_alloc(privheap_create(&attr), 2 * MIB);
	if (!p || mincore(p, 2 * MIB, present))
		return SIZE_MAX;
	for (i = 0; i < 512; i++)
		pages += present[i] & 1;
	return pages;
}

TEST(populated_heap_has_large_blocks_resident)
{
	EXPECT_EQ(512, resident_pages(true));
	EXPECT_GT(512, resident_pages(false));
}

TEST(bad_attributes)
{
	struct privheap_attr good = PRIVHEAP_ATTR_INIT, attr;

#define REFUSED(assignment) do {						\
	attr = good;								\
	assignment;								\
	errno = 0;								\
	EXPECT_EQ(NULL, privheap_create(&attr));				\
	EXPECT_EQ(EINVAL, errno);						\
} while (0)
	REFUSED(attr.size = 0);
	REFUSED(attr.size = 8);
	REFUSED(attr.on_corruption = (enum privheap_corruption)9);
	REFUSED(attr.backend = (enum privheap_backend)9);
	REFUSED((attr.initial = 8192, attr.maximum = 4096));
}

TEST(attributes_of_a_newer_header)
{
	struct {
		struct privheap_attr attr;
		char more[32];
	} newer = { .attr = PRIVHEAP_ATTR_INIT };
	privheap_t *heap;

	newer.attr.size = sizeof(newer);
	heap = privheap_create(&newer.attr);
	EXPECT_NE(NULL, heap);
	newer.more[20] = 1;
	EXPECT_EQ(NULL, privheap_create(&newer.attr));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(heap, alloc_and_free)
{
	void *p = privheap_alloc(self->heap, 1000);

	ASSERT_NE(NULL, p);
	EXPECT_EQ(1000, privheap_usable_size(self->heap, p));
	EXPECT_TRUE(privheap_validate(self->heap, p));
	EXPECT_EQ(0, privheap_free(self->heap, p));
	EXPECT_EQ(0, privheap_free(self->heap, NULL));
}

TEST_F(heap, zalloc_is_zero)
{
	int i;

	for (i = 0; i < 100; i++) {
		size_t n = (size_t)i * 333;
		char *p = privheap_zalloc(self->heap, n);

		ASSERT_TRUE(p && all_bytes(p, 0, n));
		memset(p, 0x99, n);
		privheap_free(self->heap, p);
	}
}

TEST_F(heap, every_alignment)
{
	size_t align, n;

	for (align = 1; align <= 64 * KIB; align *= 2) {
		for (n = 0; n < 10000; n = n * 3 + 1) {
			char *p = privheap_aligned_alloc(self->heap, align, n);

			ASSERT_NE(NULL, p) TH_LOG("align %zu size %zu", align, n);
			EXPECT_EQ(0, (uintptr_t)p % align);
			EXPECT_EQ(n, privheap_usable_size(self->heap, p));
			memset(p, 0x12, n);
			EXPECT_EQ(0, privheap_free(self->heap, p));
		}
	}
}

TEST_F(heap, alignments_that_are_none)
{
	static const volatile size_t wrong[] = { 0, 3, 24, 4095, SIZE_MAX };
	volatile size_t beyond = (size_t)1 << 63;
	size_t i;

	for (i = 0; i < COUNT(wrong); i++) {
		errno = 0;
		EXPECT_EQ(NULL, privheap_aligned_alloc(self->heap, wrong[i], 16));
		EXPECT_EQ(EINVAL, errno);
	}
	errno = 0;
	EXPECT_EQ(NULL, privheap_aligned_alloc(self->heap, beyond, 16));
	EXPECT_EQ(ENOMEM, errno);
}

TEST_F(heap, realloc)
{
	char *p = privheap_realloc(self->heap, NULL, 100);

	ASSERT_NE(NULL, p);
	memset(p, 0x31, 100);
	p = privheap_realloc(self->heap, p, 50000);
	ASSERT_NE(NULL, p);
	EXPECT_TRUE(all_bytes(p, 0x31, 100));
	EXPECT_EQ(50000, privheap_usable_size(self->heap, p));
	errno = 0;
	EXPECT_EQ(NULL, privheap_realloc(self->heap, p, 64 * MIB));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(50000, privheap_usable_size(self->heap, p));
	EXPECT_EQ(p, privheap_realloc(self->heap, p, 0));
	EXPECT_EQ(0, privheap_free(self->heap, p));
}

TEST_F(heap, realloc_inplace)
{
	void *p = privheap_alloc(self->heap, 100);

	EXPECT_EQ(0, privheap_realloc_inplace(self->heap, p, 60));
	EXPECT_EQ(60, privheap_usable_size(self->heap, p));
	EXPECT_EQ(0, privheap_realloc_inplace(self->heap, p, 100));
	errno = 0;
	EXPECT_EQ(-1, privheap_realloc_inplace(self->heap, p, 1 * MIB));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(100, privheap_usable_size(self->heap, p));
	EXPECT_EQ(-1, privheap_realloc_inplace(self->heap, NULL, 1));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(heap, usable_size_of_what_is_no_block)
{
	errno = 0;
	EXPECT_EQ(SIZE_MAX, privheap_usable_size(self->heap, self));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(SIZE_MAX, privheap_usable_size(self->heap, NULL));
	EXPECT_FALSE(privheap_validate(self->heap, self));
}

TEST_F(heap, errors_of_size)
{
	errno = 0;
	EXPECT_EQ(NULL, privheap_alloc(self->heap, 64 * MIB));
	EXPECT_EQ(ENOMEM, errno);
	errno = 0;
	EXPECT_EQ(NULL, privheap_zalloc(self->heap, SIZE_MAX));
	EXPECT_EQ(ENOMEM, errno);
}

TEST_F(heap, success_keeps_errno)
{
	void *p;

	errno = 77;
	p = privheap_alloc(self->heap, 1 * MIB);
	EXPECT_EQ(0, privheap_free(self->heap, p));
	EXPECT_TRUE(privheap_validate(self->heap, NULL));
	EXPECT_EQ(77, errno);
}

TEST_F(heap, stats_count_blocks_exactly)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	void *p = privheap_alloc(self->heap, 100), *q = privheap_alloc(self->heap, 200000);

	ASSERT_EQ(0, privheap_stats(self->heap, &stats));
	EXPECT_EQ(2, stats.blocks);
	EXPECT_EQ(200100, stats.allocated);
	EXPECT_EQ(16 * MIB, stats.maximum);
	EXPECT_LE(200100, stats.committed);
	privheap_free(self->heap, p);
	privheap_free(self->heap, q);
	ASSERT_EQ(0, privheap_stats(self->heap, &stats));
	EXPECT_EQ(0, stats.blocks);
	EXPECT_EQ(0, stats.allocated);
	stats.size = 1;
	EXPECT_EQ(-1, privheap_stats(self->heap, &stats));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(heap, stats_remember_how_full_it_was)
{
	struct privheap_stats before = PRIVHEAP_STATS_INIT, after = PRIVHEAP_STATS_INIT;
	void *p = privheap_alloc(self->heap, 5 * MIB);

	ASSERT_EQ(0, privheap_stats(self->heap, &before));
	/* A guard page behind it, where every heap is checked. */
	EXPECT_LE(5 * MIB, before.high_water);
	EXPECT_GE(5 * MIB + 64 * KIB, before.high_water);
	EXPECT_LE(4096, before.metadata);
	privheap_free(self->heap, p);
	ASSERT_EQ(0, privheap_stats(self->heap, &after));
	EXPECT_EQ(before.high_water, after.high_water);
	EXPECT_EQ(before.committed, after.committed);
}

TEST_F(heap, stats_of_an_older_header)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;

	stats.size = offsetof(struct privheap_stats, high_water);
	stats.high_water = stats.metadata = 77;
	ASSERT_EQ(0, privheap_stats(self->heap, &stats));
	EXPECT_EQ(16 * MIB, stats.maximum);
	EXPECT_EQ(77, stats.high_water);
	EXPECT_EQ(77, stats.metadata);
}

TEST(trim)
{
	privheap_t *heap;
	void *p;

	/* Checked heaps, as under AddressSanitizer, hold freed blocks back. */
	setenv("PRIVHEAP_CHECK", "off", 1);
	heap = privheap_create(NULL);
	p = privheap_alloc(heap, 48);
	EXPECT_NE(NULL, privheap_alloc(heap, 100000));
	privheap_free(heap, p);
	EXPECT_LE(4096, privheap_trim(heap));
	EXPECT_EQ(0, privheap_destroy(heap));
	errno = 0;
	EXPECT_EQ(0, privheap_trim(NULL));
	EXPECT_EQ(EINVAL, errno);
}

TEST_F(heap, lock_and_unlock)
{
	EXPECT_EQ(0, privheap_lock(self->heap));
	EXPECT_TRUE(HeapLock(self->heap));
	EXPECT_EQ(0, privheap_unlock(self->heap));
	EXPECT_TRUE(HeapUnlock(self->heap));
	errno = 0;
	EXPECT_EQ(-1, privheap_unlock(self->heap));
	EXPECT_EQ(EPERM, errno);
}

TEST_F(heap, both_apis_on_one_heap)
{
	void *p = HeapAlloc(self->heap, 0, 123);

	EXPECT_EQ(123, privheap_usable_size(self->heap, p));
	EXPECT_EQ(0, privheap_free(self->heap, p));
}

TEST(every_call_refuses_a_destroyed_heap)
{
	privheap_t *heap = privheap_create(NULL);
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	struct privheap_item item = PRIVHEAP_ITEM_INIT;
	void *p = privheap_alloc(heap, 10);

	ASSERT_EQ(0, privheap_destroy(heap));
#undef REFUSED
#define REFUSED(call, result) do {						\
	errno = 0;								\
	EXPECT_EQ(result, call);						\
	EXPECT_EQ(EINVAL, errno);						\
} while (0)
	REFUSED(privheap_destroy(heap), -1);
	REFUSED(privheap_destroy(NULL), -1);
	REFUSED(privheap_alloc(heap, 1), NULL);
	REFUSED(privheap_zalloc(heap, 1), NULL);
	REFUSED(privheap_aligned_alloc(heap, 64, 1), NULL);
	REFUSED(privheap_realloc(heap, p, 1), NULL);
	REFUSED(privheap_realloc(heap, NULL, 1), NULL);
	REFUSED(privheap_realloc_inplace(heap, p, 1), -1);
	REFUSED(privheap_free(heap, p), -1);
	REFUSED(privheap_usable_size(heap, p), SIZE_MAX);
	REFUSED(privheap_stats(heap, &stats), -1);
	REFUSED(privheap_walk(heap, &item), -1);
	REFUSED(privheap_trim(heap), 0);
	REFUSED(privheap_lock(heap), -1);
	REFUSED(privheap_unlock(heap), -1);
	REFUSED(privheap_set_oom_handler(heap, NULL, NULL), -1);
	EXPECT_FALSE(privheap_validate(heap, NULL));
}

TEST(quota_get_and_set)
{
	struct privheap_quota_info info = PRIVHEAP_QUOTA_INFO_INIT;
	privheap_t *heap = privheap_create(NULL);

	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 20 * MIB));
	ASSERT_EQ(0, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info));
	EXPECT_EQ(20 * MIB, info.limit);
	EXPECT_LE(4096, info.used);
	EXPECT_LE(info.used, info.peak);
	EXPECT_LE(1, info.heaps);
	EXPECT_EQ(0, info.denied);
	errno = 0;
	EXPECT_EQ(NULL, privheap_alloc(heap, 64 * MIB));
	EXPECT_EQ(EDQUOT, errno);
	ASSERT_EQ(0, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info));
	EXPECT_LE(1, info.denied);
	EXPECT_LE(info.used, 20 * MIB);
}

TEST(quota_arguments)
{
	struct privheap_quota_info info = PRIVHEAP_QUOTA_INFO_INIT;

	errno = 0;
	EXPECT_EQ(-1, privheap_quota_get(99, PRIVHEAP_QUOTA_SELF, &info));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(-1, privheap_quota_set(99, PRIVHEAP_QUOTA_SELF, 0));
	EXPECT_EQ(EINVAL, errno);
	info.size = 1;
	EXPECT_EQ(-1, privheap_quota_get(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info));
	EXPECT_EQ(EINVAL, errno);
}

TEST_HARNESS_MAIN
