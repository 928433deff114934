// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * RLIMIT_DATA: it bounds what a process has committed in private heaps, and what it starts, which a
 * process's limit does not (K3, F13). Each case by its letter.
 */
#include <sys/resource.h>

#include "limited.h"

static int ulimit_data(uint64_t soft)
{
	struct rlimit limit = { soft, RLIM_INFINITY };

	getrlimit(RLIMIT_DATA, &limit);
	limit.rlim_cur = soft;
	return setrlimit(RLIMIT_DATA, &limit);
}

static int bounded(void *unused)
{
	struct privheap_create heap;
	struct privheap_quota q;
	int dev = device_open();

	if (heap_create(dev, 3 * MIB, 64 * MIB, 0, &heap) || ulimit_data(LIMIT))
		return FAILED;
	q = quota(dev, PROCESS);
	if (q.limit != LIMIT || q.flags != (PRIVHEAP_QUOTA_DEFAULT | PRIVHEAP_QUOTA_RLIMIT))
		return FAILED + 1;
	if (heap_commit(dev, heap.heap, LIMIT + PAGE, 0) != EDQUOT ||
	    heap_commit(dev, heap.heap, LIMIT, 0) || touch(heap.base + LIMIT) != SIGBUS)
		return NOT_HELD;
	if (quota(dev, PROCESS).denied != 2)
		return FAILED + 2;
	/* The lowest of all limits is told, and by whom. */
	if (limit_self(dev, 8 * MIB) || quota(dev, PROCESS).limit != LIMIT ||
	    limit_self(dev, MIB) || quota(dev, PROCESS).limit != MIB || quota(dev, PROCESS).flags)
		return FAILED + 3;
	return HELD;
}

TEST(K3_RLIMIT_DATA_bounds_what_is_committed)
{
	EXPECT_EQ(HELD, in_child(bounded, NULL));
}

static int not_one_page(void *unused)
{
	struct privheap_create heap;
	int dev = device_open();

	if (heap_create(dev, PAGE, MIB, 0, &heap) || ulimit_data(0))
		return FAILED;
	return heap_commit(dev, heap.heap, 2 * PAGE, 0) == EDQUOT &&
	       heap_create(dev, PAGE, PAGE, 0, &heap) == EDQUOT ? HELD : NOT_HELD;
}

TEST(K3_of_0_leaves_no_page)
{
	EXPECT_EQ(HELD, in_child(not_one_page, NULL));
}

/* prlimit from outside, down and up again. */
TEST_F(heap, K3_set_from_outside)
{
	struct rlimit limit;
	int go[2], done[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(done));
	pid = fork();
	if (!pid) {
		struct privheap_create heap;
		int dev = device_open();

		heap_create(dev, 0, 64 * MIB, 0, &heap);
		for (uint64_t mib = 8; read(go[0], &byte, 1) == 1; mib += 8) {
			byte = heap_commit(dev, heap.heap, mib * MIB, 0);
			(void)!write(done[1], &byte, 1);
		}
		_exit(0);
	}
	for (int i = 0; i < 4; i++) {
		ASSERT_EQ(0, prlimit(pid, RLIMIT_DATA, NULL, &limit));
		limit.rlim_cur = i % 2 ? 64 * MIB : LIMIT;
		ASSERT_EQ(0, prlimit(pid, RLIMIT_DATA, &limit, NULL));
		ASSERT_EQ(1, write(go[1], "x", 1));
		ASSERT_EQ(1, read(done[0], &byte, 1));
		EXPECT_EQ(i % 2 ? 0 : EDQUOT, byte);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static int two_sharers_two_limits(void *unused)
{
	struct privheap_create heap;
	int dev = device_open();

	if (ulimit_data(LIMIT) || in_sharer(create_for_others, NULL))
		return FAILED;
	return heap_create(dev, 2 * MIB, 2 * MIB, 0, &heap) == EDQUOT ? HELD : NOT_HELD;
}

TEST(K3_of_sharers_together)
{
	EXPECT_EQ(HELD, in_child(two_sharers_two_limits, NULL));
}

/* F13: what a process starts has its RLIMIT_DATA, however it starts it. */

static int twice_removed(void *unused)
{
	return in_child(open_and_try, NULL);
}

static int leave_session(void *unused)
{
	return setsid() < 0 ? FAILED + 6 : in_child(open_and_try, NULL);
}

static int exec_and_try(void *unused)
{
	execl("/proc/self/exe", "inherited", "try", NULL);
	return FAILED + 5;
}

static int daemon_and_try(void *answer)
{
	int result;

	if (daemon(0, 0))
		return FAILED + 7;
	result = open_and_try(NULL);
	return write((long)answer, &result, sizeof(result)) != sizeof(result);
}

static int descendant(void *f)
{
	int (*const *start)(void *) = f;

	return ulimit_data(LIMIT) ? FAILED : in_child(*start, NULL);
}

TEST(F13_RLIMIT_DATA_holds_descendants)
{
	static int (*const starts[])(void *) = {
		open_and_try, twice_removed, leave_session, exec_and_try,
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		EXPECT_EQ(HELD, in_child(descendant, (void *)&starts[i])) TH_LOG("start %zu", i);
	}
}

static int start_daemon(void *answer)
{
	return ulimit_data(LIMIT) ? FAILED : in_child(daemon_and_try, answer);
}

TEST(F13_RLIMIT_DATA_holds_a_daemon)
{
	int answer[2], result = -1;

	ASSERT_EQ(0, pipe(answer));
	EXPECT_EQ(0, in_child(start_daemon, (void *)(long)answer[1]));
	close(answer[1]);
	EXPECT_EQ(sizeof(result), read(answer[0], &result, sizeof(result)));
	EXPECT_EQ(HELD, result);
}

/* As documented: a process's limit ends there. */
static int limit_and_fork(void *unused)
{
	return limit_self(device_open(), LIMIT) ? FAILED : in_child(open_and_try, NULL);
}

TEST(F13_a_process_limit_does_not_reach_children)
{
	EXPECT_EQ(NOT_HELD, in_child(limit_and_fork, NULL));
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "try"))
		return open_and_try(NULL);
	return test_harness_run(argc, argv);
}
