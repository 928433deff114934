// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 *            parent                            child of any fork, also by a raw clone
 *   page ──▶ [registry | side | ledger]        page ──▶ [0 0 0 0 0 0 0 0]
 *            heaps, metadata region                         their ranges are gone (DONTFORK)
 *
 * The pointer is ordinary memory and stays valid; what it points at is wiped by the kernel
 * (MADV_WIPEONFORK). Where the kernel cannot, the atfork handler wipes it.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include "os/process.h"
#include "os/syscalls.h"

#define PROCESS_BYTES	((sizeof(struct process) + 4095) & ~(size_t)4095)

static _Atomic(struct process *) process_page;
static struct handle_cache handle_cache_none;
struct handle_cache *process_handle_cache = &handle_cache_none;

static void process_in_child(void)
{
	struct process *process = process_peek();

	lock_depth = 0;
	if (process)
		memset(process, 0, sizeof(*process));
}

__attribute__((constructor)) static void process_init(void)
{
	pthread_atfork(NULL, NULL, process_in_child);
}

struct process *process_peek(void)
{
	return atomic_load_explicit(&process_page, memory_order_acquire);
}

struct process *process_get(void)
{
	struct process *process = process_peek(), *old = NULL;

	if (process)
		return process;
	process = mmap(NULL, PROCESS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (process == MAP_FAILED)
		return NULL;
	madvise(process, PROCESS_BYTES, MADV_WIPEONFORK);
	if (atomic_compare_exchange_strong(&process_page, &old, process)) {
		process_handle_cache = &process->handle_cache;
		return process;
	}
	munmap(process, PROCESS_BYTES);
	return old;
}

const uint64_t *process_canary(struct process *process)
{
	struct timespec now;

	if (atomic_load_explicit(&process->canary_ready, memory_order_acquire))
		return process->canary;
	lock_take(&process->canary_lock);
	if (!process->canary_ready) {
		if (sys_getrandom(process->canary, sizeof(process->canary), GRND_NONBLOCK) !=
		    sizeof(process->canary)) {
			/* Early boot: no entropy yet. Better a weak pattern than none. */
			clock_gettime(CLOCK_MONOTONIC, &now);
			process->canary[0] = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u;
			process->canary[1] = (uint64_t)process ^ ~process->canary[0];
		}
		atomic_store_explicit(&process->canary_ready, 1, memory_order_release);
	}
	lock_drop(&process->canary_lock);
	return process->canary;
}
