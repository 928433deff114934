// SPDX-License-Identifier: GPL-2.0 OR MIT
/* A library's private heap: another one in each process that links it; a fork has none. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin.h"
#include "privheap.h"
#include "show.h"

static void use(const char *who, const char *text)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;
	const char *kept = plugin_remember(text);

	HOLDS(kept && !privheap_stats(plugin_heap(), &stats), "%s has a plugin heap", who);
	printf("%s, process %d: heap %p, %zu block, holds \"%s\"\n", who, getpid(), plugin_heap(),
	       stats.blocks, kept);
	HOLDS(stats.blocks == 1, "%s sees its own block only", who);
	if (show_device())
		show_mapping(plugin_heap());
	fflush(stdout);
}

static int wait_for(pid_t child)
{
	int status = -1;

	HOLDS(waitpid(child, &status, 0) == child, "process %d ends", child);
	return status;
}

static void child_of_fork(void)
{
	void *p = HeapAlloc(plugin_heap(), 0, 1);

	printf("forked child %d: HeapAlloc on its parent's heap gives %p, last error %u\n",
	       getpid(), p, GetLastError());
	HOLDS(!p && GetLastError() == ERROR_INVALID_HANDLE, "the handle is no heap of the child's");
	HOLDS(HeapCreate(0, 0, 1 * MIB), "the child may have heaps of its own");
	printf("forked child %d: reads its parent's memory ...\n", getpid());
	fflush(stdout);
	_exit(*(volatile char *)plugin_heap());
}

int main(int argc, char **argv)
{
	int status;
	pid_t child;

	if (argc > 1) {
		use("second program", argv[1]);
		return 0;
	}
	use("first program", "a secret of the first");
	child = fork();
	if (child == 0) {
		execl("/proc/self/exe", "isolation", "what the second says", NULL);
		_exit(127);
	}
	HOLDS(wait_for(child) == 0, "a second program runs while the first lives");
	child = fork();
	if (child == 0)
		child_of_fork();
	status = wait_for(child);
	HOLDS(WIFSIGNALED(status), "the forked child cannot read its parent's heap");
	printf("... and is killed: %s\n", strsignal(WTERMSIG(status)));
	HOLDS(WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS, "by the kernel");
	HOLDS(HeapValidate(plugin_heap(), 0, NULL), "the first program's heap is whole");
	return 0;
}
