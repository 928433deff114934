// SPDX-License-Identifier: GPL-2.0 OR MIT
/* HOSTILE.md D, where processes fork, exec and die. Each case by its number. */
#include <sys/syscall.h>

#include "race.h"

#define MAXIMUM	(4 * MIB)

/* Everything that a heap can be asked for, for ever. */
static void *use_heaps(void *arg)
{
	int dev = (long)arg;
	struct privheap_create heap;

	for (;;) {
		if (heap_create(dev, 64 * KIB, MAXIMUM, 0, &heap))
			continue;
		touch(heap.base + MIB);
		heap_commit(dev, heap.heap, 2 * MIB, 0);
		quota(dev, PROCESS);
		heap_stat(dev, heap.heap);
		heap_destroy(dev, heap.heap);
	}
	return NULL;
}

/* Two threads at work on one descriptor; returns when they have begun. */
static int start_using_heaps(void)
{
	long dev = device_open();
	pthread_t thread;

	if (dev < 0 || pthread_create(&thread, NULL, use_heaps, (void *)dev))
		_exit(99);
	while (!quota(dev, PROCESS).peak)
		sched_yield();
	return dev;
}

/* Whatever became of the children, nothing of theirs is left. */
static void check_children(struct round *round)
{
	struct privheap_quota q = quota(round->dev, USER);

	if (q.used == round->race->expected)
		return;
	if (!used_becomes(round->dev, USER, round->race->expected))
		wrong(round, "%llu bytes left", (unsigned long long)q.used);
}

static void reap(struct round *round, pid_t pid, int expected)
{
	int status = 0;

	if (pid < 0)
		wrong(round, "fork: %s", strerror(errno));
	else if (waitpid(pid, &status, 0) != pid || status != expected)
		wrong(round, "child: status 0x%x", status);
}

/* One thread ends the process while another is in a call. */
static void exit_in_a_call(struct round *round, int who)
{
	pid_t pid = fork();

	if (!pid) {
		start_using_heaps();
		delay(&round->random[who]);
		_exit(0);
	}
	reap(round, pid, 0);
}

TEST_F(race, D4_exit_against_ioctl)
{
	struct race r = { .racers = 1, .dev = self->dev, .total = share(1),
			  .run = exit_in_a_call, .check = check_children,
			  .expected = self->before.used };

	EXPECT_STREQ("", race(&r));
}

/*
 * A task of our address space that is none of our threads can be killed alone: then the call is
 * broken off while the space lives on. It must leave errno, which is ours too, in peace.
 */
static long raw_ioctl(int dev, unsigned long cmd, void *arg)
{
	long ret;

	asm volatile("syscall" : "=a"(ret)
		     : "a"(SYS_ioctl), "D"((long)dev), "S"(cmd), "d"(arg)
		     : "rcx", "r11", "memory");
	return ret;
}

static int create_until_killed(void *arg)
{
	struct round *round = arg;
	struct privheap_create heap = { .initial = 64 * KIB, .maximum = MAXIMUM };

	for (;;) {
		struct privheap_destroy old = { 0 };
		long err = raw_ioctl(round->dev, PRIVHEAP_CREATE, &heap);

		if (err)
			wrong(round, "create: %ld", err);
		old.heap = heap.heap;
		atomic_fetch_add(&round->race->running, 1);
		raw_ioctl(round->dev, PRIVHEAP_DESTROY, &old);
	}
	return 0;
}

static void kill_creator(struct round *round, int who)
{
	static char stack[64 * KIB] __attribute__((aligned(16)));
	pid_t pid;

	atomic_store(&round->race->running, 0);
	pid = clone(create_until_killed, stack + sizeof(stack), CLONE_VM | CLONE_FILES | SIGCHLD,
		    round);
	while (pid > 0 && !atomic_load(&round->race->running))
		sched_yield();
	delay(&round->random[who]);
	kill(pid, SIGKILL);
	reap(round, pid, SIGKILL);
}

/* A heap that was made but not told of has a number after the last one destroyed here. */
static void destroy_what_is_left(struct round *round)
{
	uint64_t *last = &round->race->expected;

	if (heap_create(round->dev, 0, PAGE, 0, &round->heap))
		wrong(round, "create failed");
	while (*last < round->heap.heap)
		heap_destroy(round->dev, ++*last);
}

TEST_F(race, D8_create_against_SIGKILL)
{
	struct race r = { .racers = 1, .dev = self->dev, .total = share(2),
			  .run = kill_creator,
			  .check = destroy_what_is_left };

	EXPECT_STREQ("", race(&r));
}

static void kill_process(struct round *round, int who)
{
	pid_t pid = fork();

	if (!pid)
		use_heaps((void *)(long)device_open());
	for (int i = next(&round->random[who]) % 64; i--;)
		delay(&round->random[who]);
	kill(pid, SIGKILL);
	reap(round, pid, SIGKILL);
}

TEST_F(race, D8_process_against_SIGKILL)
{
	struct race r = { .racers = 1, .dev = self->dev, .total = share(2),
			  .run = kill_process, .check = check_children,
			  .expected = self->before.used };

	EXPECT_STREQ("", race(&r));
}

static void prepare_heap(struct round *round)
{
	int err = heap_create(round->dev, 64 * KIB, MAXIMUM, 0, &round->heap);

	if (err)
		wrong(round, "create: %d", err);
}

/* The child has neither the heap that stays nor one of those that come and go. */
static void fork_once(struct round *round)
{
	pid_t pid = fork();

	if (!pid)
		_exit(peek(round->heap.base) != SIGSEGV);
	reap(round, pid, 0);
	atomic_store(&round->over, true);
}

static void create_and_destroy(struct round *round)
{
	struct privheap_create heap;

	while (!atomic_load(&round->over)) {
		int err = heap_create(round->dev, 64 * KIB, MAXIMUM, 0, &heap) ?:
			  touch(heap.base + MIB) ?: heap_destroy(round->dev, heap.heap);

		if (err)
			wrong(round, "create, touch, destroy: %d", err);
	}
}

static void fork_or_create(struct round *round, int who)
{
	if (!who)
		fork_once(round);
	else
		create_and_destroy(round);
}

static void destroy(struct round *round)
{
	int err = heap_destroy(round->dev, round->heap.heap);

	if (err)
		wrong(round, "destroy: %d", err);
}

TEST_F(race, D9_fork_against_create_and_destroy)
{
	struct race r = { .racers = 2, .dev = self->dev, .total = share(2),
			  .prepare = prepare_heap, .run = fork_or_create, .check = destroy };

	EXPECT_STREQ("", race(&r));
}

/* The smallest program: _exit(0). */
static int tiny_program(void)
{
	static const unsigned char elf[] = {
		/* header: 64-bit, executable, x86-64, entry 0x400078, program header at 64 */
		0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		2, 0, 62, 0, 1, 0, 0, 0, 0x78, 0, 0x40, 0, 0, 0, 0, 0,
		64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0,
		/* program header: load all 0x81 bytes at 0x400000, readable, executable */
		1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0,
		0x81, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 0, 0, 0, 0, 0,
		0, 0x10, 0, 0, 0, 0, 0, 0,
		/* xor edi, edi; mov eax, exit_group; syscall */
		0x31, 0xff, 0xb8, 231, 0, 0, 0, 0x0f, 0x05,
	};
	int fd = memfd_create("tiny", MFD_CLOEXEC);

	return write(fd, elf, sizeof(elf)) == sizeof(elf) ? fd : -1;
}

static void exec_in_a_call(struct round *round, int who)
{
	static char *const arguments[] = { "tiny", NULL };
	pid_t pid = fork();

	if (!pid) {
		/* Every other time the new image inherits the descriptor. */
		fcntl(start_using_heaps(), F_SETFD, next(&round->random[who]) % 2);
		delay(&round->random[who]);
		fexecve(round->other, arguments, arguments + 1);
		_exit(98);
	}
	reap(round, pid, 0);
}

TEST_F(race, D9_exec_against_ioctl)
{
	struct race r = { .racers = 1, .dev = self->dev, .total = share(2),
			  .run = exec_in_a_call, .check = check_children,
			  .expected = self->before.used, .other = tiny_program() };

	ASSERT_LE(0, r.other);
	EXPECT_STREQ("", race(&r));
}

TEST_HARNESS_MAIN
