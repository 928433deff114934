// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Whoever is not simply a thread of the C library's allocates while such threads do, and no block has two
 * owners: children of vfork, threads of other making, contexts that change threads.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <pthread.h>
#include <sched.h>
#include <ucontext.h>
#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

#include "heapapi.h"

#define THREADS		3
#define MINE		256
#define CHILDREN	30
#define TURNS		20000

static HANDLE heap;
static _Atomic uint64_t wrong, turns;
static volatile bool over;

static void run_on(uint64_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu & 1, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

struct owner {
	uint64_t random, name;
	uint64_t *mine[MINE];
};

/* Who owns a block, and which it is, is in it; who else gets it writes something else there. */
static void turn(struct owner *owner)
{
	uint64_t **place, *p;

	owner->random = owner->random * 6364136223846793005u + 1442695040888963407u;
	place = &owner->mine[(owner->random >> 40) % MINE];
	p = *place;
	if (p) {
		if (p[0] != owner->name || p[1] != (uintptr_t)place)
			wrong++;
		else if (!HeapFree(heap, 0, p))
			wrong++;
	}
	p = HeapAlloc(heap, 0, 16 + (owner->random >> 33) % 4 * 16);
	if (p) {
		p[0] = owner->name;
		p[1] = (uintptr_t)place;
	}
	*place = p;
}

static void end(struct owner *owner)
{
	size_t i;

	for (i = 0; i < MINE; i++) {
		uint64_t *p = owner->mine[i];

		if (p && (p[0] != owner->name || p[1] != (uintptr_t)&owner->mine[i] ||
			  !HeapFree(heap, 0, p)))
			wrong++;
	}
}

static void *work(void *name)
{
	struct owner owner = { .name = (uintptr_t)name, .random = (uintptr_t)name };

	run_on(owner.name);
	while (!over) {
		turn(&owner);
		turns++;
	}
	end(&owner);
	return NULL;
}

FIXTURE(vforked) {
	pthread_t threads[THREADS];
};

FIXTURE_SETUP(vforked)
{
	uintptr_t i;

	heap = HeapCreate(0, 0, 64 * MIB);
	ASSERT_NE(NULL, heap);
	for (i = 0; i < THREADS; i++) {
		ASSERT_EQ(0, pthread_create(&self->threads[i], NULL, work, (void *)(i + 1)));
	}
	while (turns < 1000)
		sched_yield();
}

FIXTURE_TEARDOWN(vforked)
{
}

#ifndef __SANITIZE_ADDRESS__	/* which has a vfork of its own */
static _Atomic uint64_t borrowed;
static struct owner in_child;

__attribute__((noinline))
static void child(int number)
{
	int i;

	in_child = (struct owner){ .name = 1000 + (uint64_t)number, .random = (uint64_t)number };
	for (i = 0; i < TURNS; i++) {
		if (i % 500 == 0)
			run_on((uint64_t)i / 500);
		turn(&in_child);
		borrowed++;
	}
	end(&in_child);
}

TEST_F_TIMEOUT(vforked, L5_no_block_has_two_owners, 300)
{
	volatile int i, status = -1;
	pid_t pid;

	for (i = 0; i < CHILDREN; i++) {
		/* Its CPU was known a moment ago. */
		ASSERT_TRUE(HeapFree(heap, 0, HeapAlloc(heap, 0, 16)));
		pid = vfork();
		if (pid == 0) {
			child(i);
			_exit(7);
		}
		ASSERT_LT(0, pid);
		ASSERT_EQ(pid, waitpid(pid, (int *)&status, 0));
		ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		/* And is again: the parent goes on as before. */
		ASSERT_LE(0, sched_getcpu());
	}
	over = true;
	for (i = 0; i < THREADS; i++) {
		pthread_join(self->threads[i], NULL);
	}
	TH_LOG("%llu turns, %llu in children", (unsigned long long)turns,
	       (unsigned long long)borrowed);
	EXPECT_EQ(CHILDREN * TURNS, borrowed);
	EXPECT_EQ(0, wrong);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
	EXPECT_TRUE(HeapDestroy(heap));
}
#endif

/* A thread of this test's own making: its storage is the C library's, its area not registered. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
void *_dl_allocate_tls(void *none);

static _Atomic int ended;
static _Atomic uint64_t made;

static int of_own_making(void *area)
{
	struct owner *owner = calloc(1, sizeof(*owner));
	int i;

	/* As glibc does where it cannot register. */
	((struct rseq *)area)->cpu_id = (uint32_t)RSEQ_CPU_ID_REGISTRATION_FAILED;
	owner->name = 500;
	for (i = 0; i < TURNS; i++) {
		if (i % 500 == 0)
			run_on((uint64_t)i / 500);
		turn(owner);
		made++;
	}
	end(owner);
	ended = 1;
	return 0;
}

TEST_F_TIMEOUT(vforked, F15_thread_of_other_making, 120)
{
	char *stack = malloc(MIB), *thread = _dl_allocate_tls(NULL);
	char *own = __builtin_thread_pointer();

	ASSERT_NE(NULL, thread);
	/* Itself, twice, and the guards of stack and pointers. */
	((void **)thread)[0] = ((void **)thread)[2] = thread;
	memcpy(thread + 40, own + 40, 16);
	ASSERT_LT(0, clone(of_own_making, stack + MIB, CLONE_VM | CLONE_FS | CLONE_FILES |
			   CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS,
			   thread + __rseq_offset, NULL, thread, NULL));
	while (!ended)
		usleep(1000);
	over = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(self->threads[i], NULL);
	}
	EXPECT_EQ(TURNS, made);
	EXPECT_EQ(0, wrong);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
}
#endif

/* Contexts that go on in other threads. */
static ucontext_t fiber, threads_context[2];
static _Atomic int running_in;

static void fiber_work(void)
{
	static struct owner owner = { .name = 700 };

	for (int i = 0; i < 1000; i++) {
		for (int k = 0; k < 50; k++)
			turn(&owner);
		swapcontext(&fiber, &threads_context[running_in]);
	}
	end(&owner);
	swapcontext(&fiber, &threads_context[running_in]);
}

static pthread_barrier_t turns_over;

static void *carry(void *number)
{
	int me = (int)(intptr_t)number;

	for (int i = 0; i < 1001; i++) {
		if (i % 2 == me) {
			running_in = me;
			swapcontext(&threads_context[me], &fiber);
		}
		pthread_barrier_wait(&turns_over);
	}
	return NULL;
}

TEST_F_TIMEOUT(vforked, F15_fibers_that_change_threads, 120)
{
	pthread_t carriers[2];

	ASSERT_EQ(0, pthread_barrier_init(&turns_over, NULL, 2));
	ASSERT_EQ(0, getcontext(&fiber));
	fiber.uc_stack.ss_sp = malloc(256 * KIB);
	fiber.uc_stack.ss_size = 256 * KIB;
	makecontext(&fiber, fiber_work, 0);
	for (intptr_t i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_create(&carriers[i], NULL, carry, (void *)i));
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(carriers[i], NULL);
	}
	over = true;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(self->threads[i], NULL);
	}
	EXPECT_EQ(0, wrong);
	EXPECT_TRUE(HeapValidate(heap, 0, NULL));
}

/* It is the C library's in all else: who is the parent, what the child did, errors. */
TEST(L5_vfork_is_vfork)
{
	volatile pid_t parent = getpid();
	volatile int written = 0;
	int status = -1;
	pid_t pid;

	errno = 0;
	pid = vfork();
	if (pid == 0) {
		written = getppid() == parent;
		execl("/bin/true", "true", NULL);
		_exit(9);
	}
	ASSERT_LT(0, pid);
	EXPECT_EQ(0, errno);
	EXPECT_EQ(1, written);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 9));
}

TEST_HARNESS_MAIN
