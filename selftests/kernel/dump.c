// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md F3: a core dump visits of a heap what is committed, whatever is reserved. Here to a
 * file, which core_pattern must say; ROUNDS (a fiftieth of it) in the environment.
 */
#include <pthread.h>
#include <sched.h>

#include "dump.h"

TEST_F(dump, K14_F3_what_is_committed)
{
	struct death death = { .prepare = make_heaps, .dir = self->dir, .notes = self->notes };
	int status = end_of(&death);

	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("status %#x", status);
	EXPECT_STREQ("", compare(self->core, self->notes));
}

TEST_F(dump, K14_F3_what_is_kept_out_stays_out)
{
	struct death death = { .prepare = make_heaps_kept_out, .dir = self->dir,
			       .notes = self->notes };
	int status = end_of(&death);

	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("status %#x", status);
	EXPECT_STREQ("", compare(self->core, self->notes));
}

/* The process before was one that made heaps, too, and had given its child what it is. */
TEST_F(dump, K14_F3_child_of_a_process_with_heaps)
{
	struct death death = { .prepare = make_heaps, .dir = self->dir, .notes = self->notes };
	struct privheap_create heap;
	int status;

	ASSERT_EQ(0, heap_create(device_open(), MIB, 16 * GIB, 0, &heap));
	status = end_of(&death);
	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("status %#x", status);
	EXPECT_STREQ("", compare(self->core, self->notes));
}

static int filter_out(int dev, struct notes *notes)
{
	int err = make_heaps(dev, notes);

	notes->pieces = 0;
	return err ?: write_file("/proc/self/coredump_filter", "0x31");
}

TEST_F(dump, K14_F3_coredump_filter_without_shared_memory)
{
	struct death death = { .prepare = filter_out, .dir = self->dir, .notes = self->notes };
	int status = end_of(&death);

	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("status %#x", status);
	EXPECT_STREQ("", compare(self->core, self->notes));
}

/* Less than a page is no dump, with heaps as without. */
TEST_F(dump, K14_limit_of_less_than_a_page)
{
	struct death death = { .prepare = make_heaps, .dir = self->dir, .limit = PAGE / 2,
			       .notes = self->notes };
	int status = end_of(&death);

	EXPECT_TRUE(WIFSIGNALED(status) && !WCOREDUMP(status)) TH_LOG("status %#x", status);
	EXPECT_EQ(-1, access(self->core, F_OK));
}

/* A child that got the mapping sees nothing of it, nor does its dump; its parent lives on. */
static int give_mapping_to_child(int dev, struct notes *notes)
{
	struct privheap_create heap;
	pid_t pid;
	int status;

	if (make(dev, notes, 4 * MIB, 16 * GIB, 0, &heap))
		return 1;
	fill_pages(heap.base, 4 * MIB);
	if (madvise(at(heap.base), 16 * GIB, MADV_DOFORK))
		return 2;
	pid = fork();
	if (!pid)
		abort();
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || !WCOREDUMP(status))
		return 3;
	_exit(0);
}

TEST_F(dump, K14_child_after_MADV_DOFORK)
{
	struct death death = { .prepare = give_mapping_to_child, .dir = self->dir,
			       .notes = self->notes };

	ASSERT_EQ(0, end_of(&death));
	EXPECT_STREQ("", compare(self->core, self->notes));
}

/* All that a process may have, by its quota or by its mappings, each of which holds a page. */
static int make_many(int dev, struct notes *notes)
{
	struct privheap_create heap;
	int err;

	while (!(err = heap_create(dev, PAGE, GIB, 0, &heap))) {
		fill_page(heap.base);
		notes->filled++;
	}
	return err == EDQUOT || err == ENOMEM ? 0 : err;
}

TEST_F(dump, K14_F3_as_many_heaps_as_may_be)
{
	struct death death = { .prepare = make_many, .dir = self->dir, .notes = self->notes };
	uint64_t pages = 0;
	struct core core;
	int status = end_of(&death);

	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("status %#x", status);
	ASSERT_TRUE(core_open(&core, self->core));
	TH_LOG("%llu heaps", (unsigned long long)self->notes->filled);
	for (unsigned int i = 0; i < core.loads; i++)
		if (core.load[i].p_memsz == GIB && core.load[i].p_filesz == PAGE)
			pages += core_word(&core, core.load[i].p_vaddr) == core.load[i].p_vaddr;
	EXPECT_LE(1000, pages);
	EXPECT_EQ(self->notes->filled, pages);
	EXPECT_GT(pages * PAGE + BESIDE, core.size);
	core_close(&core);
}

/* While a thread fills a heap another one ends the process. */
static void *fill_for_ever(void *arg)
{
	struct notes *notes = arg;
	uint64_t base = notes->reserved[0].from;

	while (notes->filled < 256 * MIB) {
		fill_page(base + notes->filled);
		notes->filled += PAGE;
	}
	return NULL;
}

static int fill_beside(int dev, struct notes *notes)
{
	struct privheap_create heap;
	pthread_t thread;

	if (make(dev, notes, 0, 16 * GIB, 0, &heap) ||
	    pthread_create(&thread, NULL, fill_for_ever, notes))
		return 1;
	while (notes->filled < MIB)
		sched_yield();
	return 0;
}

TEST_F(dump, K14_F3_growing_meanwhile)
{
	struct death death = { .prepare = fill_beside, .dir = self->dir, .notes = self->notes };
	struct piece filled = { 0 };
	struct core core;
	uint64_t bytes;
	int status = end_of(&death);

	ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("status %#x", status);
	ASSERT_TRUE(core_open(&core, self->core));
	filled = (struct piece) { self->notes->reserved[0].from, self->notes->filled,
				  self->notes->filled };
	bytes = core_bytes(&core, filled.from, 16 * GIB);
	EXPECT_EQ(filled.bytes, core_bytes(&core, filled.from, filled.bytes));
	for (uint64_t page = 0; page < filled.bytes; page += PAGE)
		ASSERT_EQ(filled.from + page, core_word(&core, filled.from + page));
	/* A page that was not counted any more, and the commit's step. */
	EXPECT_LE(bytes, filled.bytes + PAGE + 2 * MIB);
	core_close(&core);
}

/* Another process in the same memory, which a dump does not stop. */
static int make_and_end(void *arg)
{
	struct notes *notes = arg;
	int dev = device_open();
	struct privheap_create heap;

	for (;; notes->filled++) {
		if (heap_create(dev, PAGE * (notes->filled % 16), 16 * GIB, 0, &heap))
			return 1;
		if (notes->filled % 3)
			fill_page(heap.base + PAGE * (notes->filled % 512));
		if (notes->filled % 2)
			heap_destroy(dev, heap.heap);
		else
			munmap(at(heap.base), 16 * GIB);
	}
	return 0;
}

static int share_memory(int dev, struct notes *notes)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));
	struct privheap_create heap;

	if (make(dev, notes, MIB, 16 * GIB, 0, &heap))
		return 1;
	fill_pages(heap.base, MIB);
	note(notes, heap.base, MIB, MIB);
	notes->other = clone(make_and_end, stack + sizeof(stack), CLONE_VM | SIGCHLD, notes);
	if (notes->other < 0)
		return 2;
	while (notes->filled < 8)
		sched_yield();
	return 0;
}

TEST_F_TIMEOUT(dump, K14_against_a_process_in_the_same_memory, 900)
{
	struct death death = { .prepare = share_memory, .dir = self->dir, .notes = self->notes };
	unsigned long rounds = (setting("ROUNDS", 2500) + 49) / 50;

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	for (unsigned long i = 0; i < rounds; i++) {
		int status;

		memset(self->notes, 0, sizeof(*self->notes));
		status = end_of(&death);
		ASSERT_TRUE(WIFSIGNALED(status) && WCOREDUMP(status)) TH_LOG("%#x", status);
		ASSERT_LT(0, self->notes->other);
		EXPECT_EQ(0, kill(self->notes->other, SIGKILL));
		EXPECT_EQ(self->notes->other, waitpid(self->notes->other, &status, 0));
		EXPECT_EQ(SIGKILL, WTERMSIG(status));
		ASSERT_STREQ("", compare(self->core, self->notes));
	}
}

TEST_HARNESS_MAIN
