// SPDX-License-Identifier: GPL-2.0 OR MIT
/* The malloc family from a heap: what a program may expect of any malloc, and what it finds here. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "kselftest_harness.h"

/* The harness's 30 seconds are few on a machine that does much else. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 300

static void *early;

/* Before main, and before most other constructors. */
__attribute__((constructor(101))) static void allocate_early(void)
{
	early = malloc(1000);
	memset(early, 7, 1000);
}

static bool all_bytes(const void *p, int value, size_t n)
{
	const unsigned char *bytes = p;

	while (n--)
		if (*bytes++ != (unsigned char)value)
			return false;
	return true;
}

/* glibc would say 1016 and 104. */
TEST(it_is_the_heap_s)
{
	EXPECT_EQ(1000, malloc_usable_size(early));
	EXPECT_TRUE(all_bytes(early, 7, 1000));
	EXPECT_EQ(100, malloc_usable_size(malloc(100)));
	EXPECT_EQ(0, malloc_usable_size(NULL));
}

TEST(blocks_are_aligned_and_apart)
{
	char *last = NULL;

	for (size_t n = 0; n < 100000; n = n * 3 / 2 + 1) {
		char *p = malloc(n);

		ASSERT_NE(NULL, p);
		ASSERT_NE(last, p);
		ASSERT_EQ(0, (uintptr_t)p % 16);
		ASSERT_EQ(n, malloc_usable_size(p));
		memset(p, 0xee, n);
		last = p;
	}
}

TEST(calloc_zeroes_and_does_not_wrap)
{
	for (size_t n = 1; n < 3000000; n *= 7) {
		char *p = malloc(n);

		ASSERT_NE(NULL, p);
		memset(p, 0xff, n);
		free(p);
		p = calloc(n, 1);
		ASSERT_NE(NULL, p);
		ASSERT_TRUE(all_bytes(p, 0, n));
		free(p);
	}
	errno = 0;
	EXPECT_EQ(NULL, calloc(SIZE_MAX / 2, 3));
	EXPECT_EQ(ENOMEM, errno);
}

TEST(realloc_keeps_contents)
{
	unsigned char *p = realloc(NULL, 1);

	ASSERT_NE(NULL, p);
	p[0] = 1;
	for (size_t n = 2; n < 2000000; n += n / 2 + 1) {
		p = realloc(p, n);
		ASSERT_NE(NULL, p);
		ASSERT_EQ(1, p[0]);
		p[n - 1] = 2;
	}
	p = realloc(p, 10);
	EXPECT_EQ(1, p[0]);
	EXPECT_EQ(NULL, realloc(p, 0));
	errno = 0;
	p = malloc(10);
	EXPECT_EQ(NULL, realloc(p, SIZE_MAX - 100));
	EXPECT_EQ(ENOMEM, errno);
	EXPECT_EQ(10, malloc_usable_size(p));
	EXPECT_EQ(NULL, reallocarray(p, SIZE_MAX / 4, 5));
	p = reallocarray(p, 10, 10);
	EXPECT_EQ(100, malloc_usable_size(p));
	free(p);
}

TEST(alignments)
{
	void *p = &p;

	for (size_t align = 1; align <= 1 << 20; align *= 2) {
		for (size_t n = 1; n < 100000; n = n * 5 + 3) {
			void *q = aligned_alloc(align, n);

			ASSERT_NE(NULL, q);
			ASSERT_EQ(0, (uintptr_t)q % align);
			memset(q, 1, n);
			free(q);
		}
	}
	EXPECT_EQ(EINVAL, posix_memalign(&p, 24, 10));
	EXPECT_EQ(EINVAL, posix_memalign(&p, 4, 10));
	EXPECT_EQ(&p, p);
	errno = 77;
	EXPECT_EQ(ENOMEM, posix_memalign(&p, 64, SIZE_MAX - 4096));
	EXPECT_EQ(77, errno);
	EXPECT_EQ(0, posix_memalign(&p, 64, 10));
	EXPECT_EQ(0, (uintptr_t)p % 64);
	EXPECT_EQ(NULL, aligned_alloc(24, 10));
	EXPECT_EQ(0, (uintptr_t)memalign(24, 10) % 32);
	EXPECT_EQ(0, (uintptr_t)valloc(10) % 4096);
	EXPECT_EQ(4096, malloc_usable_size(pvalloc(10)));
}

TEST(free_keeps_errno)
{
	errno = 1234;
	free(NULL);
	free(malloc(10));
	free(malloc(10000000));
	EXPECT_EQ(1234, errno);
}

/* The body's status, and what it said. */
static int child(void (*body)(void), char *said, size_t room)
{
	int ends[2], status = -1;
	ssize_t got;
	pid_t pid;

	if (pipe(ends))
		return -1;
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		body();
		_exit(0);
	}
	close(ends[1]);
	got = read(ends[0], said, room - 1);
	said[got > 0 ? got : 0] = '\0';
	close(ends[0]);
	waitpid(pid, &status, 0);
	return status;
}

static void frees_twice(void)
{
	char *p = malloc(100);

	free(p);
	free(p);
}

static void frees_stack(void)
{
	char here[64];

	free(here + 16);
}

static void writes_past_the_end(void)
{
	char *p = malloc(100);

	p[100] ^= 1;
	free(p);
}

static void resizes_freed(void)
{
	char *p = malloc(100);

	free(p);
	p = realloc(p, 10);
}

static void asks_the_size_of_no_block(void)
{
	malloc_usable_size((char *)malloc(100) + 16);
}

TEST(corruption_ends_the_program)
{
	void (*const bodies[])(void) = {
		frees_twice, frees_stack, writes_past_the_end, resizes_freed,
		asks_the_size_of_no_block,
	};
	char said[300];

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		int status = child(bodies[i], said, sizeof(said));

		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) TH_LOG("%zu", i);
		EXPECT_EQ(0, strncmp(said, "privheap: ", 10)) TH_LOG("%zu: %s", i, said);
	}
	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
	EXPECT_EQ(0, child(frees_twice, said, sizeof(said)));
	EXPECT_STREQ("", said);
}

#define THREADS	8
#define SLOTS	1000

static _Atomic(unsigned char *) slots[SLOTS];
static _Atomic int wrong;

static void check_and_free(unsigned char *p)
{
	if (p && !all_bytes(p, p[0], malloc_usable_size(p)))
		wrong++;
	free(p);
}

static void *churn(void *arg)
{
	uint64_t random = (uintptr_t)arg + 1;

	for (int i = 0; i < 50000; i++) {
		unsigned char *p;
		size_t n;

		random = random * 6364136223846793005u + 1442695040888963407u;
		n = 1 + (random >> 40) % (i % 100 ? 2000 : 200000);
		p = malloc(n);
		if (p)
			memset(p, (int)(random >> 32), n);
		check_and_free(atomic_exchange(&slots[(random >> 33) % SLOTS], p));
	}
	return NULL;
}

TEST(threads)
{
	pthread_t threads[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, churn, (void *)i));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		check_and_free(slots[i]);
	EXPECT_EQ(0, wrong);
}

static pthread_key_t key;

static void *leaves_to_key(void *arg)
{
	pthread_setspecific(key, malloc(100));
	return malloc(200);
}

TEST(threads_that_end)
{
	void *block = NULL;
	pthread_t thread;

	pthread_key_create(&key, free);
	for (int i = 0; i < 500; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, leaves_to_key, NULL));
		pthread_join(thread, &block);
		ASSERT_EQ(200, malloc_usable_size(block));
		free(block);
	}
}

static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
	static const size_t sizes[] = { 24, 3000, 50000 };

	for (int i = 0; i < 3; i++) {
		char *p = malloc(sizes[i]);

		if (!p)
			continue;
		memset(p, 9, sizes[i]);
		p = realloc(p, sizes[i] / 2);
		if (!p || !all_bytes(p, 9, sizes[i] / 2))
			wrong++;
		free(p);
	}
	signals++;
}

/*
 * They must neither wait for the thread they interrupted, nor damage anything. So many that the reserve
 * for calls at a bad moment is used up: malloc may fail then, making a block smaller may not.
 */
TEST(signal_handlers_may_allocate)
{
	struct itimerval each = { .it_interval.tv_usec = 50, .it_value.tv_usec = 50 };

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &each, NULL);
	for (uintptr_t i = 0; signals < 3000; i++)
		churn((void *)i);
	memset(&each, 0, sizeof(each));
	setitimer(ITIMER_REAL, &each, NULL);
	EXPECT_EQ(0, wrong);
}

TEST(sizes_and_alignments_beyond_all_addresses)
{
	errno = 0;
	EXPECT_EQ(NULL, memalign(SIZE_MAX / 2 + 2, 1));
	EXPECT_EQ(EINVAL, errno);
	errno = 0;
	EXPECT_EQ(NULL, pvalloc(SIZE_MAX - 100));
	EXPECT_EQ(ENOMEM, errno);
}

TEST_HARNESS_MAIN
