/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * A lock of one word: 0 free, 1 held, 2 held with sleepers. Zeroed memory is a free lock,
 * so it can live in the metadata region and in the page that a fork wipes.
 */
#ifndef PRIVHEAP_LOCK_H
#define PRIVHEAP_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
	_Atomic uint32_t word;
};

/* Locks of the library this thread holds or is about to take. */
extern _Thread_local int lock_depth
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* This thread's number: never 0, and no other thread's of this process, dead ones included. */
uint32_t lock_thread(void);
/* Sleeps while *word is `seen`; may return early. Keeps errno. */
void lock_sleep(_Atomic uint32_t *word, uint32_t seen);
void lock_wake_all(_Atomic uint32_t *word);

void lock_wait(struct lock *lock);
void lock_wake(struct lock *lock);

static inline bool lock_any_held(void)
{
	return lock_depth != 0;
}

static inline void lock_take(struct lock *lock)
{
	uint32_t free = 0;

	/* First the depth: a signal handler that runs from here on must not wait for this lock. */
	lock_depth++;
	atomic_signal_fence(memory_order_seq_cst);
	if (!atomic_compare_exchange_strong_explicit(&lock->word, &free, 1, memory_order_acquire,
						     memory_order_relaxed))
		lock_wait(lock);
}

/* Never waits. */
static inline bool lock_try(struct lock *lock)
{
	uint32_t free = 0;

	lock_depth++;
	atomic_signal_fence(memory_order_seq_cst);
	if (atomic_compare_exchange_strong_explicit(&lock->word, &free, 1, memory_order_acquire,
						    memory_order_relaxed))
		return true;
	lock_depth--;
	return false;
}

static inline void lock_drop(struct lock *lock)
{
	if (atomic_exchange_explicit(&lock->word, 0, memory_order_release) == 2)
		lock_wake(lock);
	atomic_signal_fence(memory_order_seq_cst);
	lock_depth--;
}

/*
 * A spin lock, for a few instructions that never sleep, inside a shard: dropping is a plain store
 * and wakes no thread. A waiter yields, and in the end sleeps for short times.
 */
void lock_spin_wait(struct lock *lock);

static inline void lock_spin_take(struct lock *lock)
{
	uint32_t free = 0;

	lock_depth++;
	atomic_signal_fence(memory_order_seq_cst);
	if (!atomic_compare_exchange_strong_explicit(&lock->word, &free, 1, memory_order_acquire,
						     memory_order_relaxed))
		lock_spin_wait(lock);
}

static inline void lock_spin_drop(struct lock *lock)
{
	atomic_store_explicit(&lock->word, 0, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	lock_depth--;
}

#endif
