// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Counters of processes that do not end by exit(3): tests fork children that call _exit, and the
 * library aborts, or sends itself what it could not handle. Linked into what is built for coverage, where
 * these come before glibc's.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);

#define EXPORT	__attribute__((visibility("default")))

/* Adding to the files allocates; what it finds there may be what the process ends for. */
static void dump(void)
{
	static atomic_flag dumping = ATOMIC_FLAG_INIT;

	/* Where a test has hidden all files, gcov would complain, on stderr. */
	if (atomic_flag_test_and_set(&dumping) || access("/dev/null", W_OK))
		return;
	__gcov_dump();
	__gcov_reset();
	atomic_flag_clear(&dumping);
}

EXPORT _Noreturn void _exit(int status)
{
	dump();
	for (;;)
		syscall(SYS_exit_group, status);
}

EXPORT int raise(int number)
{
	dump();
	return pthread_kill(pthread_self(), number);
}

/* A handler may leave it, as it may leave glibc's. */
EXPORT _Noreturn void abort(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGABRT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(SIGABRT);
	signal(SIGABRT, SIG_DFL);
	for (;;)
		raise(SIGABRT);
}
