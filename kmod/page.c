// SPDX-License-Identifier: GPL-2.0
/*
 * Bringing a page of a heap into the page cache, zeroed once.
 *
 *	privheap_page_read()   the page somebody needs: every effort, tmpfs zeroes it
 *	privheap_page_try()    a page that would be nice to have: no effort, and no second zeroing
 *
 * With init_on_alloc (Debian's default) the page allocator has zeroed a page before tmpfs zeroes
 * it again, half the cost of a first touch. tmpfs leaves its own zeroing out for a page that is
 * about to be written whole (->write_begin): that is how the page is asked for here, and it is
 * declared up to date as it came, but only where the allocator promises zeroes.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "compat.h"
#include "heap.h"
#include "page.h"

/**
 * privheap_page_read() - bring in a page
 * @heap: which
 * @index: page number, below the commit
 *
 * Context: process, may sleep; also under an mmap_lock.
 * Return: the page with a reference; ERR_PTR(-EINVAL) if the commit has moved back meanwhile,
 * -ENOMEM or what else tmpfs says.
 */
struct page *privheap_page_read(struct privheap_heap *heap, pgoff_t index)
{
	return shmem_read_mapping_page_gfp(heap->file->f_mapping, index, GFP_HIGHUSER_MOVABLE);
}

/* The index after the folio of a page, which the caller has a reference on. */
static pgoff_t index_after(struct folio *folio, pgoff_t index)
{
	return max(index + 1, folio_next_index(folio));
}

static pgoff_t try_zeroing(struct privheap_heap *heap, pgoff_t index)
{
	struct address_space *mapping = heap->file->f_mapping;
	struct page *page = shmem_read_mapping_page_gfp(mapping, index, mapping_gfp_mask(mapping));
	pgoff_t next;

	if (IS_ERR(page))
		return index;
	next = index_after(page_folio(page), index);
	put_page(page);
	return next;
}

/*
 * ->write_begin does not look at the size, so a page can come that lies past a commit that has
 * just moved back or ended. It was never up to date, nobody has mapped it: drop it.
 */
static void drop_past_commit(struct privheap_heap *heap)
{
	struct inode *inode = file_inode(heap->file);

	mutex_lock(&heap->lock);
	shmem_truncate_range(inode, i_size_read(inode), (loff_t)-1);
	mutex_unlock(&heap->lock);
}

static pgoff_t try_zeroed(struct privheap_heap *heap, pgoff_t index)
{
	struct inode *inode = file_inode(heap->file);
	struct folio *folio = compat_write_begin(heap->file, index);
	pgoff_t next = index;

	if (IS_ERR(folio))
		return index;
	/* Marked as if somebody had written; it would go to the active list when unmapped. */
	folio_clear_referenced(folio);
	if (likely((loff_t)index << PAGE_SHIFT < i_size_read(inode))) {
		next = index_after(folio, index);
		if (!folio_test_uptodate(folio))
			folio_mark_uptodate(folio);
	}
	folio_unlock(folio);
	folio_put(folio);
	if (unlikely(next == index))
		drop_past_commit(heap);
	return next;
}

/**
 * privheap_page_try() - bring in a page if that is easy
 * @heap: which
 * @index: page number
 *
 * Context: process, may sleep; also under an mmap_lock; not under a page's lock or the heap's.
 * Return: the index after the folio that holds the page now, or @index if there is none.
 */
pgoff_t privheap_page_try(struct privheap_heap *heap, pgoff_t index)
{
	if (want_init_on_free() || want_init_on_alloc(0))
		return try_zeroed(heap, index);
	return try_zeroing(heap, index);
}
