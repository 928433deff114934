// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What a process's limit holds: the address space, whoever shares it (K2); and what holds all that a
 * process starts: RLIMIT_DATA (K3, F13). Each case by its letter.
 */
#include <sched.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "device.h"

#define PROCESS	PRIVHEAP_QUOTA_PROCESS
#define LIMIT	(4 * MIB)
#define STACK	(64 * KIB)

/* The file's own name for what a child, or an image after exec, says with its exit status. */
enum { HELD, NOT_HELD, FAILED = 10 };

/* Can the caller have 64 MiB through a descriptor of its own, and not what fits? */
static int open_and_try(void *unused)
{
	struct privheap_create heap;
	int dev = device_open();
	int err;

	if (dev < 0)
		return FAILED;
	err = heap_create(dev, 64 * MIB, 64 * MIB, 0, &heap);
	if (!err)
		return NOT_HELD;
	if (err != EDQUOT || quota(dev, PROCESS).limit != LIMIT)
		return FAILED + 1;
	if (heap_create(dev, MIB, MIB, 0, &heap) || heap_destroy(dev, heap.heap))
		return FAILED + 2;
	close(dev);
	return HELD;
}

/* Starts f in a process of its own that shares our address space. */
static pid_t start_sharer(int (*f)(void *), void *arg)
{
	char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return stack == MAP_FAILED ? -1 : clone(f, stack + STACK, CLONE_VM | SIGCHLD, arg);
}

static int status_of(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int in_sharer(int (*f)(void *), void *arg)
{
	return status_of(start_sharer(f, arg));
}

/* In children of the tests, as the limits end with the process. */

static int limit_and_share(void *closed)
{
	int dev = device_open();

	if (limit_self(dev, LIMIT))
		return FAILED + 3;
	if (closed)
		close(dev);
	return in_sharer(open_and_try, NULL);
}

TEST(K2_a_sharer_has_no_limit_of_its_own)
{
	EXPECT_EQ(HELD, in_child(limit_and_share, NULL));
}

TEST(K2_neither_when_the_first_has_closed)
{
	EXPECT_EQ(HELD, in_child(limit_and_share, "closed"));
}

static uint64_t shared_base;

static int create_for_others(void *unused)
{
	struct privheap_create heap;

	if (heap_create(device_open(), 3 * MIB, 8 * MIB, 0, &heap))
		return FAILED;
	shared_base = heap.base;
	return 0;
}

/* What a sharer makes is on our account, as we use it, and ours to fill up. */
static int use_what_a_sharer_made(void *unused)
{
	int dev = device_open();
	struct privheap_create heap;

	if (limit_self(dev, LIMIT) || in_sharer(create_for_others, NULL))
		return FAILED;
	if (quota(dev, PROCESS).used != 3 * MIB || quota(dev, PROCESS).heaps != 1)
		return NOT_HELD;
	if (touch(shared_base + 3 * MIB) || touch(shared_base + 5 * MIB) != SIGBUS)
		return NOT_HELD;
	return heap_create(dev, 2 * MIB, 2 * MIB, 0, &heap) == EDQUOT ? HELD : NOT_HELD;
}

TEST(K2_what_a_sharer_makes_is_on_the_account)
{
	EXPECT_EQ(HELD, in_child(use_what_a_sharer_made, NULL));
}

/* The leader of the sharer ends, its second thread opens. */
static int open_in_the_second_thread(void *unused)
{
	static char stack[STACK] __attribute__((aligned(16)));

	if (clone(open_and_try, stack + STACK, CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, NULL) < 0)
		_exit(FAILED + 4);
	syscall(SYS_exit, 0);	/* of this thread alone */
	return FAILED;
}

static int limit_and_share_with_threads(void *unused)
{
	if (limit_self(device_open(), LIMIT))
		return FAILED + 3;
	return in_sharer(open_in_the_second_thread, NULL);
}

TEST(K2_a_dead_leader_does_not_hide_a_sharer)
{
	EXPECT_EQ(HELD, in_child(limit_and_share_with_threads, NULL));
}

/* The limit was set before exec; the new image shares before it has opened. */
static int limit_and_exec(void *unused)
{
	if (limit_self(device_open(), LIMIT))
		return FAILED + 3;
	execl("/proc/self/exe", "limits", "share", NULL);
	return FAILED + 5;
}

TEST(K2_shared_after_exec)
{
	EXPECT_EQ(HELD, in_child(limit_and_exec, NULL));
}

struct orphan {
	pid_t parent;
	int answer;
	bool with_heap;
};

static int open_when_the_first_is_dead(void *arg)
{
	struct orphan *orphan = arg;
	int result;

	while (getppid() == orphan->parent)
		usleep(1000);
	result = open_and_try(NULL);
	_exit(write(orphan->answer, &result, sizeof(result)) != sizeof(result));
}

static int limit_share_and_die(void *arg)
{
	static struct orphan orphan;
	struct privheap_create heap;
	int dev = device_open();

	orphan = *(struct orphan *)arg;
	orphan.parent = getpid();
	if (limit_self(dev, LIMIT) || (orphan.with_heap && heap_create(dev, PAGE, MIB, 0, &heap)))
		return FAILED + 3;
	close(dev);
	return start_sharer(open_when_the_first_is_dead, &orphan) < 0;
}

/* The one who opened first, and whose account it is, is gone; the space is not. */
TEST(K2_the_first_dies)
{
	for (int with_heap = 0; with_heap < 2; with_heap++) {
		struct orphan orphan = { .with_heap = with_heap };
		int answer[2], result = -1;

		ASSERT_EQ(0, pipe(answer));
		orphan.answer = answer[1];
		ASSERT_EQ(0, in_child(limit_share_and_die, &orphan));
		close(answer[1]);
		EXPECT_EQ(sizeof(result), read(answer[0], &result, sizeof(result)));
		EXPECT_EQ(HELD, result) TH_LOG("with a heap: %d", with_heap);
		close(answer[0]);
	}
}

/* Set from outside, before anybody has opened, for the parent or for the sharer. */
struct named {
	atomic_int stage;
	pid_t sharer;
	int parent_result, sharer_result;
};

static int sharer_of_named(void *arg)
{
	struct named *named = arg;

	named->sharer = getpid();
	atomic_store(&named->stage, 1);
	while (atomic_load(&named->stage) < 2)
		usleep(1000);
	named->sharer_result = open_and_try(NULL);
	return 0;
}

static int parent_of_named(void *arg)
{
	struct named *named = arg;

	if (in_sharer(sharer_of_named, named))
		return FAILED;
	named->parent_result = open_and_try(NULL);
	return 0;
}

TEST(K2_set_from_outside)
{
	int dev = device_open();

	for (int sharer = 0; sharer < 2 && !geteuid(); sharer++) {
		struct named *named = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		pid_t pid = fork();

		if (!pid)
			_exit(parent_of_named(named));
		while (!atomic_load(&named->stage))
			usleep(1000);
		EXPECT_EQ(0, quota_set(dev, PROCESS, sharer ? named->sharer : pid, LIMIT));
		atomic_store(&named->stage, 2);
		EXPECT_EQ(0, status_of(pid));
		EXPECT_EQ(HELD, named->sharer_result);
		EXPECT_EQ(HELD, named->parent_result);
	}
	close(dev);
}

/* Those who do not share are not charged for each other. */
TEST(K2_a_forked_child_has_an_account_of_its_own)
{
	struct privheap_create heap;
	int dev = device_open();

	ASSERT_EQ(0, heap_create(dev, MIB, MIB, 0, &heap));
	EXPECT_EQ(0, in_child(create_for_others, NULL));
	EXPECT_EQ(MIB, quota(dev, PROCESS).used);
	close(dev);
}

/* RLIMIT_DATA */

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
	execl("/proc/self/exe", "limits", "try", NULL);
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
	if (argc == 2 && !strcmp(argv[1], "share"))
		return in_sharer(open_and_try, NULL);
	if (argc == 2 && !strcmp(argv[1], "try"))
		return open_and_try(NULL);
	return test_harness_run(argc, argv);
}
