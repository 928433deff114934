// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * AddressSanitizer's poison survives fork, the heaps do not: in the child, what is mapped next at
 * their addresses may be anybody's. So the parent notes before the fork where they are, in memory
 * that the child inherits, and the child removes the poison.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include "os/annotate.h"
#include "alloc/types.h"
#include "debug/check_fork.h"
#include "os/process.h"

struct note {
	const char *base;
	size_t used;
};

static _Thread_local struct note *notes;
static _Thread_local size_t notes_count, notes_bytes;

static void note_heaps(struct process *process)
{
	for (struct heap *heap = process->first; heap; heap = heap->next) {
		if (!heap->check)
			continue;
		notes[notes_count].base = heap->base;
		notes[notes_count++].used = heap->runs.dirty << PAGE_SHIFT;
	}
}

static void before_fork(void)
{
	struct process *process = process_peek();
	int saved = errno;

	notes_count = 0;
	notes_bytes = 0;
	if (!process || lock_any_held())
		return;
	lock_take(&process->registry_lock);
	notes_bytes = process->heaps * sizeof(*notes);
	if (notes_bytes) {
		notes = mmap(NULL, notes_bytes, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (notes == MAP_FAILED)
			notes_bytes = 0;
		else
			note_heaps(process);
	}
	lock_drop(&process->registry_lock);
	errno = saved;
}

static void drop_notes(void)
{
	if (notes_bytes)
		munmap(notes, notes_bytes);
	notes_bytes = 0;
}

static void in_child(void)
{
	for (size_t i = 0; i < notes_count; i++)
		annotate_unpoison(notes[i].base, notes[i].used);
	drop_notes();
}

static void install(void)
{
	pthread_atfork(before_fork, drop_notes, in_child);
}

void check_fork_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
