// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * malloc from a heap on the device: a maximum that the kernel enforces, and what becomes of fork. TAP
 * without the kernel's harness, which forks for each test.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../uapi/privheap.h"

#define MIB		((size_t)1 << 20)
#define MAXIMUM		16
#define SELF		"/proc/self/exe"

static char *const child_argv[] = { "device", "child", NULL };
static char **volatile environment;
static int number, bad;

static void result(const char *name, bool ok)
{
	printf("%sok %d %s\n", ok ? "" : "not ", ++number, name);
	fflush(stdout);
	bad += !ok;
}

/* The line of /proc/self/maps that p is in names the heap. */
static bool in_the_heap(const void *p)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	uintptr_t from, to;
	bool found = false;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && (uintptr_t)p >= from &&
		    (uintptr_t)p < to)
			found = strstr(line, "malloc") != NULL;
	if (maps)
		fclose(maps);
	return found;
}

/* How many MiB there are, one by one; all are freed again. */
static int fill(void)
{
	char *blocks[2 * MAXIMUM];
	int count = 0;

	while (count < 2 * MAXIMUM && (blocks[count] = malloc(MIB - 64))) {
		memset(blocks[count], count, MIB - 64);
		count++;
	}
	for (int i = 0; i < count; i++)
		free(blocks[i]);
	return count;
}

static bool fork_is_refused(void)
{
	char *p = malloc(1000);
	bool refused;

	strcpy(p, "as it was");
	errno = 0;
	refused = fork() == -1 && errno == ENOTSUP;
	refused = refused && strcmp(p, "as it was") == 0 && waitpid(-1, NULL, 0) == -1;
	free(p);
	return refused;
}

static bool exited(pid_t pid, int code)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == code;
}

static bool spawn_works(void)
{
	pid_t pid = -1;

	return posix_spawn(&pid, SELF, NULL, NULL, child_argv, environment) == 0 && exited(pid, 42);
}

static bool vfork_works(void)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execve(SELF, child_argv, environment);
		_exit(1);
	}
	return exited(pid, 42);
}

static bool popen_works(void)
{
	char line[64] = "";
	FILE *pipe = popen("echo from a child", "r");

	if (!pipe || !fgets(line, sizeof(line), pipe))
		return false;
	return pclose(pipe) == 0 && strcmp(line, "from a child\n") == 0;
}

/* A child that no library sees being made. */
static bool raw_child_has_nothing(void)
{
	volatile char *p = malloc(100);
	int status = 0;
	pid_t pid;

	*p = 1;
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0)
		syscall(SYS_exit_group, (long)*p);
	waitpid(pid, &status, 0);
	free((void *)p);
	return pid > 0 && WIFSIGNALED(status) &&
	       (WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS);
}

#define NEWS	9

/* glibc forks on its own there, and ends the parent: so another program does it. */
static bool daemon_ends(void)
{
	char *const argv[] = { "device", "daemon", NULL };
	int ends[2], status = -1;
	pid_t pid = -1;
	char news;
	bool none;

	if (pipe(ends) || dup2(ends[1], NEWS) != NEWS)
		return false;
	close(ends[1]);
	if (posix_spawn(&pid, SELF, NULL, NULL, argv, environment))
		return false;
	close(NEWS);
	none = read(ends[0], &news, 1) == 0;
	close(ends[0]);
	waitpid(pid, &status, 0);
	return none && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* In that program. */
static int become_daemon(void)
{
	char *p = malloc(100);

	if (daemon(0, 1))
		return 1;
	*p = 1;
	return write(NEWS, p, 1) != 1;
}

/* In a program between: takes a limit for itself, and becomes one that is told of no backend. */
static int become_limited(void)
{
	char *const argv[] = { "device", "limited", NULL };
	char *const nothing[] = { "PRIVHEAP_MALLOC_MAX=0", NULL };
	struct privheap_quota quota = {
		.scope = PRIVHEAP_QUOTA_PROCESS, .id = PRIVHEAP_QUOTA_SELF, .limit = 8 * MIB,
	};
	int fd = open("/dev/privheap", O_RDWR | O_CLOEXEC);

	if (ioctl(fd, PRIVHEAP_QUOTA_SET, &quota))
		return 1;
	execve(SELF, argv, nothing);
	return 2;
}

static bool limit_is_noticed(void)
{
	char *const argv[] = { "device", "limit", NULL };
	pid_t pid = -1;

	return posix_spawn(&pid, SELF, NULL, NULL, argv, environment) == 0 && exited(pid, 43);
}

static void *churn(void *arg)
{
	char *own[16] = { 0 };

	for (size_t i = 0; i < 20000; i++) {
		char **slot = &own[i * 7 % 16];

		free(*slot);
		*slot = malloc(1 + i * 37 % 4000);
		if (!*slot)
			return arg;
		**slot = 1;
	}
	for (int i = 0; i < 16; i++)
		free(own[i]);
	return NULL;
}

static bool threads_work(void)
{
	pthread_t threads[4];
	void *wrong = NULL, *each;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, churn, &number);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &each);
		wrong = each ? each : wrong;
	}
	return !wrong;
}

int main(int argc, char **argv, char **envp)
{
	int filled;

	if (!getenv("PRIVHEAP_MALLOC_MAX")) {
		setenv("PRIVHEAP_BACKEND", "device", 1);
		setenv("PRIVHEAP_MALLOC_MAX", "16M", 1);
		execv(SELF, argv);
		return 1;
	}
	environment = envp;
	if (argc > 1 && strcmp(argv[1], "limit") == 0)
		return become_limited();
	if (argc > 1 && strcmp(argv[1], "limited") == 0)
		return in_the_heap(malloc(10)) && fill() < 8 ? 43 : 1;
	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return in_the_heap(malloc(10)) ? 42 : 1;
	if (argc > 1 && strcmp(argv[1], "daemon") == 0)
		return become_daemon();
	printf("TAP version 13\n1..11\n");
	result("blocks are in the heap", in_the_heap(malloc(10)) && in_the_heap(malloc(MIB)));
	filled = fill();
	result("there is as much as the maximum", filled >= MAXIMUM - 3 && filled <= MAXIMUM);
	result("and again", fill() == filled);
	result("fork is refused", fork_is_refused());
	result("posix_spawn", spawn_works());
	result("vfork", vfork_works());
	result("popen", popen_works());
	result("a raw child has no heap", raw_child_has_nothing());
	result("daemon ends its child", daemon_ends());
	result("threads", threads_work());
	result("L13 a limit is noticed", limit_is_noticed());
	return bad != 0;
}
