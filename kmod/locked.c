// SPDX-License-Identifier: GPL-2.0
/*
 * Locked heaps: their pages stay in memory.
 *
 * mlock(2) does nothing on a special VMA, and a heap's is one (vma.c). Its pages are kept by
 * marking the whole file unevictable, as shmctl(SHM_LOCK) does; what is committed counts against
 * RLIMIT_MEMLOCK. It is counted in mm->pinned_vm (VmPin), as io_uring and RDMA do, not in
 * locked_vm (VmLck): that is changed under the mmap_lock for writing, and a fault that commits
 * holds it for reading.
 *
 *	PRIVHEAP_CREATE_LOCKED    asked for: what RLIMIT_MEMLOCK refuses is not committed
 *	mlockall(MCL_FUTURE)      the same, implied
 *	PRIVHEAP_CREATE_SECRET    implied as long as the limit allows; a commit that it does not
 *				  allow ends it, and PRIVHEAP_STAT tells
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/swap.h>

#include "compat.h"
#include "heap.h"
#include "locked.h"

/**
 * privheap_locked_init() - lock a heap that is being made, if it shall be
 * @heap: of the calling process, with its file and flags, nothing committed
 *
 * Context: process.
 */
void privheap_locked_init(struct privheap_heap *heap)
{
	if (READ_ONCE(current->mm->def_flags) & VM_LOCKED)
		heap->flags |= PRIVHEAP_CREATE_LOCKED;
	heap->locked = heap->flags & (PRIVHEAP_CREATE_LOCKED | PRIVHEAP_CREATE_SECRET);
	if (heap->locked)
		mapping_set_unevictable(heap->file->f_mapping);
}

/* As shmctl(SHM_UNLOCK): pages that were set aside go back to where reclaim finds them. */
static void make_evictable(struct address_space *mapping)
{
	struct folio_batch batch;
	pgoff_t index = 0;

	mapping_clear_unevictable(mapping);
	folio_batch_init(&batch);
	while (filemap_get_folios(mapping, &index, ~0UL, &batch)) {
		check_move_unevictable_folios(&batch);
		folio_batch_release(&batch);
		cond_resched();
	}
}

static bool charge(struct mm_struct *mm, unsigned long pages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	s64 pinned = atomic64_read(&mm->pinned_vm);

	do {
		if (READ_ONCE(mm->locked_vm) + pinned + pages > limit && !capable(CAP_IPC_LOCK))
			return false;
	} while (!atomic64_try_cmpxchg(&mm->pinned_vm, &pinned, pinned + pages));
	return true;
}

/**
 * privheap_locked_charge() - count bytes against RLIMIT_MEMLOCK, if the heap is locked
 * @heap: of the calling process, its lock held
 * @bytes: that will be committed, whole pages
 *
 * Context: process, may sleep.
 * Return: 0 or -ENOMEM.
 */
int privheap_locked_charge(struct privheap_heap *heap, unsigned long bytes)
{
	if (!heap->locked || charge(heap->context->mm, bytes >> PAGE_SHIFT))
		return 0;
	if (heap->flags & PRIVHEAP_CREATE_LOCKED)
		return -ENOMEM;
	privheap_locked_uncharge(heap, privheap_heap_committed(heap));
	heap->locked = false;
	make_evictable(heap->file->f_mapping);
	return 0;
}

/**
 * privheap_locked_uncharge() - undo privheap_locked_charge()
 * @heap: its lock held
 * @bytes: that are not committed any more, whole pages
 *
 * Context: any.
 */
void privheap_locked_uncharge(struct privheap_heap *heap, unsigned long bytes)
{
	if (heap->locked)
		atomic64_sub(bytes >> PAGE_SHIFT, &heap->context->mm->pinned_vm);
}
