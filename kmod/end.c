// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a heap, once, and the pages that are pinned beyond it.
 *
 * A pipe (vmsplice), a direct I/O or an io_uring buffer holds a page by reference, and with one
 * small page of a huge one all 2 MiB. Such huge pages stay in the file, and charged, until they
 * are let go, for which they are checked once a second: 192 bytes in pipes had held 376 MiB
 * without a charge. A small page that is pinned goes at once, as everywhere in the
 * kernel: it is not reused before it is let go, and it is no more than what its holder pins.
 *
 *	end of the heap -> all pages but pinned huge ones -> charge for those -> a check a second
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/workqueue.h>

#include "end.h"
#include "heap.h"
#include "locked.h"
#include "trace.h"

#define RECHECK_INTERVAL	HZ
#define TRIES		3	/* references may be passing ones: reclaim, compaction */

static struct workqueue_struct *queue;

/* The next large folio from index on, locked and referenced, or NULL. */
static struct folio *end_next_large(struct address_space *mapping, pgoff_t index)
{
	XA_STATE(xas, &mapping->i_pages, index);
	struct folio *folio;

	rcu_read_lock();
	xas_for_each(&xas, folio, ULONG_MAX) {
		if (xas_retry(&xas, folio) || xa_is_value(folio) || !folio_test_large(folio))
			continue;
		if (!folio_try_get(folio))
			continue;
		rcu_read_unlock();
		folio_lock(folio);
		if (folio->mapping == mapping && folio_test_large(folio))
			return folio;
		folio_unlock(folio);
		folio_put(folio);
		rcu_read_lock();
		xas_reset(&xas);
	}
	rcu_read_unlock();
	return NULL;
}

/* Frees every page of the file but pinned huge ones; bytes that these are. */
static unsigned long end_truncate_unpinned(struct inode *inode)
{
	struct folio *folio;
	unsigned long kept = 0;
	loff_t from = 0;
	pgoff_t index = 0;

	while ((folio = end_next_large(inode->i_mapping, index))) {
		loff_t start = folio_pos(folio), end = start + folio_size(folio);
		bool pinned = folio_ref_count(folio) > folio_nr_pages(folio) + 1;

		index = folio_next_index(folio);
		folio_unlock(folio);
		folio_put(folio);
		if (!pinned)
			continue;
		kept += end - start;
		if (start > from)
			shmem_truncate_range(inode, from, start - 1);
		from = end;
	}
	shmem_truncate_range(inode, from, (loff_t)-1);
	return kept;
}

static void end_recheck(struct work_struct *work)
{
	struct privheap_heap *heap = container_of(to_delayed_work(work), struct privheap_heap,
						  pinned_work);
	unsigned long kept = end_truncate_unpinned(file_inode(heap->file));

	privheap_ledger_uncharge(&heap->context->ledgers, heap->pinned - kept);
	heap->pinned = kept;
	if (kept)
		queue_delayed_work(queue, &heap->pinned_work, RECHECK_INTERVAL);
	else
		privheap_heap_put(heap);
}

/*
 * Frees the pages of a heap of size 0, with nothing mapped, and what is charged for them. What is
 * pinned stays charged, and keeps the structure, until it is let go.
 */
static void end_free_pages(struct privheap_heap *heap, unsigned long committed)
{
	struct inode *inode = file_inode(heap->file);
	int tries = TRIES;

	while ((heap->pinned = end_truncate_unpinned(inode)) && --tries)
		schedule_timeout_uninterruptible(1);
	privheap_ledger_uncharge(&heap->context->ledgers, committed - heap->pinned);
	if (!heap->pinned)
		return;
	privheap_heap_get(heap);
	INIT_DELAYED_WORK(&heap->pinned_work, end_recheck);
	queue_delayed_work(queue, &heap->pinned_work, RECHECK_INTERVAL);
}

/**
 * privheap_end() - give back pages, charge and number; once, however often it is called
 * @heap: which
 *
 * VMAs that remain (in another mm) show nothing any more, and huge pages that are pinned stay
 * charged . Both keep the structures, and so the heap is still one of the number that
 * its owner may have.
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_end(struct privheap_heap *heap)
{
	struct inode *inode = file_inode(heap->file);
	struct privheap_context *context = heap->context;
	unsigned long committed;

	mutex_lock(&heap->lock);
	if (heap->dead) {
		mutex_unlock(&heap->lock);
		return;
	}
	heap->dead = true;
	committed = privheap_heap_committed(heap);
	i_size_write(inode, 0);
	privheap_locked_uncharge(heap, committed);
	mutex_unlock(&heap->lock);

	xa_erase(&context->heaps, heap->id);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
	end_free_pages(heap, committed);
	trace_destroy(heap, committed);
}

/**
 * privheap_end_init() - make ready
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int privheap_end_init(void)
{
	queue = alloc_workqueue("privheap", WQ_UNBOUND, 0);
	return queue ? 0 : -ENOMEM;
}

/**
 * privheap_end_exit() - undo privheap_end_init()
 *
 * Context: module unload: every heap's file is closed; the last recheck may still be returning.
 */
void privheap_end_exit(void)
{
	destroy_workqueue(queue);
}
