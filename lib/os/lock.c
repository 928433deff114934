// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The slow half of the lock, on a private futex.
 *
 *   0 --take--> 1 --drop--> 0		no waiter: no system call
 *   1 --wait--> 2 --drop--> 0 + wake	a waiter always leaves 2 behind, so it may wake one too many
 */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "os/lock.h"
#include "os/syscalls.h"

_Thread_local int lock_depth;

#define SPINS	100	/* critical sections are short: a sleep costs more than this */

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

uint32_t lock_thread(void)
{
	static _Thread_local uint32_t number __attribute__((tls_model("initial-exec")));
	static _Atomic uint32_t last;

	while (!number)
		number = ++last;
	return number;
}

void lock_sleep(_Atomic uint32_t *word, uint32_t seen)
{
	int error = errno;

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
	errno = error;
}

void lock_wake_all(_Atomic uint32_t *word)
{
	int error = errno;

	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	errno = error;
}

void lock_wait(struct lock *lock)
{
	int error = errno;

	for (int i = 0; i < SPINS; i++) {
		uint32_t free = 0;

		if (atomic_compare_exchange_weak_explicit(&lock->word, &free, 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return;
		cpu_relax();
	}
	while (atomic_exchange_explicit(&lock->word, 2, memory_order_acquire) != 0)
		syscall(SYS_futex, &lock->word, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
	errno = error;
}

void lock_spin_wait(struct lock *lock)
{
	int error = errno;

	for (int i = 1;; i++) {
		uint32_t free = 0;

		if (atomic_compare_exchange_weak_explicit(&lock->word, &free, 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			break;
		if (i < SPINS)
			cpu_relax();
		else if (i < 2 * SPINS)
			sched_yield();
		else
			sys_sleep(20000);
	}
	errno = error;
}

void lock_wake(struct lock *lock)
{
	int error = errno;

	syscall(SYS_futex, &lock->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	errno = error;
}
