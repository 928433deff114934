// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The limits of users, and what is left for root (HOSTILE.md E). Root only: it makes the users.
 * Each case by its letter.
 */
#include <sched.h>
#include <sys/prctl.h>

#include "told.h"

enum { FIRST = 2001, SECOND, THIRD };	/* users of nobody else */

static int take(int dev, int step)
{
	static struct privheap_create heap;

	switch (step) {
	case 't':	/* the most there is, in MiB */
		if (heap_create(dev, 0, 256 * MIB, 0, &heap))
			return -1;
		for (int mib = 1;; mib++)
			if (heap_commit(dev, heap.heap, mib * MIB, 0))
				return mib - 1;
	case 'p':
		return heap_create(dev, PAGE, PAGE, 0, &heap);
	case 'h':	/* heaps, up to 60 */
		for (int i = 0; i < 60; i++)
			if (heap_create(dev, 0, PAGE, 0, &heap))
				return i;
		return 60;
	case 'd':
		return quota(dev, USER).denied;
	case 'l':
		return quota(dev, USER).heaps_limit;
	}
	return -1;
}

FIXTURE(users)
{
	int dev;
	uint64_t system, user_heaps;
	struct told first, second, third;
};

FIXTURE_SETUP(users)
{
	self->dev = device_open();
	self->system = quota(self->dev, SYSTEM).limit;
	self->user_heaps = parameter(PARAMETERS "user_heaps");
	tell_start(&self->first, FIRST, take);
	tell_start(&self->second, SECOND, take);
	tell_start(&self->third, THIRD, take);
}

FIXTURE_TEARDOWN(users)
{
	tell_end(&self->first);
	tell_end(&self->second);
	tell_end(&self->third);
	EXPECT_EQ(0, quota_set(self->dev, SYSTEM, 0, self->system));
	EXPECT_EQ(0, set_parameter(PARAMETERS "user_heaps", self->user_heaps));
	EXPECT_EQ(0, set_parameter(PARAMETERS "user_limit", ~0ULL));
	EXPECT_TRUE(used_becomes(self->dev, SYSTEM, 0));
	close(self->dev);
}

TEST_F(users, K5_users_do_not_lock_root_out)
{
	struct privheap_create heap, more;

	ASSERT_EQ(0, quota_set(self->dev, SYSTEM, 0, 64 * MIB));
	EXPECT_EQ(32, tell(&self->first, 't'));
	EXPECT_EQ(28, tell(&self->second, 't'));
	EXPECT_EQ(EDQUOT, tell(&self->third, 'p'));
	/* By a call and by a touch, up to the limit itself. */
	EXPECT_EQ(0, heap_create(self->dev, MIB, 2 * MIB, 0, &heap));
	EXPECT_EQ(0, touch(heap.base + 2 * MIB - 1));
	EXPECT_EQ(0, heap_create(self->dev, 2 * MIB, 2 * MIB, 0, &more));
	EXPECT_EQ(64 * MIB, quota(self->dev, SYSTEM).used);
	EXPECT_EQ(EDQUOT, heap_create(self->dev, PAGE, PAGE, 0, &more));
	EXPECT_EQ(EDQUOT, tell(&self->third, 'p'));
	EXPECT_EQ(0, heap_destroy(self->dev, heap.heap));
	EXPECT_EQ(0, heap_destroy(self->dev, heap.heap + 1));
}

TEST_F(users, K5_a_user_may_have_half_of_what_the_system_has)
{
	static const uint64_t system[] = { 64 * MIB, 128 * MIB, 0, 2 * MIB };

	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++) {
		ASSERT_EQ(0, quota_set(self->dev, SYSTEM, 0, system[i]));
		EXPECT_EQ(system[i] / 2, quota_of_user(self->dev, FIRST).limit);
		EXPECT_EQ(PRIVHEAP_QUOTA_DEFAULT, quota_of_user(self->dev, FIRST).flags);
		EXPECT_EQ(system[i] / 2, parameter(PARAMETERS "user_limit"));
	}
	ASSERT_EQ(0, set_parameter(PARAMETERS "user_limit", 8 * MIB));
	EXPECT_EQ(8 * MIB, quota_of_user(self->dev, FIRST).limit);
	ASSERT_EQ(0, set_parameter(PARAMETERS "user_limit", 0));
	EXPECT_EQ(0, quota_of_user(self->dev, FIRST).limit);
	ASSERT_EQ(0, set_parameter(PARAMETERS "user_limit", ~0ULL));
	EXPECT_EQ(MIB, quota_of_user(self->dev, FIRST).limit);
}

TEST_F(users, K5_heaps_of_a_user)
{
	uint64_t denied = quota_of_user(self->dev, FIRST).denied;
	struct told again;

	EXPECT_LE(16384, self->user_heaps);
	ASSERT_EQ(0, set_parameter(PARAMETERS "user_heaps", 100));
	tell_start(&again, FIRST, take);
	EXPECT_EQ(60, tell(&self->first, 'h'));
	EXPECT_EQ(40, tell(&again, 'h'));
	EXPECT_EQ(60, tell(&self->second, 'h'));
	EXPECT_EQ(100, quota_of_user(self->dev, FIRST).heaps);
	EXPECT_EQ(100, tell(&again, 'l'));
	EXPECT_EQ(denied + 1, tell(&again, 'd'));
	tell_end(&again);
}

/* Subordinate ids */

struct subordinates {
	int ready[2], go[2], answer[2];
};

static void hold_as(unsigned int id, struct subordinates *s)
{
	struct privheap_create heap;
	int err;

	if (setresuid(id, id, id))
		_exit(1);
	err = heap_create(device_open(), 2 * MIB, 2 * MIB, 0, &heap);
	if (write(s->answer[1], &err, sizeof(err)) != sizeof(err))
		_exit(2);
	pause();
	_exit(0);
}

/* Root of a namespace, with as many ids as it was given, each of which opens the device. */
static void use_subordinates(struct subordinates *s)
{
	char byte;

	if (setresuid(FIRST, FIRST, FIRST) || prctl(PR_SET_DUMPABLE, 1) || unshare(CLONE_NEWUSER) ||
	    write(s->ready[1], "x", 1) != 1 || read(s->go[0], &byte, 1) != 1)
		_exit(1);
	setpgid(0, 0);
	for (unsigned int id = 0; id < 3; id++) {
		if (!fork())
			hold_as(id * 1000, s);
	}
	pause();
	_exit(0);
}

static int map_ids(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	return write_file(path, "0 200000 65535");
}

TEST_F(users, K6_subordinate_ids_are_one_user)
{
	int granted = 0, refused = 0, err;
	struct subordinates s;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, quota_set(self->dev, USER, FIRST, 5 * MIB));
	ASSERT_EQ(0, pipe(s.ready) ?: pipe(s.go) ?: pipe(s.answer));
	pid = fork();
	if (!pid)
		use_subordinates(&s);
	ASSERT_EQ(1, read(s.ready[0], &byte, 1));
	ASSERT_EQ(0, map_ids(pid));
	ASSERT_EQ(1, write(s.go[1], "x", 1));
	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(sizeof(err), read(s.answer[0], &err, sizeof(err)));
		granted += !err;
		refused += err == EDQUOT;
	}
	EXPECT_EQ(2, granted);
	EXPECT_EQ(1, refused);
	EXPECT_EQ(4 * MIB, quota_of_user(self->dev, FIRST).used);
	EXPECT_EQ(0, quota_of_user(self->dev, 200000).used);
	EXPECT_EQ(0, kill(-pid, SIGKILL));
	waitpid(pid, NULL, 0);
	EXPECT_EQ(0, quota_set(self->dev, USER, FIRST, 0));
}

TEST_HARNESS_MAIN
