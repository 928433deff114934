// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * A seccomp filter answers EPERM or ENOSYS for one system call, from before the first heap or from some
 * moment on: heaps work, or one line says what is refused, and nothing worse.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "heapapi.h"

#ifndef SYS_rseq
#define SYS_rseq	334
#endif

#define WORKS		0
#define REFUSED		3
#define ARGUMENT	"as a process of its own"

static bool refuse(int number, int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = 4, .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
		       &program) == 0;
}

#define SLOTS	256

static HANDLE heap;
static bool threads_too = true;
static void *_Atomic slots[SLOTS];
static _Atomic int lost;

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Blocks go from thread to thread and from CPU to CPU; each says whose it is. */
static void *work(void *seed)
{
	uintptr_t random = (uintptr_t)seed + 1;
	int i;

	for (i = 0; i < 20000; i++) {
		uintptr_t *p;

		random = random * 6364136223846793005u + 1442695040888963407u;
		p = HeapAlloc(heap, 0, 16 + (random >> 33) % 900);
		if (p)
			*p = (uintptr_t)p;
		p = __atomic_exchange_n((void **)&slots[(random >> 20) % SLOTS], p, __ATOMIC_ACQ_REL);
		if (p && (*p != (uintptr_t)p || !HeapFree(heap, 0, p)))
			lost++;
		if (i % 1000 == 0)
			run_on((int)(random >> 40) & 1);
		if (i % 5000 == 0 && HeapLock(heap))
			HeapUnlock(heap);
	}
	return NULL;
}

static bool crowd_works(void)
{
	pthread_t threads[4];
	bool made[4];
	uintptr_t i;

	/* Where the C library cannot make threads, in turn. */
	for (i = 0; i < COUNT(threads); i++) {
		made[i] = threads_too && pthread_create(&threads[i], NULL, work, (void *)i) == 0;
		if (!made[i])
			work((void *)i);
	}
	for (i = 0; i < COUNT(threads); i++)
		if (made[i])
			pthread_join(threads[i], NULL);
	for (i = 0; i < SLOTS; i++)
		if (!HeapFree(heap, 0, slots[i]))
			lost++;
	return !lost && HeapValidate(heap, 0, NULL) && HeapCompact(heap, 0);
}

/* WORKS; REFUSED: some call failed as it should; anything else is wrong. */
static int live(bool first)
{
	HANDLE other = HeapCreate(0, 0, 0);
	void *p = HeapAlloc(other, 0, 3 * MIB);
	bool all = p && HeapAlloc(heap, 0, 100) && HeapAlloc(heap, 0, 5 * MIB);

	if (first && !heap)
		return REFUSED;
	if (!crowd_works())
		return 1;
	if (other && (!HeapValidate(other, 0, NULL) || !HeapDestroy(other)))
		return 1;
	if (!HeapDestroy(heap))
		return 1;
	return all ? WORKS : REFUSED;
}

static const struct refused_call {
	const char *name;
	int number;
} refused[] = {
	{ "membarrier", SYS_membarrier }, { "getrandom", SYS_getrandom },
	{ "madvise", SYS_madvise }, { "memfd_create", SYS_memfd_create },
	{ "mprotect", SYS_mprotect }, { "rseq", SYS_rseq }, { "sched_yield", SYS_sched_yield },
	{ "clock_nanosleep", SYS_clock_nanosleep }, { "sysinfo", SYS_sysinfo },
	{ "rt_sigaction", SYS_rt_sigaction },
#ifndef __SANITIZE_ADDRESS__	/* which needs it itself */
	{ "sched_getaffinity", SYS_sched_getaffinity },
#endif
};

static int as_process_of_its_own(void)
{
	heap = HeapCreate(0, 0, 64 * MIB);
	return live(true);
}

static const struct refused_call *now;
static int answer;

static void later(void)
{
	void *p;

	alarm(120);
	heap = HeapCreate(0, 0, 64 * MIB);
	/* Some slabs, on both CPUs. */
	run_on(1);
	p = HeapAlloc(heap, 0, 100);
	run_on(0);
	CHECK_IN_CHILD(p && HeapAlloc(heap, 0, 100) && HeapFree(heap, 0, p));
	/* glibc ends the process. */
	threads_too = now->number != SYS_rseq;
	CHECK_IN_CHILD(refuse(now->number, answer));
	_exit(live(false));
}

static void before(void)
{
	alarm(120);
	CHECK_IN_CHILD(refuse(now->number, answer));
	/* The C library asks for it when a process begins. The others it needs itself. */
	if (now->number == SYS_rseq)
		execl("/proc/self/exe", "seccomp", ARGUMENT, NULL);
	_exit(as_process_of_its_own());
}

static size_t lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* Works without a word; or fails, and one line of ours names the call. */
static bool good(const struct outcome *out)
{
	if (exited(out, WORKS))
		return out->text[0] == '\0';
	return exited(out, REFUSED) && lines(out->text) == 1 && strstr(out->text, "privheap: ") &&
	       strstr(out->text, now->name);
}

FIXTURE(refused) {
};

FIXTURE_VARIANT(refused) {
	void (*body)(void);
	int error;
};

FIXTURE_VARIANT_ADD(refused, before_eperm) { before, EPERM };
FIXTURE_VARIANT_ADD(refused, before_enosys) { before, ENOSYS };
FIXTURE_VARIANT_ADD(refused, later_eperm) { later, EPERM };
FIXTURE_VARIANT_ADD(refused, later_enosys) { later, ENOSYS };

FIXTURE_SETUP(refused)
{
}

FIXTURE_TEARDOWN(refused)
{
}

TEST_F_TIMEOUT(refused, L4_works_or_one_line, 600)
{
	struct outcome out;
	size_t i;

	answer = variant->error;
	for (i = 0; i < COUNT(refused); i++) {
		now = &refused[i];
		run_in_child(&out, variant->body);
		TH_LOG("%s: status %#x %s", now->name, out.status, out.text);
		EXPECT_TRUE(good(&out));
	}
}

/* Where heaps belonged to CPUs and neither membarrier nor what would do instead is left. */
static void nothing_left(void)
{
	heap = HeapCreate(0, 0, 64 * MIB);
	CHECK_IN_CHILD(HeapAlloc(heap, 0, 100));
	CHECK_IN_CHILD(refuse(SYS_membarrier, EPERM) && refuse(SYS_sched_setaffinity, EPERM));
	HeapLock(heap);
}

TEST(L4_no_barrier_at_all_is_one_line)
{
	struct outcome out;

	run_in_child(&out, nothing_left);
	/* Where heaps are not owned there is nothing to be had. */
	EXPECT_TRUE((exited(&out, 0) && !out.text[0]) ||
		    (killed(&out, SIGABRT) && lines(out.text) == 1 &&
		     strstr(out.text, "privheap: membarrier"))) TH_LOG("%s", out.text);
}

#define main	harness_main
TEST_HARNESS_MAIN
#undef main

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], ARGUMENT) == 0)
		return as_process_of_its_own();
	return harness_main(argc, argv);
}
