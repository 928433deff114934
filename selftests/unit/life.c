// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Handles, forks, many heaps, quotas, and how much is committed. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "unit.h"

#define MANY	10000
#define PROCESS	0
#define SELF	UINT32_MAX

static struct backend_quota quota(void)
{
	struct backend_quota quota = { 0 };

	backend_anon.quota_get(PROCESS, SELF, &quota);
	return quota;
}

TEST(handle_is_aligned_and_known)
{
	struct heap *heap = unit_heap(0, KIB(64), 0);
	char *handle;

	ASSERT_NE(NULL, heap);
	handle = heap_handle(heap);
	EXPECT_EQ(0, (uintptr_t)handle % KIB(64));
	EXPECT_EQ(heap, heap_lookup(handle));
	EXPECT_EQ(heap, heap_containing(handle + KIB(64) - 1));
	EXPECT_EQ(NULL, heap_containing(handle + KIB(64)));
	EXPECT_EQ(NULL, heap_lookup(handle + 1));
	EXPECT_EQ(NULL, heap_lookup(NULL));
	EXPECT_EQ(NULL, heap_lookup((void *)1));
	EXPECT_EQ(0, heap_destroy(heap));
	EXPECT_EQ(NULL, heap_lookup(handle));
	EXPECT_EQ(NULL, heap_containing(handle));
	EXPECT_EQ(-EINVAL, heap_destroy(heap));
}

TEST(sizes_are_rounded_or_refused)
{
	struct heap_attr bad = { .initial = 2, .maximum = 1, .backend = &backend_anon };
	struct heap_attr huge = { .maximum = SIZE_MAX, .backend = &backend_anon };
	struct heap *heap = unit_heap(1, 4097, 0);

	ASSERT_NE(NULL, heap);
	EXPECT_EQ(8192, unit_stats(heap).maximum);
	EXPECT_EQ(4096, unit_stats(heap).committed);
	EXPECT_EQ(-EINVAL, heap_create(&bad, &heap));
	EXPECT_EQ(-ENOMEM, heap_create(&huge, &heap));
}

TEST(growable_heap_outgrows_any_step)
{
	struct heap *heap = unit_heap(0, 0, 0);

	ASSERT_NE(NULL, heap);
	EXPECT_GE(unit_stats(heap).maximum, MIB(1024));
	for (int i = 0; i < 128; i++) {
		ASSERT_NE(NULL, unit_alloc(heap, KIB(256)));
	}
	EXPECT_TRUE(unit_sound(heap));
}

static void *make_process_heap(void *out)
{
	heap_process(out);
	return NULL;
}

TEST(one_process_heap_for_all_threads)
{
	struct heap *heaps[8] = { NULL };
	void *list[4];
	pthread_t threads[8];

	setenv("PRIVHEAP_BACKEND", "anon", 1);
	ASSERT_NE(NULL, unit_heap(0, KIB(64), 0));
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, make_process_heap, &heaps[i]));
	}
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		EXPECT_NE(NULL, heaps[i]);
		EXPECT_EQ(heaps[0], heaps[i]);
	}
	EXPECT_EQ(2, heap_list(list, 4));
	EXPECT_EQ(heap_handle(heaps[0]), list[0]);
	EXPECT_EQ(-EINVAL, heap_destroy(heaps[0]));
}

TEST(list_is_in_order_of_creation)
{
	struct heap *heaps[5];
	void *list[5];

	for (int i = 0; i < 5; i++) {
		heaps[i] = unit_heap(0, KIB(64), 0);
	}
	heap_destroy(heaps[1]);
	EXPECT_EQ(4, heap_list(list, 2));
	EXPECT_EQ(heap_handle(heaps[0]), list[0]);
	EXPECT_EQ(heap_handle(heaps[2]), list[1]);
	EXPECT_EQ(4, heap_list(NULL, 0));
}

/* In the child: nothing inherited, everything usable. */
static int child_of(void *handle)
{
	struct heap *heap;

	if (heap_lookup(handle) || heap_containing(handle) || heap_list(NULL, 0))
		return 1;
	if (msync(handle, UNIT_PAGE, MS_ASYNC) == 0)
		return 2;
	heap = unit_heap(0, KIB(64), 0);
	if (!heap || !unit_alloc(heap, 100) || heap_lookup(heap_handle(heap)) != heap)
		return 3;
	return unit_sound(heap) && quota().heaps == 2 && heap_destroy(heap) == 0 ? 0 : 4;
}

static int exit_status(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
}

static struct heap *in_use(void)
{
	struct heap *heap = unit_heap(0, MIB(1), 0);

	return heap && unit_alloc(heap, 1000) ? heap : NULL;
}

TEST(forked_child_has_no_heaps)
{
	struct heap *heap = in_use();
	void *handle;
	pid_t pid;

	ASSERT_NE(NULL, heap);
	handle = heap_handle(heap);
	pid = fork();
	if (pid == 0)
		_exit(child_of(handle));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_NE(NULL, unit_alloc(heap, 1000));
	EXPECT_TRUE(unit_sound(heap));
}

/* No atfork handler runs here. */
TEST(raw_fork_child_has_no_heaps)
{
	struct heap *heap = in_use();
	void *handle;
	pid_t pid;

	ASSERT_NE(NULL, heap);
	handle = heap_handle(heap);
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		syscall(SYS_exit_group, child_of(handle));
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_TRUE(unit_sound(heap));
}

TEST(vfork_child_shares_the_heap)
{
#if defined(__SANITIZE_THREAD__)
	SKIP(return, "this sanitizer makes vfork a fork");
#endif
	struct heap *volatile heap = in_use();
	pid_t pid;

	ASSERT_NE(NULL, heap);
	pid = vfork();
	if (pid == 0)
		_exit(heap_lookup(heap_handle(heap)) == heap && unit_alloc(heap, 5) ? 0 : 1);
	EXPECT_EQ(0, exit_status(pid));
	EXPECT_EQ(2, unit_stats(heap).blocks);
}

TEST(ten_thousand_heaps)
{
	static struct heap *heaps[MANY];
	uint64_t before = quota().used;

	for (int i = 0; i < MANY; i++) {
		heaps[i] = unit_heap(0, i % 2 ? KIB(64) : MIB(8), 0);
		ASSERT_NE(NULL, heaps[i]) TH_LOG("heap %d", i);
		ASSERT_NE(NULL, unit_alloc(heaps[i], 100));
	}
	TH_LOG("%llu KiB committed", (unsigned long long)(quota().used - before) >> 10);
	EXPECT_LE(quota().used - before, MIB(100));
	for (int i = 0; i < MANY; i++) {
		ASSERT_EQ(heaps[i], heap_lookup(heap_handle(heaps[i])));
	}
	for (int i = MANY - 1; i >= 0; i--) {
		ASSERT_EQ(0, heap_destroy(heaps[i]));
	}
	EXPECT_EQ(0, heap_list(NULL, 0));
}

/* Handles come and go for ever: neither tables nor metadata may grow with their number. */
TEST(create_destroy_for_ever)
{
	uint64_t after_some = 0;

	for (int i = 0; i < 20000; i++) {
		struct heap *heap = unit_heap(0, KIB(64) << i % 5, 0);

		ASSERT_NE(NULL, heap);
		ASSERT_EQ(heap, heap_lookup(heap_handle(heap)));
		ASSERT_NE(NULL, unit_alloc(heap, 100 + i % 1000));
		ASSERT_EQ(0, heap_destroy(heap));
		if (i == 100)
			after_some = quota().used;
	}
	EXPECT_EQ(after_some, quota().used);
}

TEST(small_heap_costs_one_page_of_metadata)
{
	static const size_t maxima[] = { KIB(64), MIB(16), 0 };
	struct heap *first = unit_heap(0, KIB(64), 0), *heap = NULL;
	cpu_set_t here;

	ASSERT_NE(NULL, first);
	/* A thread that changes CPU in the middle of its first block makes a slab on either. */
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	ASSERT_EQ(0, sched_setaffinity(0, sizeof(here), &here));
	for (int i = 0; i < 3; i++) {
		uint64_t before = quota().used, heaps = 1024;

		/* Many, because the metadata region is committed in steps. */
		for (uint64_t k = 0; k < heaps; k++) {
			heap = unit_heap(0, maxima[i], 0);
			ASSERT_NE(NULL, heap);
			ASSERT_NE(NULL, unit_alloc(heap, 100));
			ASSERT_EQ(UNIT_PAGE, unit_stats(heap).committed);
		}
		EXPECT_LE((quota().used - before) / heaps, KIB(9))
			TH_LOG("%llu bytes", (unsigned long long)(quota().used - before) / heaps);
	}
}

TEST(quota_refuses_and_recovers)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	uint64_t denied = quota().denied;
	int error = 0;

	ASSERT_NE(NULL, heap);
	ASSERT_NE(NULL, unit_alloc(heap, 100));
	ASSERT_EQ(0, backend_anon.quota_set(PROCESS, SELF, quota().used + MIB(2)));
	EXPECT_EQ(NULL, heap_alloc(heap, MIB(4), 16, 0, &error));
	EXPECT_EQ(EDQUOT, error);
	EXPECT_GT(quota().denied, denied);
	/* What does fit is given, to the last page but the metadata's. */
	EXPECT_NE(NULL, unit_alloc(heap, MIB(2) - KIB(64)));
	while (unit_alloc(heap, 100))
		;
	EXPECT_LE(quota().used, quota().limit);
	EXPECT_GE(quota().used + KIB(64), quota().limit);
	EXPECT_TRUE(unit_sound(heap));
	EXPECT_EQ(0, backend_anon.quota_set(PROCESS, SELF, 0));
	EXPECT_NE(NULL, unit_alloc(heap, MIB(4)));
}

TEST(quota_refuses_create)
{
	struct heap_attr attr = {
		.initial = MIB(1), .maximum = MIB(1), .backend = &backend_anon,
	};
	struct heap *heap = unit_heap(0, KIB(64), 0);
	struct backend_quota before = quota();

	ASSERT_NE(NULL, heap);
	ASSERT_EQ(0, backend_anon.quota_set(PROCESS, SELF, before.used + MIB(1) - 1));
	EXPECT_EQ(-EDQUOT, heap_create(&attr, &heap));
	EXPECT_EQ(before.heaps, quota().heaps);
	EXPECT_EQ(-EOPNOTSUPP, backend_anon.quota_set(1, SELF, 0));
	EXPECT_EQ(-EOPNOTSUPP, backend_anon.quota_get(2, 0, &before));
}

/* The kernel refuses what the ledger had granted. */
TEST(refused_commit_is_not_charged)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	struct rlimit old, none = { .rlim_cur = UNIT_PAGE };
	uint64_t before;
	int error = 0;
	void *p;

	ASSERT_NE(NULL, heap);
	ASSERT_NE(NULL, unit_alloc(heap, MIB(2)));
	before = quota().used;
	ASSERT_EQ(0, getrlimit(RLIMIT_DATA, &old));
	none.rlim_max = old.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_DATA, &none));
	p = heap_alloc(heap, MIB(4), 16, 0, &error);
	setrlimit(RLIMIT_DATA, &old);
	EXPECT_EQ(NULL, p);
	EXPECT_EQ(ENOMEM, error);
	EXPECT_EQ(before, quota().used);
	EXPECT_NE(NULL, unit_alloc(heap, MIB(4)));
	EXPECT_TRUE(unit_sound(heap));
}

TEST(destroy_gives_the_charge_back)
{
	struct heap *heap = unit_heap(MIB(1), MIB(8), 0);
	uint64_t before;

	ASSERT_NE(NULL, heap);
	before = quota().used;
	for (int i = 0; i < 10; i++) {
		heap = unit_heap(MIB(1), MIB(8), 0);
		while (unit_alloc(heap, 5000))
			;
		ASSERT_EQ(0, heap_destroy(heap));
	}
	/* Metadata stays with the metadata region, for the next heap. */
	EXPECT_LE(quota().used, before + KIB(512));
}

static size_t step_of(size_t committed)
{
	size_t step = committed / 4;

	return step < KIB(64) ? KIB(64) : step > MIB(2) ? MIB(2) : step;
}

static bool commits_no_more_than_a_step_beyond(size_t n, size_t total, size_t slab)
{
	/* Exclusive: else each CPU this may run on has a slab of its own. */
	struct heap *heap = unit_heap(0, MIB(256), HEAP_F_NO_SERIALIZE);
	size_t round = n < KIB(32) ? n : (n + UNIT_PAGE - 1) / UNIT_PAGE * UNIT_PAGE;

	for (size_t need = round; heap && need < total; need += round) {
		size_t committed;

		if (!unit_alloc(heap, n))
			return false;
		committed = unit_stats(heap).committed;
		if (committed < need || committed > need + slab + step_of(committed))
			return false;
	}
	return heap && heap_destroy(heap) == 0;
}

FIXTURE(commit) {
};

FIXTURE_SETUP(commit)
{
}

FIXTURE_TEARDOWN(commit)
{
}

TEST_F_TIMEOUT(commit, never_more_than_a_step_beyond_need, 240)
{
	EXPECT_TRUE(commits_no_more_than_a_step_beyond(64, MIB(2), KIB(64)));
	EXPECT_TRUE(commits_no_more_than_a_step_beyond(1024, MIB(8), KIB(64)));
	EXPECT_TRUE(commits_no_more_than_a_step_beyond(40000, MIB(64), 0));
	EXPECT_TRUE(commits_no_more_than_a_step_beyond(300001, MIB(200), 0));
	EXPECT_TRUE(commits_no_more_than_a_step_beyond(5000000, MIB(250), 0));
}

TEST(commit_never_falls)
{
	struct heap *heap = unit_heap(0, MIB(64), 0);
	size_t high;
	void *p;

	ASSERT_NE(NULL, heap);
	p = unit_alloc(heap, MIB(20));
	high = unit_stats(heap).committed;
	ASSERT_EQ(HEAP_OK, heap_free(heap, p));
	EXPECT_EQ(high, unit_stats(heap).committed);
	/* And is used again. */
	ASSERT_NE(NULL, unit_alloc(heap, MIB(20)));
	EXPECT_EQ(high, unit_stats(heap).committed);
}

TEST_SIGNAL(touch_beyond_the_commit_faults, SIGSEGV)
{
	struct heap *heap = unit_heap(0, MIB(1), 0);

	ASSERT_NE(NULL, heap);
	/* A sanitizer would make it an exit. */
	signal(SIGSEGV, SIG_DFL);
	((volatile char *)heap_handle(heap))[MIB(1) - 1] = 1;
}

/* A mapping that runs over its end must not get into metadata. */
TEST(side_region_starts_with_a_guard)
{
	struct heap *heap = unit_heap(0, KIB(64), 0);
	uintptr_t record = (uintptr_t)heap, start, end;
	char line[256], mode[8];
	bool guarded = false;
	FILE *maps = fopen("/proc/self/maps", "r");

	ASSERT_NE(NULL, heap);
	ASSERT_NE(NULL, maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &start, &end, mode) == 3 && end <= record &&
		    record - end < KIB(32))
			guarded = mode[0] == '-' && mode[1] == '-';
	}
	fclose(maps);
	EXPECT_TRUE(guarded);
}

TEST_HARNESS_MAIN
