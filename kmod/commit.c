// SPDX-License-Identifier: GPL-2.0
/*
 * Commit: moving the size of a heap's file.
 *
 *	0               committed                              maximum
 *	|==================|. . . . . . . . . . . . . . . . . . . .|
 *	                   `--> charge the ledgers, then move i_size
 *
 * A page can only come to life below i_size, and no folio reaches past it (page.c): nothing is
 * resident that was not charged. The mark moves up only, with one exception: a call that fails
 * takes back what it added, as far as nothing relies on it by then.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "commit.h"
#include "compat.h"
#include "heap.h"
#include "locked.h"
#include "page.h"
#include "policy.h"
#include "trace.h"

/*
 * Publishes the charged size as i_size; -EDQUOT if nothing was charged. A locked heap whose limit
 * does not allow the step gets what was wanted, or nothing. The caller holds heap->lock.
 */
static int commit_publish(struct privheap_heap *heap, unsigned long committed,
			  unsigned long wanted, unsigned long charged)
{
	struct privheap_ledger_chain *ledgers = &heap->context->ledgers;

	if (charged == committed) {
		trace_deny(heap, committed, wanted);
		return -EDQUOT;
	}
	if (privheap_locked_charge(heap, charged - committed)) {
		privheap_ledger_uncharge(ledgers, charged - wanted);
		charged = wanted;
		if (privheap_locked_charge(heap, charged - committed)) {
			privheap_ledger_uncharge(ledgers, charged - committed);
			trace_deny(heap, committed, wanted);
			return -ENOMEM;
		}
	}
	WRITE_ONCE(heap->committed, charged);
	smp_wmb();	/* pairs with heap_read_stat(): resident never exceeds it */
	i_size_write(file_inode(heap->file), charged);
	trace_commit(heap, committed, charged);
	return 0;
}

/**
 * privheap_commit_touch() - commit for a fault
 * @heap: which
 * @needed: bytes from the base that must be committed, at most the maximum
 *
 * Commits a step more than needed, to save faults, or only what is needed where a quota is
 * nearly used.
 *
 * Context: process, may sleep; also under an mmap_lock.
 * Return: 0, -EDQUOT, -ENOMEM beyond RLIMIT_MEMLOCK, or -ENOENT if the heap has ended.
 */
int privheap_commit_touch(struct privheap_heap *heap, unsigned long needed)
{
	struct privheap_ledger_chain *ledgers = &heap->context->ledgers;
	unsigned long committed;
	int err = 0;

	mutex_lock(&heap->lock);
	committed = privheap_heap_committed(heap);
	if (heap->dead)
		err = -ENOENT;
	else if (needed > committed)
		err = commit_publish(heap, committed, needed,
				     privheap_watermark_touch(ledgers, committed, needed,
							      heap->maximum));
	mutex_unlock(&heap->lock);
	return err;
}

/**
 * privheap_commit_reaches() - is a byte committed
 * @heap: which
 * @needed: bytes from the base
 *
 * Waits for the end of a roll-back, during which the file's size is lower than the commit may
 * be after it.
 *
 * Context: process, may sleep; also under an mmap_lock.
 * Return: true if it is.
 */
bool privheap_commit_reaches(struct privheap_heap *heap, unsigned long needed)
{
	bool reaches;

	mutex_lock(&heap->lock);
	reaches = needed <= privheap_heap_committed(heap);
	mutex_unlock(&heap->lock);
	return reaches;
}

/* May huge pages be made for that page, as the process has asked? */
static bool commit_takes_huge(struct privheap_heap *heap, pgoff_t index)
{
	unsigned long address = heap->base + (index << PAGE_SHIFT);
	struct mm_struct *mm = heap->context->mm;
	struct vm_area_struct *vma;
	bool takes = !compat_thp_disabled(mm);

	if (!takes || !heap->base)
		return takes;
	mmap_read_lock(mm);
	vma = find_vma(mm, address);
	if (vma && vma->vm_start <= address)
		takes = privheap_page_takes_huge(vma);
	mmap_read_unlock(mm);
	return takes;
}

/*
 * Makes committed bytes resident. Where memory is short it fails, and nothing is killed for it:
 * 0, -ENOMEM, -ENOENT if the heap has ended, -EINTR if the caller is being killed. No lock held.
 */
static int commit_populate(struct privheap_heap *heap, const struct privheap_span *span)
{
	pgoff_t from = span->from >> PAGE_SHIFT, to = span->to >> PAGE_SHIFT;
	pgoff_t next, look = from;
	bool huge = true;

	for (; from < to; from = next) {
		if (from >= look && privheap_page_may_be_huge(heap, from)) {
			huge = commit_takes_huge(heap, from);
			look = round_up(from + 1, PMD_SIZE >> PAGE_SHIFT);
		}
		if (down_read_killable(&heap->mask))
			return -EINTR;
		next = privheap_page_populate_nowait(heap, from, huge);
		if (next == from)
			next = privheap_page_populate_nowait(heap, from, false);
		up_read(&heap->mask);
		if (next == from)
			return READ_ONCE(heap->dead) ? -ENOENT : -ENOMEM;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * privheap_commit_map() - map what was made resident
 * @heap: of the calling process
 * @span: which
 *
 * So that the process does not fault for it. A convenience: what the process has unmapped or
 * protected, and what reclaim has taken again, is passed over: bringing that in might kill for
 * memory. A page that is held stays.
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_commit_map(struct privheap_heap *heap, const struct privheap_span *span)
{
	struct mm_struct *mm = heap->context->mm;
	unsigned long offset, bytes;

	if (mmap_read_lock_killable(mm))
		return;
	for (offset = span->from; offset < span->to; offset = (offset & -bytes) + bytes) {
		unsigned long address = heap->base + offset;
		struct vm_area_struct *vma = find_vma(mm, address);
		struct folio *folio;
		bool unlocked = false;
		int err;

		bytes = PRIVHEAP_WINDOW;
		if (!vma || vma->vm_start > address || vma->vm_file != heap->file)
			continue;
		folio = filemap_get_folio(heap->file->f_mapping, offset >> PAGE_SHIFT);
		if (IS_ERR_OR_NULL(folio))
			continue;
		bytes = max_t(unsigned long, bytes, folio_size(folio));
		err = fixup_user_fault(mm, address, FAULT_FLAG_WRITE, &unlocked);
		folio_put(folio);
		if (err == -EINTR)
			break;
		cond_resched();
	}
	mmap_read_unlock(mm);
}

/* The folio at index, locked and referenced; NULL if there is none, or it is in swap. */
static struct folio *commit_lock_folio(struct address_space *mapping, pgoff_t index)
{
	struct folio *folio = filemap_lock_folio(mapping, index);

	return IS_ERR(folio) ? NULL : folio;
}

/*
 * Is a folio, locked and referenced by the caller, in use: mapped, or written to once, or (a
 * large one: where small ones are kept for the CPUs' lists, references say nothing) pinned?
 */
static bool commit_folio_in_use(struct folio *folio)
{
	return folio_mapped(folio) || folio_test_dirty(folio) || folio_test_writeback(folio) ||
	       (folio_test_large(folio) && folio_ref_count(folio) > folio_nr_pages(folio) + 1);
}

/*
 * Are pages [from, to) in use, or in swap? A fault at work on a page holds its lock until the page
 * is mapped and looks at i_size under it (vma_fault_alone() in vma.c, and filemap_map_pages()).
 * With i_size moved back first, a page whose lock was free once and that was not in use then cannot
 * be mapped any more.
 */
static bool commit_range_in_use(struct address_space *mapping, pgoff_t from, pgoff_t to)
{
	unsigned long index;
	void *entry;
	bool found = false;

	xa_for_each_range(&mapping->i_pages, index, entry, from, to - 1) {
		struct folio *folio = commit_lock_folio(mapping, index);

		if (folio) {
			found = commit_folio_in_use(folio);
			folio_unlock(folio);
			folio_put(folio);
		} else {
			found = xa_is_value(xa_load(&mapping->i_pages, index));
		}
		if (found)
			break;
		cond_resched();
	}
	return found;
}

/*
 * Moves i_size down to at least to, so that no folio reaches past it: one that would is removed
 * as a whole if it is not in use, as it then holds nothing but zeroes; else the size stays at
 * its end. Splitting it would fail where it is pinned. Returns the size.
 */
static unsigned long commit_fold_back(struct inode *inode, unsigned long to)
{
	struct folio *folio;
	unsigned long end;

	i_size_write(inode, to);
	smp_mb();	/* pairs with privheap_page_is_committed() */
	folio = to ? commit_lock_folio(inode->i_mapping, (to >> PAGE_SHIFT) - 1) : NULL;
	if (!folio)
		return to;
	end = folio_next_index(folio) << PAGE_SHIFT;
	if (end > to && !commit_folio_in_use(folio)) {
		generic_error_remove_folio(inode->i_mapping, folio);
	} else if (end > to) {
		to = end;
		i_size_write(inode, to);
	}
	folio_unlock(folio);
	folio_put(folio);
	return to;
}

/**
 * privheap_commit_rollback() - undo privheap_commit_add()
 * @heap: which
 * @added: what it added, not mapped by it
 *
 * What was added stays where the commit has moved on since, where a thread has used it, and as
 * far as another call was told that it is there: nothing in use is taken away.
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_commit_rollback(struct privheap_heap *heap, const struct privheap_span *added)
{
	struct inode *inode = file_inode(heap->file);
	unsigned long from = added->to, to;

	mutex_lock(&heap->lock);
	to = max(added->from, heap->acked);
	if (heap->dead || privheap_heap_committed(heap) != from || to >= from)
		goto unlock;
	to = commit_fold_back(inode, to);
	if (commit_range_in_use(inode->i_mapping, to >> PAGE_SHIFT, from >> PAGE_SHIFT)) {
		i_size_write(inode, from);
		goto unlock;
	}
	shmem_truncate_range(inode, to, (loff_t)-1);
	WRITE_ONCE(heap->committed, to);
	privheap_locked_uncharge(heap, from - to);
	privheap_ledger_uncharge(&heap->context->ledgers, from - to);
	trace_commit(heap, from, to);
unlock:
	mutex_unlock(&heap->lock);
}

/**
 * privheap_commit_add() - commit for a call
 * @heap: of the calling process
 * @committed: bytes that shall be committed at least, whole pages, at most the maximum
 * @resident: make what this call adds resident; if that fails take it back
 * @added: out: what this call has added, empty if that was there already
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -EDQUOT, -ENOMEM (memory, or RLIMIT_MEMLOCK), -ENOENT if the heap has ended, or -EINTR
 * if the caller is being killed.
 */
int privheap_commit_add(struct privheap_heap *heap, unsigned long committed, bool resident,
			struct privheap_span *added)
{
	struct privheap_ledger_chain *ledgers = &heap->context->ledgers;
	unsigned long before;
	int err = 0;

	mutex_lock(&heap->lock);
	before = privheap_heap_committed(heap);
	if (heap->dead)
		err = -ENOENT;
	else if (committed > before)
		err = commit_publish(heap, before, committed,
				     privheap_watermark_call(ledgers, before, committed));
	else
		heap->acked = max(heap->acked, committed);
	mutex_unlock(&heap->lock);
	if (err)
		return err;

	*added = (struct privheap_span) { before, max(before, committed) };
	if (resident)
		err = commit_populate(heap, added);
	if (err)
		privheap_commit_rollback(heap, added);
	return err;
}
