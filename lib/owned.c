// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Whether heaps can be owned, and the barrier that waits for sequences to end.
 *
 * They can if the C library has registered this thread's area (a tunable may forbid it, an old
 * kernel or an emulator may not know it) and the kernel lets us register for membarrier.
 */
#define _GNU_SOURCE
#include "owned.h"
#include "process.h"

#if OWNED
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
static_assert(sizeof(struct group) == 64, "blocks in a group, and bytes of one: see owned_give");
static_assert(offsetof(struct group, avail) % 16 == 0 &&
	      offsetof(struct group, freed) == offsetof(struct group, avail) + 8,
	      "both are stored by one instruction");

ptrdiff_t owned_area;

enum { UNKNOWN, POSSIBLE, IMPOSSIBLE };

static bool owned_register(void)
{
	int saved = errno;
	bool registered;

	owned_area = __rseq_offset;
	registered = (int32_t)owned_cpu() >= 0 &&
		     syscall(SYS_membarrier,
			     MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0) == 0;
	errno = saved;
	return registered;
}

bool owned_possible(struct process *process)
{
	uint32_t owned = process->owned;

	if (owned == UNKNOWN)
		process->owned = owned = owned_register() ? POSSIBLE : IMPOSSIBLE;
	return owned == POSSIBLE;
}

void owned_barrier(void)
{
	int saved = errno;

	/* Fails only if not registered: in a child that has its parent's heap (malloc/fork.c). */
	while (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ, 0, 0))
		if (!owned_register())
			abort();
	errno = saved;
}
#else
bool owned_possible(struct process *process)
{
	(void)process;
	return false;
}

void owned_barrier(void)
{
}
#endif
