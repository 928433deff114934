// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What tenants of one machine can do to each other's limits and figures, and what root can do
 * about it (HOSTILE.md E). Root only: it makes the tenants. Each case by its letter.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "device.h"

#define PROCESS	PRIVHEAP_QUOTA_PROCESS
#define USER	PRIVHEAP_QUOTA_USER
#define SYSTEM	PRIVHEAP_QUOTA_SYSTEM

/* Runs f in a child that is user uid; its return value, or 128 + the signal that ended it. */
static int as_user(unsigned int uid, int (*f)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (setresuid(uid, uid, uid))
			_exit(100);
		_exit(f(arg));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Peaks */

struct refused {
	int dev;
	uint64_t heap;
	atomic_bool over;
};

/* The process would allow it, the user's limit does not. */
static void *ask_for_too_much(void *arg)
{
	struct refused *r = arg;

	while (!atomic_load(&r->over))
		if (heap_commit(r->dev, r->heap, 64 * MIB, 0) != EDQUOT)
			return "granted";
	return NULL;
}

static int peak_beside_refusals(void *unused)
{
	struct refused r = { .dev = device_open() };
	struct privheap_create heap;
	struct privheap_quota q;
	pthread_t thread;
	void *wrong;

	if (heap_create(r.dev, 0, 64 * MIB, 0, &heap))
		return 1;
	r.heap = heap.heap;
	if (pthread_create(&thread, NULL, ask_for_too_much, &r))
		return 2;
	for (int i = 0; i < 20000; i++) {
		if (heap_create(r.dev, PAGE, PAGE, 0, &heap) || heap_destroy(r.dev, heap.heap))
			return 3;
		q = quota(r.dev, PROCESS);
		if (q.used > q.peak)
			return 4;
		if (q.peak != PAGE)
			return 5;
	}
	atomic_store(&r.over, true);
	pthread_join(thread, &wrong);
	return wrong ? 6 : 0;
}

TEST(K16_a_refused_charge_raises_no_peak)
{
	int dev = device_open();

	ASSERT_EQ(0, quota_set(dev, USER, NOBODY, MIB));
	EXPECT_EQ(0, as_user(NOBODY, peak_beside_refusals, NULL));
	EXPECT_EQ(0, quota_set(dev, USER, NOBODY, 0));
	close(dev);
}

TEST_HARNESS_MAIN
