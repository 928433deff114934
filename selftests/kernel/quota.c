// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HOSTILE.md E: quotas hold, and only the administrator raises them. Each case by its number. */
#include <pthread.h>

#include "device.h"

#define PROCESS	PRIVHEAP_QUOTA_PROCESS
#define USER	PRIVHEAP_QUOTA_USER
#define SYSTEM	PRIVHEAP_QUOTA_SYSTEM

#define USER_LIMIT	"/sys/module/privheap/parameters/user_limit"

static bool is_root(void)
{
	return !geteuid();
}

/* Creates a heap in the forked child after dropping to nobody, if that can be done. */
static int as_nobody(int (*f)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (is_root() && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(100);
		_exit(f(arg));
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST_F(heap, process_may_lower_its_own_limit)
{
	struct privheap_quota q;

	EXPECT_EQ(PRIVHEAP_QUOTA_DEFAULT, quota(self->dev, PROCESS).flags);
	EXPECT_EQ(0, limit_self(self->dev, 8 * MIB));
	EXPECT_EQ(0, limit_self(self->dev, 8 * MIB));
	EXPECT_EQ(0, limit_self(self->dev, 4 * MIB));
	q = quota(self->dev, PROCESS);
	EXPECT_EQ(4 * MIB, q.limit);
	EXPECT_EQ(0, q.flags);
	EXPECT_EQ(EDQUOT, heap_commit(self->dev, self->heap.heap, 5 * MIB, 0));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 4 * MIB, 0));
	EXPECT_EQ(1, quota(self->dev, PROCESS).denied);
}

static int raising_is_refused(void *unused)
{
	int dev = device_open();

	if (limit_self(dev, 4 * MIB))
		return 1;
	if (limit_self(dev, 4 * MIB + 1) != EPERM || limit_self(dev, 0) != EPERM)
		return 2;
	if (quota_set(dev, USER, PRIVHEAP_QUOTA_SELF, MIB) != EPERM ||
	    quota_set(dev, SYSTEM, 0, MIB) != EPERM)
		return 3;
	if (quota_set(dev, PROCESS, getppid(), MIB) != EPERM ||
	    quota_set(dev, PROCESS, getpid(), MIB) != EPERM)
		return 4;
	return quota(dev, PROCESS).limit == 4 * MIB ? 0 : 5;
}

TEST(raising_needs_a_capability)
{
	EXPECT_EQ(0, as_nobody(raising_is_refused, NULL));
}

TEST_F(heap, bad_quota_arguments)
{
	struct privheap_quota scope = { .scope = 3, .id = PRIVHEAP_QUOTA_SELF };
	struct privheap_quota id = { .scope = SYSTEM, .id = 1 };

	EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_GET, &scope));
	EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_SET, &scope));
	EXPECT_EQ(EINVAL, call(self->dev, PRIVHEAP_QUOTA_GET, &id));
	EXPECT_EQ(EINVAL, limit_self(self->dev, ~0ULL));
	EXPECT_EQ(EINVAL, limit_self(self->dev, 1ULL << 63));
	EXPECT_EQ(is_root() ? ESRCH : EPERM, quota_set(self->dev, PROCESS, 0, MIB));
	EXPECT_EQ(is_root() ? ESRCH : EPERM, quota_set(self->dev, PROCESS, 4000000, MIB));
	EXPECT_EQ(PRIVHEAP_QUOTA_DEFAULT, quota(self->dev, PROCESS).flags);
}

/* The child waits until told, tries 8 MiB, and says what came of it. */
struct tenant {
	pid_t pid;
	int go, answer;
};

static int tenant_main(int go, int answer)
{
	int dev = device_open();
	struct privheap_create heap;
	char byte;

	if (heap_create(dev, 0, 16 * MIB, 0, &heap))
		return 1;
	while (read(go, &byte, 1) == 1) {
		int err = heap_commit(dev, heap.heap, 8 * MIB, 0);

		if (write(answer, &err, sizeof(err)) != sizeof(err))
			return 2;
	}
	return 0;
}

static void tenant_start(struct tenant *t)
{
	int go[2], answer[2];

	if (pipe(go) || pipe(answer))
		return;
	t->pid = fork();
	if (!t->pid) {
		close(go[1]);
		close(answer[0]);
		if (is_root() && setresuid(NOBODY, NOBODY, NOBODY))
			_exit(100);
		_exit(tenant_main(go[0], answer[1]));
	}
	close(go[0]);
	close(answer[1]);
	t->go = go[1];
	t->answer = answer[0];
}

static int tenant_try(struct tenant *t)
{
	int err = -1;

	if (write(t->go, "x", 1) != 1 || read(t->answer, &err, sizeof(err)) != sizeof(err))
		return -1;
	return err;
}

static void tenant_stop(struct tenant *t)
{
	kill(t->pid, SIGKILL);
	waitpid(t->pid, NULL, 0);
	close(t->go);
	close(t->answer);
}

TEST_F(heap, administrator_limits_and_raises_a_process)
{
	struct tenant limited, other;

	tenant_start(&limited);
	tenant_start(&other);
	if (is_root()) {
		EXPECT_EQ(0, quota_set(self->dev, PROCESS, limited.pid, 4 * MIB));
		EXPECT_EQ(EDQUOT, tenant_try(&limited));
		EXPECT_EQ(0, tenant_try(&other));
		EXPECT_EQ(0, quota_set(self->dev, PROCESS, limited.pid, 8 * MIB));
	} else {
		EXPECT_EQ(EPERM, quota_set(self->dev, PROCESS, limited.pid, 4 * MIB));
	}
	EXPECT_EQ(0, tenant_try(&limited));
	tenant_stop(&limited);
	tenant_stop(&other);
}

struct racers {
	int dev;
	uint64_t heap[64];
	int granted;
};

static void *race_to_the_limit(void *arg)
{
	struct racers *racers = arg;
	struct privheap_create heap;

	if (!heap_create(racers->dev, MIB, MIB, 0, &heap))
		__atomic_fetch_add(&racers->granted, 1, __ATOMIC_RELAXED);
	return NULL;
}

TEST_F(heap, E1_sixty_four_threads_race_for_ten)
{
	for (int round = 0; round < 5; round++) {
		struct racers racers = { .dev = device_open() };
		pthread_t threads[64];

		limit_self(racers.dev, 64 * KIB + 10 * MIB);
		for (int i = 0; i < 64; i++) {
			ASSERT_EQ(0, pthread_create(&threads[i], NULL, race_to_the_limit, &racers));
		}
		for (int i = 0; i < 64; i++)
			pthread_join(threads[i], NULL);
		EXPECT_EQ(10, racers.granted);
		EXPECT_EQ(64 * KIB + 10 * MIB, quota(racers.dev, PROCESS).peak);
		for (uint64_t id = 1; id <= 64; id++)
			heap_destroy(racers.dev, id);
		EXPECT_EQ(64 * KIB, quota(racers.dev, PROCESS).used);
		close(racers.dev);
	}
}

TEST_F(heap, E2_touch_past_the_limit_and_again_after_room_is_made)
{
	struct privheap_create other;

	ASSERT_EQ(0, heap_create(self->dev, 4 * MIB, 4 * MIB, 0, &other));
	ASSERT_EQ(0, limit_self(self->dev, 4 * MIB + 64 * KIB));
	EXPECT_EQ(SIGBUS, touch(self->heap.base + MIB));
	EXPECT_EQ(0, touch(self->heap.base + 64 * KIB - 1));
	EXPECT_EQ(0, touch(other.base));
	EXPECT_EQ(0, heap_destroy(self->dev, other.heap));
	EXPECT_EQ(0, touch(self->heap.base + MIB));
}

/* The last bytes below a limit can be had although a whole step would not fit. */
TEST_F(heap, E2_the_last_page_below_the_limit)
{
	ASSERT_EQ(0, limit_self(self->dev, 64 * KIB + PAGE));
	EXPECT_EQ(0, touch(self->heap.base + 64 * KIB));
	EXPECT_EQ(SIGBUS, touch(self->heap.base + 64 * KIB + PAGE));
	EXPECT_EQ(64 * KIB + PAGE, quota(self->dev, PROCESS).used);
}

static int commit_a_mib_and_wait(void *release)
{
	int dev = device_open();
	struct privheap_create heap;
	char byte;
	int err = heap_create(dev, MIB, MIB, 0, &heap);

	if (!err)
		(void)!read((long)release, &byte, 1);
	return err;
}

TEST_F(heap, E3_user_limit_over_many_processes)
{
	enum { PROCESSES = 20 };
	pid_t pids[PROCESSES];
	int release[2], granted = 0;

	if (!is_root()) {
		EXPECT_EQ(EPERM, quota_set(self->dev, USER, getuid(), 5 * MIB));
		return;
	}
	ASSERT_EQ(0, pipe(release));
	ASSERT_EQ(0, quota_set(self->dev, USER, NOBODY, 5 * MIB));
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			close(release[1]);
			if (setresuid(NOBODY, NOBODY, NOBODY))
				_exit(100);
			_exit(commit_a_mib_and_wait((void *)(long)release[0]));
		}
	}
	/* Those refused end at once; the rest hold their MiB until released. */
	for (int ended = 0; ended < PROCESSES - 5; ended++) {
		int status;

		ASSERT_LT(0, waitpid(-1, &status, 0));
		EXPECT_EQ(EDQUOT, WEXITSTATUS(status));
	}
	close(release[1]);
	for (int i = 0; i < 5; i++) {
		int status;

		ASSERT_LT(0, waitpid(-1, &status, 0));
		granted += status == 0;
	}
	EXPECT_EQ(5, granted);
	EXPECT_EQ(0, quota_set(self->dev, USER, NOBODY, 0));
}

TEST_F(heap, E4_system_limit)
{
	uint64_t limit = quota(self->dev, SYSTEM).limit;
	uint64_t used = quota(self->dev, SYSTEM).used;

	EXPECT_LT(0, limit);	/* half of RAM unless the administrator says otherwise */
	if (!is_root()) {
		EXPECT_EQ(EPERM, quota_set(self->dev, SYSTEM, 0, 0));
		return;
	}
	/* By default a user has half of it, which would refuse before. */
	ASSERT_EQ(0, write_file(USER_LIMIT, "0"));
	ASSERT_EQ(0, quota_set(self->dev, SYSTEM, 0, used + MIB));
	EXPECT_EQ(EDQUOT, heap_commit(self->dev, self->heap.heap, 64 * KIB + MIB + PAGE, 0));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 64 * KIB + MIB, 0));
	EXPECT_EQ(0, quota_set(self->dev, SYSTEM, 0, limit));
	EXPECT_EQ(0, write_file(USER_LIMIT, "18446744073709551615"));
}

TEST_F(heap, E5_lowering_below_what_is_used)
{
	struct privheap_create other;

	ASSERT_EQ(0, heap_create(self->dev, 8 * MIB, 8 * MIB, 0, &other));
	EXPECT_EQ(0, limit_self(self->dev, 2 * MIB));
	EXPECT_EQ(8 * MIB + 64 * KIB, quota(self->dev, PROCESS).used);
	EXPECT_EQ(0, touch(other.base + 8 * MIB - 1));
	EXPECT_EQ(SIGBUS, touch(self->heap.base + MIB));
	EXPECT_EQ(EDQUOT, heap_commit(self->dev, self->heap.heap, 64 * KIB + PAGE, 0));
	EXPECT_EQ(0, heap_destroy(self->dev, other.heap));
	EXPECT_EQ(0, heap_commit(self->dev, self->heap.heap, 2 * MIB, 0));
}

TEST_F(heap, E8_madvise_and_refault_leave_the_charge)
{
	uint64_t used;

	memset((void *)self->heap.base, 1, 4 * MIB);
	used = quota(self->dev, PROCESS).used;
	for (int i = 0; i < 1000; i++) {
		madvise((void *)self->heap.base, 4 * MIB, MADV_DONTNEED);
		ASSERT_EQ(0, touch(self->heap.base + (i % 1024) * PAGE));
	}
	EXPECT_EQ(used, quota(self->dev, PROCESS).used);
}

TEST_F(heap, E9_number_of_heaps)
{
	uint64_t limit = quota(self->dev, PROCESS).heaps_limit;
	struct privheap_create heap;
	uint64_t made = 1;
	int err;

	ASSERT_LT(1, limit);
	while (!(err = heap_create(self->dev, 0, PAGE, 0, &heap)))
		made++;
	EXPECT_EQ(EDQUOT, err);
	EXPECT_EQ(limit, made);
	EXPECT_EQ(limit, quota(self->dev, PROCESS).heaps);
	EXPECT_EQ(0, heap_destroy(self->dev, heap.heap ?: self->heap.heap));
	EXPECT_EQ(0, heap_create(self->dev, 0, PAGE, 0, &heap));
}

TEST_HARNESS_MAIN
