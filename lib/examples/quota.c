// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Quotas: a process stops at its limit, the next does not, the administrator raises it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "heapapi.h"
#include "privheap.h"
#include "show.h"

struct worker {
	pid_t pid;
	int order, answer;		/* pipes: blocks wanted, blocks got */
};

static int allocate(HANDLE heap, int wanted)
{
	int got = 0;
	void *p;

	while (got < wanted && (p = HeapAlloc(heap, 0, 1 * MIB)) != NULL) {
		memset(p, 1, 1 * MIB);
		got++;
	}
	if (got < wanted && errno != EDQUOT)
		got = -errno;
	return got;
}

/* An ordinary user's program: allocates MiB blocks as ordered. */
static void work(int order, int answer)
{
	int wanted, got;
	HANDLE heap;

	HOLDS(!setgid(65534) && !setuid(65534), "this scene needs to be root first");
	heap = HeapCreate(0, 0, 0);
	HOLDS(heap, "a user may make heaps: %s", strerror(errno));
	while (read(order, &wanted, sizeof(wanted)) == sizeof(wanted)) {
		/* 0: may it raise its own limit? */
		got = wanted ? allocate(heap, wanted)
			     : privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, 0);
		HOLDS(write(answer, &got, sizeof(got)) == sizeof(got), "an answer");
	}
	_exit(0);
}

static struct worker start(void)
{
	struct worker worker;
	int order[2], answer[2];

	HOLDS(!pipe2(order, O_CLOEXEC) && !pipe2(answer, O_CLOEXEC), "pipes");
	fflush(stdout);
	worker.pid = fork();
	if (worker.pid == 0) {
		close(order[1]);
		work(order[0], answer[1]);
	}
	close(order[0]);
	close(answer[1]);
	worker.order = order[1];
	worker.answer = answer[0];
	return worker;
}

static int ask(const char *who, struct worker worker, int wanted)
{
	int got = -1;

	HOLDS(write(worker.order, &wanted, sizeof(wanted)) == sizeof(wanted) &&
	      read(worker.answer, &got, sizeof(got)) == sizeof(got), "%s answers", who);
	if (wanted)
		printf("%s, process %d: wants %d MiB, gets %d; kernel: limit %zu MiB, "
		       "committed %zu KiB, denied %zu\n", who, worker.pid, wanted, got,
		       show_figure(worker.pid, "limit") >> 20,
		       show_figure(worker.pid, "committed") >> 10,
		       show_figure(worker.pid, "denied"));
	return got;
}

static void limit(struct worker worker, size_t bytes)
{
	HOLDS(!privheap_quota_set(PRIVHEAP_QUOTA_PROCESS, (uint32_t)worker.pid, bytes),
	      "the administrator sets a limit: %s", strerror(errno));
	printf("administrator: the limit of process %d is %zu MiB\n", worker.pid, bytes >> 20);
}

int main(void)
{
	struct worker first = start(), second = start();
	int got, more;

	HOLDS(ask("first ", first, 1) == 1 && ask("second", second, 1) == 1, "no limit yet");
	limit(first, 16 * MIB);
	got = ask("first ", first, 100);
	HOLDS(got > 8 && got < 16, "the first is stopped at its limit");
	HOLDS(show_figure(first.pid, "committed") <= 16 * MIB, "not one byte beyond");
	HOLDS(show_figure(first.pid, "denied") > 0, "the refusal is counted");
	HOLDS(ask("second", second, 40) == 40, "the second is not affected");
	HOLDS(ask("first ", first, 0) == -1, "the first may not raise its own limit");
	limit(first, 32 * MIB);
	more = ask("first ", first, 100);
	HOLDS(more > 8 && got + more < 32, "the first goes on, up to the new limit");
	close(first.order);
	close(second.order);
	HOLDS(waitpid(first.pid, &got, 0) == first.pid && got == 0, "the first ends well");
	HOLDS(waitpid(second.pid, &got, 0) == second.pid && got == 0, "the second ends well");
	return 0;
}
