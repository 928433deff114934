// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Whether heaps can be per-CPU, and the fence that waits for sequences to end.
 *
 * They can if the C library has registered this thread's area (a tunable may forbid it, an old
 * kernel or an emulator may not know it) and the kernel lets us register for membarrier. A program
 * may shut itself off from membarrier later (seccomp): then its heaps are per-CPU no more.
 */
#define _GNU_SOURCE
#include "alloc/percpu.h"
#include "os/process.h"
#include "os/report.h"

#if PERCPU
#include <errno.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

static_assert(offsetof(struct rseq, cpu_id) == 4 && offsetof(struct rseq, rseq_cs) == 8,
	      "as the sequences have it");
static_assert(RSEQ_SIG == 0x53053053, "as the sequences have it");
static_assert(offsetof(struct shard, current) == 0, "as the sequences have it");
static_assert(sizeof(struct group) == 64, "blocks in a group, and bytes of one: see percpu_free");
static_assert(offsetof(struct group, free) % 16 == 0 &&
	      offsetof(struct group, local_free) == offsetof(struct group, free) + 8,
	      "both are stored by one instruction");

ptrdiff_t percpu_area;

enum { UNKNOWN, POSSIBLE, IMPOSSIBLE };

static bool percpu_register(void)
{
	int saved = errno;
	bool registered;

	percpu_area = __rseq_offset;
	registered = (int32_t)percpu_cpu() >= 0 &&
		     syscall(SYS_membarrier,
			     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0;
	errno = saved;
	return registered;
}

bool percpu_possible(struct process *process)
{
	uint32_t state = process->percpu;

	if (state == UNKNOWN) {
		state = percpu_register() ? POSSIBLE : IMPOSSIBLE;
		/* A child of vfork does not know it for its parent. */
		if (state == IMPOSSIBLE && percpu_cpu() == (uint32_t)RSEQ_CPU_ID_UNINITIALIZED)
			return false;
		process->percpu = state;
	}
	return state == POSSIBLE;
}

static bool percpu_membarrier(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0;
}

bool percpu_fence(void)
{
	int saved = errno;
	bool done = percpu_membarrier();

	/* Not registered: a child that has its parent's heap (malloc/fork.c). */
	if (!done)
		done = percpu_register() && percpu_membarrier();
	if (!done)
		process_get()->percpu = IMPOSSIBLE;
	errno = saved;
	return done;
}

#define CPU_WORDS	128	/* 8,192 CPUs, as many as Linux can have */

/* This thread runs on the CPU: the one that ran there does not, and will restart its sequence. */
static bool percpu_visit(uint32_t cpu)
{
	uint64_t mask[CPU_WORDS] = { 0 };

	mask[cpu / 64] = 1ULL << cpu % 64;
	return syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask) == 0;
}

void percpu_last_fence(void)
{
	struct report line = REPORT_INIT;
	uint64_t mask[CPU_WORDS];
	int saved = errno;
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	bool visited = false;

	/* Those this process may not use, or that are not there, are refused. */
	for (uint32_t cpu = 0; cpu < 8 * bytes; cpu++)
		visited |= percpu_visit(cpu);
	if (visited) {
		syscall(SYS_sched_setaffinity, 0, bytes, mask);
		errno = saved;
		return;
	}
	report_text(&line, "privheap: membarrier is refused since a heap was made, and ");
	report_text(&line, "sched_setaffinity, which would do instead, too; aborting");
	report_write(&line);
	abort();
}
#else
bool percpu_possible(struct process *process)
{
	(void)process;
	return false;
}

bool percpu_fence(void)
{
	return true;
}

void percpu_last_fence(void)
{
}
#endif
