// SPDX-License-Identifier: GPL-2.0 OR MIT
/* What a process's limit holds: the address space, whoever shares it (K2). */
#include <stdatomic.h>
#include <sys/syscall.h>

#include "limited.h"

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

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "share"))
		return in_sharer(open_and_try, NULL);
	return test_harness_run(argc, argv);
}
