// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Vectored handlers: a list that sees every exception before the try regions do.
 *
 *	[ first added with first=1, last | ... | added with first=0, in order ]
 *
 * An exception works on its own copy of the list, so that handlers may add, remove and raise,
 * and may leave for an except block without leaving anything locked.
 */
#define _GNU_SOURCE
#include "exception/vectored.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "include/heapapi.h"

#define MOST	32

struct entry {
	PVECTORED_EXCEPTION_HANDLER call;
	uintptr_t id;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry list[MOST];
static atomic_uint length;
static uintptr_t last_id;

/* A child forked while another thread changes the list must not find it locked for ever. */
static void lock_list(void)
{
	pthread_mutex_lock(&lock);
}

static void unlock_list(void)
{
	pthread_mutex_unlock(&lock);
}

__attribute__((constructor))
static void guard_fork(void)
{
	pthread_atfork(lock_list, unlock_list, unlock_list);
}

bool vectored_present(void)
{
	return atomic_load(&length) != 0;
}

LONG vectored_offer(EXCEPTION_POINTERS *pointers)
{
	struct entry copy[MOST];
	unsigned int i, n;

	if (!vectored_present())
		return EXCEPTION_CONTINUE_SEARCH;
	lock_list();
	n = atomic_load(&length);
	memcpy(copy, list, n * sizeof(*copy));
	unlock_list();
	for (i = 0; i < n; i++)
		if (copy[i].call(pointers) < 0)
			return EXCEPTION_CONTINUE_EXECUTION;
	return EXCEPTION_CONTINUE_SEARCH;
}

static PVOID insert(ULONG first, PVECTORED_EXCEPTION_HANDLER handler)
{
	unsigned int n = atomic_load(&length);
	unsigned int at = first ? 0 : n;

	if (n == MOST)
		return NULL;
	memmove(list + at + 1, list + at, (n - at) * sizeof(*list));
	list[at] = (struct entry){ handler, ++last_id };
	atomic_store(&length, n + 1);
	return (PVOID)last_id;
}

PVOID AddVectoredExceptionHandler(ULONG first, PVECTORED_EXCEPTION_HANDLER handler)
{
	PVOID handle;

	if (!handler) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	lock_list();
	handle = insert(first, handler);
	unlock_list();
	if (!handle)
		SetLastError(ERROR_NOT_ENOUGH_MEMORY);
	return handle;
}

static ULONG delete(uintptr_t id)
{
	unsigned int n = atomic_load(&length);
	unsigned int at;

	for (at = 0; at < n; at++) {
		if (list[at].id != id)
			continue;
		memmove(list + at, list + at + 1, (n - at - 1) * sizeof(*list));
		atomic_store(&length, n - 1);
		return 1;
	}
	return 0;
}

ULONG RemoveVectoredExceptionHandler(PVOID handle)
{
	ULONG found;

	lock_list();
	found = delete((uintptr_t)handle);
	unlock_list();
	return found;
}
