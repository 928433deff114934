// SPDX-License-Identifier: GPL-2.0
/*
 * Commit: moving the size of a heap's file.
 *
 *	0               committed                              maximum
 *	|==================|. . . . . . . . . . . . . . . . . . . .|
 *	                   `--> charge the ledgers, then move i_size
 *
 * A page can only come to life below i_size: tmpfs sees to that, and page.c where it goes round
 * tmpfs. So nothing is resident that was not charged. The mark moves up only, with one exception:
 * a call that fails takes back what it added, as far as nobody has come to rely on it meanwhile.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>

#include "commit.h"
#include "heap.h"
#include "page.h"
#include "step.h"
#include "trace.h"
#include "watermark.h"

/* Moves the commit to what was charged, or tells that nothing was. Under the heap's lock. */
static int settle(struct privheap_heap *heap, unsigned long committed, unsigned long wanted,
		  unsigned long charged)
{
	if (charged == committed) {
		trace_deny(heap, committed, wanted);
		return -EDQUOT;
	}
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
 * Return: 0, -EDQUOT, or -ENOENT if the heap has ended.
 */
int privheap_commit_touch(struct privheap_heap *heap, unsigned long needed)
{
	struct privheap_ledger_chain *ledgers = &heap->context->ledgers;
	unsigned long committed;
	int err = 0;

	mutex_lock(&heap->lock);
	committed = privheap_heap_committed(heap);
	if (heap->ended)
		err = -ENOENT;
	else if (needed > committed)
		err = settle(heap, committed, needed,
			     privheap_watermark_touch(ledgers, committed, needed, heap->maximum));
	mutex_unlock(&heap->lock);
	return err;
}

/**
 * privheap_commit_fill() - make committed bytes resident
 * @heap: of the calling process
 * @span: which, at most the commit
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -ENOMEM, -ENOENT if the heap has ended, -EINTR if the caller is being killed.
 */
int privheap_commit_fill(struct privheap_heap *heap, const struct privheap_span *span)
{
	pgoff_t from = span->from >> PAGE_SHIFT, to = span->to >> PAGE_SHIFT;

	while (from < to) {
		pgoff_t next = privheap_page_try(heap, from);
		struct page *page;

		if (next == from) {
			page = privheap_page_read(heap, from);
			if (IS_ERR(page))
				return PTR_ERR(page) == -EINVAL ? -ENOENT : -ENOMEM;
			put_page(page);
			next = from + 1;
		}
		from = next;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/* Bytes that one fault at this page maps: the huge page or the window it lies in. */
static unsigned long span_of_fault(struct privheap_heap *heap, pgoff_t index)
{
	struct page *page = privheap_page_read(heap, index);
	unsigned long bytes = PRIVHEAP_WINDOW;

	if (IS_ERR(page))
		return bytes;
	bytes = max_t(unsigned long, bytes, folio_size(page_folio(page)));
	put_page(page);
	return bytes;
}

/**
 * privheap_commit_map() - map what privheap_commit_fill() brought in
 * @heap: of the calling process
 * @span: which
 *
 * So that the process does not fault for it. A convenience: where the process has unmapped or
 * protected a part, that part is passed over.
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
		bool unlocked = false;

		bytes = PRIVHEAP_WINDOW;
		if (!vma || vma->vm_start > address || vma->vm_file != heap->file)
			continue;
		bytes = span_of_fault(heap, offset >> PAGE_SHIFT);
		if (fixup_user_fault(mm, address, FAULT_FLAG_WRITE, &unlocked) == -EINTR)
			break;
		cond_resched();
	}
	mmap_read_unlock(mm);
}

/*
 * Has anybody used pages [from, to): is one mapped, or in swap? A fault at work on a page holds
 * its lock until the page is mapped and looks at i_size under it (lock_for_core() in vma.c, and
 * filemap_map_pages()). With i_size moved back first, a page whose lock was free once and that
 * was not mapped then cannot be mapped any more.
 */
static bool used(struct address_space *mapping, pgoff_t from, pgoff_t to)
{
	unsigned long index;
	void *entry;
	bool found = false;

	xa_for_each_range(&mapping->i_pages, index, entry, from, to - 1) {
		struct page *page = find_lock_page(mapping, index);

		if (page) {
			found = folio_mapped(page_folio(page));
			unlock_page(page);
			put_page(page);
		} else {
			found = xa_is_value(xa_load(&mapping->i_pages, index));
		}
		if (found)
			break;
		cond_resched();
	}
	return found;
}

/**
 * privheap_commit_take_back() - undo privheap_commit_add()
 * @heap: which
 * @added: what it added, not mapped by it
 *
 * What was added stays where the commit has moved on since, where some thread has used it, and
 * as far as another call was told that it is there: nothing is taken away that anybody has.
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_commit_take_back(struct privheap_heap *heap, const struct privheap_span *added)
{
	struct inode *inode = file_inode(heap->file);
	unsigned long from = added->to, to;

	mutex_lock(&heap->lock);
	to = max(added->from, heap->promised);
	if (heap->ended || privheap_heap_committed(heap) != from || to >= from)
		goto unlock;
	i_size_write(inode, to);
	if (used(inode->i_mapping, to >> PAGE_SHIFT, from >> PAGE_SHIFT)) {
		i_size_write(inode, from);
		goto unlock;
	}
	shmem_truncate_range(inode, to, (loff_t)-1);
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
 * Return: 0, -EDQUOT, or what privheap_commit_fill() returns.
 */
int privheap_commit_add(struct privheap_heap *heap, unsigned long committed, bool resident,
			struct privheap_span *added)
{
	struct privheap_ledger_chain *ledgers = &heap->context->ledgers;
	unsigned long before;
	int err = 0;

	mutex_lock(&heap->lock);
	before = privheap_heap_committed(heap);
	if (heap->ended)
		err = -ENOENT;
	else if (committed > before)
		err = settle(heap, before, committed,
			     privheap_watermark_call(ledgers, before, committed));
	else
		heap->promised = max(heap->promised, committed);
	mutex_unlock(&heap->lock);
	if (err)
		return err;

	*added = (struct privheap_span) { before, max(before, committed) };
	if (resident)
		err = privheap_commit_fill(heap, added);
	if (err)
		privheap_commit_take_back(heap, added);
	return err;
}
