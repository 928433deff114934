// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md, the first promise: resident <= committed <= every limit, whatever is advised, by
 * whomever pages are collapsed, and when a COMMIT fails. As root also with khugepaged at full
 * speed and with every value of shmem_enabled. ADVICE_SECONDS in the environment: how long the
 * random test runs, 20.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "memory.h"

#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 1200

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

static bool is_root(void)
{
	return !geteuid();
}

/* Bytes of the range that can be written; the rest draws SIGBUS. */
static uint64_t writable(uint64_t base, uint64_t bytes)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < bytes; i += PAGE)
		n += touch(base + i) ? 0 : PAGE;
	return n;
}

/* Under a limit of 1 MiB nobody gets more than that by having pages collapsed. */
TEST(K1_collapse_past_the_commit)
{
	enum { HEAPS = 50 };
	struct privheap_create heaps[HEAPS];
	int dev = device_open();
	uint64_t resident = 0;

	ASSERT_EQ(0, limit_self(dev, MIB));
	for (int i = 0; i < HEAPS; i++) {
		ASSERT_EQ(0, heap_create(dev, 0, 2 * MIB, 0, &heaps[i]));
		if (heap_commit(dev, heaps[i].heap, PAGE, 0))
			continue;
		ASSERT_EQ(0, touch(heaps[i].base));
		madvise(at(heaps[i].base), 2 * MIB, MADV_HUGEPAGE);
		madvise(at(heaps[i].base), 2 * MIB, MADV_COLLAPSE);
		EXPECT_TRUE(in_order(dev, heaps[i].heap, "collapse"));
		writable(heaps[i].base, 2 * MIB);
		EXPECT_TRUE(in_order(dev, heaps[i].heap, "writes"));
	}
	for (int i = 0; i < HEAPS; i++)
		resident += heap_stat(dev, heaps[i].heap).resident;
	EXPECT_LE(resident, MIB);
	EXPECT_LE(quota(dev, PRIVHEAP_QUOTA_PROCESS).used, MIB);
}

/* A COMMIT whose result cannot be written, while another thread uses what it has committed */

struct failing {
	int dev;
	struct privheap_create heap;
	struct privheap_commit *arg;	/* on a page of its own */
	uint64_t target;
	int err;
	atomic_bool done;
};

static void *commit_and_fail(void *data)
{
	struct failing *failing = data;

	failing->err = call(failing->dev, PRIVHEAP_COMMIT, failing->arg);
	failing->done = true;
	return NULL;
}

/* Begins the COMMIT in a thread of its own and waits until some of it can be seen. */
static pthread_t begin_to_fail(struct failing *failing)
{
	pthread_t thread = 0;

	mprotect(failing->arg, PAGE, PROT_READ | PROT_WRITE);
	*failing->arg = (struct privheap_commit) {
		.heap = failing->heap.heap, .committed = failing->target,
		.flags = PRIVHEAP_COMMIT_POPULATE,
	};
	failing->done = false;
	if (pthread_create(&thread, NULL, commit_and_fail, failing))
		return 0;
	while (!failing->done &&
	       heap_stat(failing->dev, failing->heap.heap).committed <= PAGE)
		sched_yield();
	return thread;
}

/* Its result cannot be written from now on, if it was not yet. */
static void let_it_fail(struct failing *failing, pthread_t thread)
{
	mprotect(failing->arg, PAGE, PROT_READ);
	pthread_join(thread, NULL);
}

static bool make_failing(struct failing *failing, uint64_t maximum)
{
	failing->dev = device_open();
	failing->target = maximum;
	failing->arg = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);
	return failing->dev >= 0 && failing->arg != MAP_FAILED;
}

/* What was written into bytes that were committed by a call that then failed is not lost. */
TEST(K8_a_failed_commit_loses_nothing)
{
	static const int advices[] = { MADV_DONTNEED, MADV_PAGEOUT };
	struct failing failing = { 0 };
	int failed = 0;

	ASSERT_TRUE(make_failing(&failing, 8 * MIB));
	for (int i = 0; i < 200 && failed < 40; i++) {
		volatile char *byte;
		pthread_t thread;

		ASSERT_EQ(0, heap_create(failing.dev, PAGE, 8 * MIB, 0, &failing.heap));
		byte = at(failing.heap.base + MIB);
		thread = begin_to_fail(&failing);
		ASSERT_NE(0, thread);
		*byte = 42;
		madvise(at(failing.heap.base), 8 * MIB, advices[i % 2]);
		let_it_fail(&failing, thread);
		failed += failing.err == EFAULT;
		EXPECT_EQ(42, *byte) TH_LOG("round %d, errno %d", i, failing.err);
		EXPECT_TRUE(in_order(failing.dev, failing.heap.heap, "a failed commit"));
		ASSERT_EQ(0, heap_destroy(failing.dev, failing.heap.heap));
	}
	EXPECT_LT(0, failed);
	printf("# %d failed\n", failed);
}

/* Is a byte there for who reads it from outside? */
static bool is_there(const volatile char *byte)
{
	char copy;
	struct iovec to = { &copy, 1 }, from = { (void *)byte, 1 };

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 1;
}

/* What was written is there, and said to be committed, while the call is taken back, too. */
TEST(K8_a_failed_commit_hides_nothing)
{
	struct failing failing = { 0 };
	int failed = 0, hidden = 0, untold = 0;

	ASSERT_TRUE(make_failing(&failing, 32 * MIB));
	for (int i = 0; i < 100 && failed < 20; i++) {
		volatile char *byte;
		pthread_t thread;

		ASSERT_EQ(0, heap_create(failing.dev, PAGE, 32 * MIB, 0, &failing.heap));
		madvise(at(failing.heap.base), 32 * MIB, MADV_NOHUGEPAGE);
		byte = at(failing.heap.base + 31 * MIB);
		thread = begin_to_fail(&failing);
		ASSERT_NE(0, thread);
		*byte = 42;
		mprotect(failing.arg, PAGE, PROT_READ);
		while (!failing.done) {
			madvise(at(failing.heap.base + 31 * MIB), PAGE, MADV_DONTNEED);
			hidden += !is_there(byte);
			untold += heap_stat(failing.dev, failing.heap.heap).committed <= 31 * MIB;
		}
		let_it_fail(&failing, thread);
		failed += failing.err == EFAULT;
		ASSERT_EQ(0, heap_destroy(failing.dev, failing.heap.heap));
	}
	EXPECT_LT(0, failed);
	EXPECT_EQ(0, hidden);
	EXPECT_EQ(0, untold);
}

/* A huge page that a pipe holds cannot be split: the commit does not end within it. */
TEST(K18_a_failed_commit_ends_at_no_huge_page)
{
	struct failing failing = { 0 };
	int failed = 0;

	ASSERT_TRUE(make_failing(&failing, 16 * MIB));
	for (int i = 0; i < 200 && failed < 40; i++) {
		struct iovec page;
		pthread_t thread;
		int ends[2];

		ASSERT_EQ(0, pipe(ends));
		ASSERT_EQ(0, heap_create(failing.dev, 0, 16 * MIB, 0, &failing.heap));
		ASSERT_EQ(0, heap_commit(failing.dev, failing.heap.heap, PAGE, 0));
		thread = begin_to_fail(&failing);
		ASSERT_NE(0, thread);
		page = (struct iovec) { at(failing.heap.base + 2 * PAGE), PAGE };
		if (i % 2)
			touch(failing.heap.base + 2 * PAGE);
		else
			peek(failing.heap.base + 2 * PAGE);
		vmsplice(ends[1], &page, 1, SPLICE_F_NONBLOCK);
		madvise(at(failing.heap.base), 2 * MIB, MADV_DONTNEED);
		let_it_fail(&failing, thread);
		failed += failing.err == EFAULT;
		EXPECT_TRUE(in_order(failing.dev, failing.heap.heap, "a failed commit"));
		close(ends[0]);
		close(ends[1]);
		EXPECT_EQ(0, touch(failing.heap.base));
		EXPECT_TRUE(in_order(failing.dev, failing.heap.heap, "a touch after it"));
		ASSERT_EQ(0, heap_destroy(failing.dev, failing.heap.heap));
	}
	EXPECT_LT(0, failed);
	printf("# %d failed\n", failed);
}

/* Everything at once */

enum { HEAPS = 24, THREADS = 2 };

#define MAXIMUM	(8 * MIB)

struct crowd {
	int dev;
	struct privheap_create heaps[HEAPS];
	uint64_t seed;
	time_t end;
	volatile bool wrong;
	unsigned long steps[THREADS];
};

struct member {
	struct crowd *crowd;
	int who;
};

static time_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

/* Advices that leave memory memory: not HWPOISON, not what makes a child's. */
static int random_advice(uint64_t *state)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED,
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLLAPSE, MADV_COLLAPSE, MADV_COLLAPSE,
		MADV_HUGEPAGE, 20 /* COLD */, MADV_PAGEOUT, 22 /* POPULATE_READ */,
		23 /* POPULATE_WRITE */, MADV_DONTDUMP, 8 /* FREE */,
	};

	return advices[next(state) % (sizeof(advices) / sizeof(advices[0]))];
}

static void random_step(struct crowd *crowd, uint64_t *state)
{
	struct privheap_create *heap = &crowd->heaps[next(state) % HEAPS];
	uint64_t from = next(state) % (MAXIMUM / PAGE) * PAGE;
	uint64_t bytes = next(state) % 4 ? 2 * MIB : MAXIMUM;

	/* Mostly whole huge pages near the start, where the commit is. */
	if (next(state) % 2)
		from = from / (2 * MIB) * (2 * MIB) / 2;
	if (bytes > MAXIMUM - from)
		bytes = MAXIMUM - from;
	switch (next(state) % 8) {
	case 0 ... 3:
		madvise(at(heap->base + from), bytes, random_advice(state));
		break;
	case 4 ... 5:
		touch(heap->base + from / 8);
		break;
	case 6:
		peek(heap->base + from / 8);
		break;
	default:
		heap_commit(crowd->dev, heap->heap, from / 4, next(state) % 2);
	}
	if (!in_order(crowd->dev, heap->heap, "a random step")) {
		/* Another thread's roll-back may be under way: what is wrong stays wrong. */
		usleep(200000);
		if (!in_order(crowd->dev, heap->heap, "a random step and a wait"))
			crowd->wrong = true;
	}
}

static void *random_steps(void *data)
{
	struct member *member = data;
	struct crowd *crowd = member->crowd;
	uint64_t state = crowd->seed + member->who * 0x9e3779b97f4a7c15 ?: 1;

	while (!crowd->wrong && now() < crowd->end) {
		random_step(crowd, &state);
		crowd->steps[member->who]++;
	}
	return NULL;
}

/* For some seconds; then every heap goes, for the next ones to start afresh. */
static void run_crowd(struct __test_metadata *_metadata, struct crowd *crowd, unsigned int seconds)
{
	struct member members[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < HEAPS; i++)
		ASSERT_EQ(0, heap_create(crowd->dev, i % 3 * 64 * KIB, MAXIMUM, 0,
					 &crowd->heaps[i]));
	crowd->end = now() + seconds;
	for (int i = 0; i < THREADS; i++) {
		members[i] = (struct member) { crowd, i };
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, random_steps, &members[i]));
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < HEAPS; i++) {
		EXPECT_TRUE(in_order(crowd->dev, crowd->heaps[i].heap, "all"));
		ASSERT_EQ(0, heap_destroy(crowd->dev, crowd->heaps[i].heap));
	}
	EXPECT_FALSE(crowd->wrong);
	EXPECT_LE(quota(crowd->dev, PRIVHEAP_QUOTA_PROCESS).peak, 32 * MIB);
}

TEST(K1_random_advice)
{
	static const char *const values[] = { "never", "always", "within_size", "advise", "force",
					      "deny" };
	enum { VALUES = sizeof(values) / sizeof(values[0]) };
	struct knob shmem = { .path = THP "/shmem_enabled", .value = "never" };
	unsigned int seconds = setting("ADVICE_SECONDS", 20), share = seconds / VALUES ?: 1;
	struct crowd crowd = {
		.dev = device_open(), .seed = setting("SEED", time(NULL) ^ getpid() << 16) ?: 1,
	};

	fprintf(stderr, "# SEED=%lu\n", (unsigned long)crowd.seed);
	ASSERT_EQ(0, limit_self(crowd.dev, 32 * MIB));
	if (!is_root()) {
		run_crowd(_metadata, &crowd, seconds);
	} else {
		ASSERT_TRUE(speed_up());
		ASSERT_TRUE(knob_turn(&shmem));
		for (int i = 0; i < VALUES; i++) {
			ASSERT_EQ(0, write_file(shmem.path, values[i]));
			run_crowd(_metadata, &crowd, share);
		}
		slow_down();
	}
	printf("# %lu and %lu steps\n", crowd.steps[0], crowd.steps[1]);
}

TEST_HARNESS_MAIN
