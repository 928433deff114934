// SPDX-License-Identifier: GPL-2.0
/*
 * The pages of a heap that has ended, and those that are pinned beyond it.
 *
 * A pipe (vmsplice), a direct I/O or an io_uring buffer holds a page by reference, and with one
 * small page of a huge one all 2 MiB. Such huge pages stay in the file, and charged, until they
 * are let go, for which they are looked at once a second: 192 bytes in pipes had held 376 MiB
 * that nobody was charged for. A small page that is pinned goes at once, as everywhere in the
 * kernel: nobody else gets it before it is let go, and it is no more than what its holder pins.
 *
 *	end of the heap -> all pages but pinned huge ones -> charge for those -> a look a second
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>
#include <linux/workqueue.h>

#include "heap.h"
#include "pinned.h"

#define LOOK_INTERVAL	HZ
#define TRIES		3	/* references may be passing ones: reclaim, compaction */

static struct workqueue_struct *queue;

/* The next large folio from index on, locked and referenced, or NULL. */
static struct folio *next_large(struct address_space *mapping, pgoff_t index)
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
static unsigned long truncate_unpinned(struct inode *inode)
{
	struct folio *folio;
	unsigned long kept = 0;
	loff_t from = 0;
	pgoff_t index = 0;

	while ((folio = next_large(inode->i_mapping, index))) {
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

static void look(struct work_struct *work)
{
	struct privheap_heap *heap = container_of(to_delayed_work(work), struct privheap_heap,
						  pinned_work);
	unsigned long kept = truncate_unpinned(file_inode(heap->file));

	privheap_ledger_uncharge(&heap->context->ledgers, heap->pinned - kept);
	heap->pinned = kept;
	if (kept)
		queue_delayed_work(queue, &heap->pinned_work, LOOK_INTERVAL);
	else
		privheap_heap_put(heap);
}

/**
 * privheap_pinned_free_pages() - free the pages of a heap that has ended, and its charge
 * @heap: size 0, nothing mapped; the caller holds a reference
 * @committed: what is charged
 *
 * What is pinned stays charged, and keeps the structure, until it is let go.
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_pinned_free_pages(struct privheap_heap *heap, unsigned long committed)
{
	struct inode *inode = file_inode(heap->file);
	int tries = TRIES;

	while ((heap->pinned = truncate_unpinned(inode)) && --tries)
		schedule_timeout_uninterruptible(1);
	privheap_ledger_uncharge(&heap->context->ledgers, committed - heap->pinned);
	if (!heap->pinned)
		return;
	privheap_heap_get(heap);
	INIT_DELAYED_WORK(&heap->pinned_work, look);
	queue_delayed_work(queue, &heap->pinned_work, LOOK_INTERVAL);
}

/**
 * privheap_pinned_init() - make ready
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int privheap_pinned_init(void)
{
	queue = alloc_workqueue("privheap", WQ_UNBOUND, 0);
	return queue ? 0 : -ENOMEM;
}

/**
 * privheap_pinned_exit() - undo privheap_pinned_init()
 *
 * Context: module unload: every heap's file is closed; the last look may still be returning.
 */
void privheap_pinned_exit(void)
{
	destroy_workqueue(queue);
}
