// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Many lives: heaps created and destroyed, processes killed at random moments. Whatever they were
 * doing, the ledgers return to zero. ROUNDS (a fifth of it) and SEED in the environment; the seed is printed.
 */
#include <pthread.h>
#include <time.h>

#include "device.h"

TEST_F_TIMEOUT(heap, create_and_destroy, 300)
{
	unsigned long rounds = setting("ROUNDS", 5000) / 5;
	struct privheap_create heap;

	for (unsigned long i = 0; i < rounds; i++) {
		ASSERT_EQ(0, heap_create(self->dev, (i % 4) * 64 * KIB, MIB << i % 6, 0, &heap));
		ASSERT_EQ(0, touch(heap.base + i % 256 * PAGE));
		ASSERT_EQ(0, heap_destroy(self->dev, heap.heap));
	}
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
}

struct busy {
	int dev;
	uint64_t state;
};

/* Anything a process does with heaps, for ever. */
static void *be_busy(void *arg)
{
	struct busy *busy = arg;
	struct privheap_create heap;
	uint64_t state = busy->state;

	for (;;) {
		uint64_t maximum = (64 * KIB) << next(&state) % 9;

		if (heap_create(busy->dev, next(&state) % 4 * PAGE, maximum, 0, &heap))
			continue;
		for (int i = next(&state) % 8; i--;)
			touch(heap.base + next(&state) % maximum);
		switch (next(&state) % 4) {
		case 0:
			heap_commit(busy->dev, heap.heap, next(&state) % maximum,
				    PRIVHEAP_COMMIT_POPULATE);
			break;
		case 1:
			munmap((void *)heap.base, next(&state) % maximum & -PAGE);
			break;
		case 2:
			heap_destroy(busy->dev, heap.heap);
			break;
		}
		if (quota(busy->dev, PRIVHEAP_QUOTA_PROCESS).used > 32 * MIB)
			_exit(0);
	}
	return NULL;
}

static void *be_destructive(void *arg)
{
	struct busy *busy = arg;
	uint64_t state = busy->state + 1;

	for (;;)
		heap_destroy(busy->dev, next(&state) % 64);
	return NULL;
}

static void busy_process(uint64_t seed)
{
	struct busy busy = { .dev = device_open(), .state = seed | 1 };
	pthread_t thread;

	pthread_create(&thread, NULL, be_destructive, &busy);
	be_busy(&busy);
}

TEST_F_TIMEOUT(heap, kill_at_random_moments, 600)
{
	unsigned long rounds = setting("ROUNDS", 5000) / 5;
	uint64_t seed = setting("SEED", time(NULL)), state = seed | 1;
	uint64_t before = quota(self->dev, PRIVHEAP_QUOTA_USER).used;

	TH_LOG("SEED=%llu ROUNDS=%lu", (unsigned long long)seed, rounds);
	for (unsigned long i = 0; i < rounds; i++) {
		uint64_t child = next(&state);
		pid_t pid = fork();

		ASSERT_GE(pid, 0);
		if (!pid) {
			busy_process(child);
			_exit(0);
		}
		usleep(next(&state) % 20000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	EXPECT_TRUE(used_becomes(self->dev, PRIVHEAP_QUOTA_USER, before));
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_USER).heaps);
}

TEST_HARNESS_MAIN
