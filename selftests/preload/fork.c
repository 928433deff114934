// SPDX-License-Identifier: GPL-2.0 OR MIT
/* fork with the heap on anonymous memory: the child has a copy that works. */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"

/* The harness's 30 seconds are few on a machine that does much else. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

#define BLOCKS	2000

static unsigned char *blocks[BLOCKS];

static size_t block_bytes(int i)
{
	return 1 + (size_t)i * 37 % 3000 + (i % 200 ? 0 : 100000);
}

static void fill(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(block_bytes(i));
		if (!blocks[i])
			abort();
		memset(blocks[i], i, block_bytes(i));
	}
}

static bool filled(void)
{
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i][0] != (unsigned char)i ||
		    blocks[i][block_bytes(i) - 1] != (unsigned char)i)
			return false;
	return true;
}

/* Everything a child may want: read, free, allocate, resize. */
static bool works(void)
{
	if (!filled())
		return false;
	for (int i = 0; i < BLOCKS; i += 2)
		free(blocks[i]);
	for (int i = 0; i < BLOCKS; i += 2) {
		blocks[i] = calloc(1, 100);
		if (!blocks[i] || blocks[i][99])
			return false;
		blocks[i] = realloc(blocks[i], block_bytes(i));
		if (!blocks[i])
			return false;
		memset(blocks[i], i, block_bytes(i));
	}
	return filled();
}

static int status_of(pid_t pid)
{
	int status = -1;

	if (pid > 0)
		waitpid(pid, &status, 0);
	return status;
}

TEST(child_has_a_copy)
{
	pid_t pid;

	fill();
	pid = fork();
	if (pid == 0)
		_exit(works() ? 0 : 1);
	EXPECT_EQ(0, status_of(pid));
	EXPECT_TRUE(works());
}

TEST(what_a_child_writes_is_its_own)
{
	unsigned char *block = malloc(100000);
	pid_t pid;

	memset(block, 1, 100000);
	pid = fork();
	if (pid == 0) {
		memset(block, 2, 100000);
		free(block);
		_exit(0);
	}
	EXPECT_EQ(0, status_of(pid));
	EXPECT_EQ(1, block[0]);
	EXPECT_EQ(1, block[99999]);
	free(block);
}

TEST(grandchildren_too)
{
	pid_t pid;

	fill();
	pid = fork();
	if (pid == 0) {
		bool ok = works();

		pid = fork();
		if (pid == 0)
			_exit(works() ? 0 : 1);
		_exit(ok && status_of(pid) == 0 ? 0 : 1);
	}
	EXPECT_EQ(0, status_of(pid));
}

static volatile int stop;

static void *busy(void *arg)
{
	uint64_t random = (uintptr_t)arg + 1;
	void *own[64] = { 0 };

	while (!stop) {
		void **slot;

		random = random * 6364136223846793005u + 1442695040888963407u;
		slot = &own[(random >> 33) % 64];
		free(*slot);
		*slot = malloc((random >> 40) % (random >> 63 ? 100000 : 1000));
	}
	for (int i = 0; i < 64; i++)
		free(own[i]);
	return NULL;
}

TEST(while_threads_allocate)
{
	pthread_t threads[4];

	fill();
	for (uintptr_t i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, busy, (void *)i));
	for (int i = 0; i < 50; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(works() ? 0 : 1);
		EXPECT_EQ(0, status_of(pid));
	}
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_TRUE(works());
}

/* Two threads fork at once, and a child has threads of its own. */
static void *forks(void *arg)
{
	intptr_t bad = 0;

	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			pthread_t thread;

			alarm(60);
			pthread_create(&thread, NULL, busy, NULL);
			usleep(1000);
			stop = 1;
			pthread_join(thread, NULL);
			_exit(filled() ? 0 : 1);
		}
		bad += status_of(pid) != 0;
	}
	return (void *)bad;
}

TEST(from_several_threads)
{
	pthread_t threads[3];
	void *bad;

	fill();
	for (int i = 0; i < 3; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, forks, NULL));
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &bad);
		EXPECT_EQ(NULL, bad);
	}
}

static void *handler_block[3];

static void allocate_before(void)
{
	handler_block[0] = malloc(5000);
}

static void allocate_in_parent(void)
{
	handler_block[1] = malloc(70000);
}

static void allocate_in_child(void)
{
	handler_block[2] = malloc(70000);
}

/* Other libraries' fork handlers allocate and free, too. */
TEST(with_handlers_that_allocate)
{
	pid_t pid;

	pthread_atfork(allocate_before, allocate_in_parent, allocate_in_child);
	pid = fork();
	if (pid == 0)
		_exit(handler_block[0] && handler_block[2] && !handler_block[1] ? 0 : 1);
	EXPECT_EQ(0, status_of(pid));
	EXPECT_NE(NULL, handler_block[1]);
	for (int i = 0; i < 3; i++)
		free(handler_block[i]);
}

static volatile sig_atomic_t forked, failed;

static void fork_now(int number)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(filled() ? 0 : 1);
	failed |= status_of(pid) != 0;
	forked++;
}

/* The handler may have interrupted an allocation of this very thread. */
TEST(from_a_signal_handler)
{
	/* Once for each: else a slow machine would do nothing but fork. */
	struct itimerval soon = { .it_value.tv_usec = 2000 };

	fill();
	signal(SIGALRM, fork_now);
	for (int asked = 0; forked < 50;) {
		if (asked == forked) {
			asked++;
			setitimer(ITIMER_REAL, &soon, NULL);
		}
		free(realloc(malloc(50000), 100000));
	}
	EXPECT_EQ(0, failed);
	EXPECT_TRUE(works());
}

TEST_HARNESS_MAIN
