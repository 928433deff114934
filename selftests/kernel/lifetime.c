// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What CREATE, COMMIT, STAT and DESTROY promise when nothing is hostile. */
#include <sys/resource.h>
#include <sys/syscall.h>

#include "device.h"

static size_t resident_pages(uint64_t base, size_t bytes)
{
	size_t pages = bytes / PAGE, n = 0;
	unsigned char *vec = calloc(pages, 1);

	if (!mincore((void *)base, bytes, vec))
		for (size_t i = 0; i < pages; i++)
			n += vec[i] & 1;
	free(vec);
	return n;
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* One byte of each page; no call whose code might itself have to be fetched. */
static void write_pages(uint64_t base, size_t bytes)
{
	for (size_t at = 0; at < bytes; at += PAGE)
		*(volatile char *)(base + at) = 1;
}

TEST_F(heap, create_reports_what_it_made)
{
	struct privheap_stat stat = heap_stat(self->dev, self->heap.heap);

	EXPECT_NE(0, self->heap.heap);
	EXPECT_EQ(0, self->heap.base % (64 * KIB));
	EXPECT_EQ(64 * KIB, self->heap.committed);
	EXPECT_EQ(self->heap.base, stat.base);
	EXPECT_EQ(16 * MIB, stat.maximum);
	EXPECT_EQ(64 * KIB, stat.initial);
	EXPECT_EQ(64 * KIB, stat.committed);
	EXPECT_STREQ("test", stat.name);
}

TEST_F(heap, initial_bytes_are_resident_and_mapped)
{
	long before;

	EXPECT_EQ(64 * KIB, heap_stat(self->dev, self->heap.heap).resident);
	EXPECT_EQ(16, resident_pages(self->heap.base, 64 * KIB));
	before = minor_faults();
	write_pages(self->heap.base, 64 * KIB);
	EXPECT_LE(minor_faults() - before, 1);
}

TEST_F(heap, fresh_bytes_are_zero)
{
	EXPECT_TRUE(is_filled(self->heap.base, 16 * MIB, 0));
}

TEST_F(heap, touch_commits_and_never_more_than_a_step)
{
	for (uint64_t at = 0; at < 16 * MIB; at += 100 * KIB) {
		uint64_t committed;

		ASSERT_EQ(0, touch(self->heap.base + at));
		committed = heap_stat(self->dev, self->heap.heap).committed;
		ASSERT_GT(committed, at);
		ASSERT_LE(committed, at + PAGE + 2 * MIB);
	}
}

TEST_F(heap, commit_is_exact_and_monotone)
{
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 3 * MIB + 1, 0));
	EXPECT_EQ(3 * MIB + PAGE, heap_stat(self->dev, self->heap.heap).committed);
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, PAGE, 0));
	EXPECT_EQ(3 * MIB + PAGE, heap_stat(self->dev, self->heap.heap).committed);
	EXPECT_EQ(64 * KIB, heap_stat(self->dev, self->heap.heap).resident);
}

TEST_F(heap, commit_populate_makes_resident_and_mapped)
{
	long before;

	ASSERT_EQ(0, heap_commit(self->dev, self->heap.heap, 5 * MIB, PRIVHEAP_COMMIT_POPULATE));
	EXPECT_LE(5 * MIB, heap_stat(self->dev, self->heap.heap).resident);
	before = minor_faults();
	write_pages(self->heap.base, 5 * MIB);
	EXPECT_LE(minor_faults() - before, 2);
	EXPECT_EQ(5 * MIB, heap_stat(self->dev, self->heap.heap).committed);
}

TEST_F(heap, large_heaps_get_huge_pages_and_small_ones_do_not)
{
	struct privheap_create small;
	long before = minor_faults();

	for (uint64_t at = 0; at < 16 * MIB; at += PAGE) {
		ASSERT_EQ(0, touch(self->heap.base + at));
	}
	EXPECT_LE(minor_faults() - before, 60);
	ASSERT_EQ(0, heap_create(self->dev, 0, 16 * MIB, 0, &small));
	ASSERT_EQ(0, touch(small.base));
	/* 6.1 and 6.12 bring one page; newer kernels may hold it in a larger piece. */
	EXPECT_GE(128 * KIB, heap_stat(self->dev, small.heap).resident);
	ASSERT_EQ(0, touch(small.base + PAGE));
	EXPECT_EQ(128 * KIB, heap_stat(self->dev, small.heap).resident);
}

/*
 * Small heaps side by side share page tables; a fault must fill the one it is in and no more. If
 * it does not the kernel says so ("Bad page cache", "Bad rss-counter"), and the judge of the run.
 */
TEST_F(heap, windows_stay_inside_a_page_table)
{
	struct privheap_create heaps[12];

	for (int i = 0; i < 12; i++) {
		ASSERT_EQ(0, heap_create(self->dev, 0, MIB + i % 3 * 64 * KIB, 0, &heaps[i]));
		write_pages(heaps[i].base, MIB);
	}
	for (int i = 0; i < 12; i++) {
		EXPECT_EQ(MIB, heap_stat(self->dev, heaps[i].heap).resident);
		ASSERT_EQ(0, heap_destroy(self->dev, heaps[i].heap));
	}
}

TEST_F(heap, data_survive_growth)
{
	for (uint64_t at = 0; at < 16 * MIB; at += 8)
		*(uint64_t *)(self->heap.base + at) = at ^ 0x5bd1e995;
	for (uint64_t at = 0; at < 16 * MIB; at += 8) {
		ASSERT_EQ(at ^ 0x5bd1e995, *(uint64_t *)(self->heap.base + at));
	}
}

TEST_F(heap, destroy_unmaps_and_uncharges)
{
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(SIGSEGV, touch(self->heap.base));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	EXPECT_EQ(ENOENT, heap_destroy(self->dev, self->heap.heap));
}

TEST_F(heap, heaps_outlive_the_descriptor)
{
	int other = device_open();

	close(self->dev);
	EXPECT_EQ(0, touch(self->heap.base + MIB));
	EXPECT_LT(MIB, quota(other, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, munmap((void *)self->heap.base, 16 * MIB));
	EXPECT_TRUE(used_becomes(other, PRIVHEAP_QUOTA_PROCESS, 0));
	self->dev = other;
}

TEST_F(heap, numbers_are_never_given_again)
{
	uint64_t last = self->heap.heap;

	for (int i = 0; i < 100; i++) {
		ASSERT_EQ(0, heap_destroy(self->dev, last));
		ASSERT_EQ(0, heap_create(self->dev, 0, MIB, 0, &self->heap));
		ASSERT_GT(self->heap.heap, last);
		last = self->heap.heap;
	}
}

TEST_F(heap, names_appear_in_maps)
{
	struct privheap_create arg = { .maximum = MIB, .name = "index of words" };

	EXPECT_NE(NULL, strstr(maps_line(self->heap.base), "/privheap:test (deleted)"));
	ASSERT_EQ(0, call(self->dev, PRIVHEAP_CREATE, &arg));
	EXPECT_NE(NULL, strstr(maps_line(arg.base), "/privheap:index of words"));
}

TEST_F(heap, fdinfo_tells_all)
{
	char path[64], text[4096], line[256];
	FILE *file;
	size_t n;

	ASSERT_EQ(0, touch(self->heap.base + MIB));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->dev);
	file = fopen(path, "r");
	ASSERT_NE(NULL, file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	snprintf(line, sizeof(line), "privheap-committed:\t%llu\n",
		 (unsigned long long)quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_NE(NULL, strstr(text, line)) TH_LOG("%s", text);
	EXPECT_NE(NULL, strstr(text, "privheap-limit:\t0\n"));
	EXPECT_NE(NULL, strstr(text, "privheap-denied:\t0\n"));
	EXPECT_NE(NULL, strstr(text, "privheap-heaps:\t1\n"));
	snprintf(line, sizeof(line), "privheap-heap:\t%llu base 0x%llx maximum 16777216 committed ",
		 (unsigned long long)self->heap.heap, (unsigned long long)self->heap.base);
	EXPECT_NE(NULL, strstr(text, line));
}

/* A million pages are reserved, none is paid for. */
TEST_F(heap, reserving_a_terabyte_costs_nothing)
{
	struct privheap_create big;

	ASSERT_EQ(0, heap_create(self->dev, 0, 1024 * GIB, 0, &big));
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(0, touch(big.base));
	EXPECT_EQ(0, heap_destroy(self->dev, big.heap));
}

/* Ten thousand, or as many as the administrator allows. */
TEST_F(heap, ten_thousand_heaps)
{
	static uint64_t ids[10000];
	uint64_t allowed = quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps_limit - 1;
	int heaps = allowed < 10000 ? allowed : 10000;
	struct privheap_create heap;

	ASSERT_LT(0, heaps);
	for (int i = 0; i < heaps; i++) {
		ASSERT_EQ(0, heap_create(self->dev, 0, 64 * KIB, 0, &heap));
		ids[i] = heap.heap;
	}
	EXPECT_EQ(heaps + 1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	for (int i = 0; i < heaps; i++) {
		ASSERT_EQ(0, heap_destroy(self->dev, ids[i]));
	}
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

TEST_HARNESS_MAIN
