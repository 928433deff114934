// SPDX-License-Identifier: GPL-2.0
/*
 * Bringing a page of a heap into the page cache, zeroed once.
 *
 *	populate_nowait   a page that may be done without: no OOM kill for it; huge where 2 MiB of
 *			  the commit lie around it
 *	populate          the page that a fault needs: every effort, one small page
 *
 * No folio here ever ends past the commit: it could be mapped whole, and would be memory that
 * was not charged. Huge folios come by ->write_begin alone, which hands them out locked
 * and not up to date, so that they cannot be mapped: one that does not fit is removed before it
 * is either. tmpfs itself makes none that does not fit, but where the administrator has set
 * shmem_enabled to "force", or the commit has just moved back. Small pages come by tmpfs's own
 * fault handler, which sees a VMA that refuses huge ones.
 *
 * With init_on_alloc (Debian's default) the page allocator has zeroed a page before tmpfs zeroes
 * it again, half the cost of a first touch. After ->write_begin zeroing is the caller's: left
 * out here where the allocator promises zeroes.
 */
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "compat.h"
#include "heap.h"
#include "page.h"
#include "tmpfs.h"

static pgoff_t page_committed(const struct privheap_heap *heap)
{
	return privheap_heap_committed(heap) >> PAGE_SHIFT;
}

/**
 * privheap_page_is_committed() - does a folio lie inside the commit as a whole
 * @heap: whose
 * @folio: locked by the caller
 *
 * Pairs with commit_fold_back(): a folio is in the page cache before its user looks at the
 * size; a roll-back moves the size before it looks at the page cache.
 *
 * Context: any.
 * Return: true if it does.
 */
bool privheap_page_is_committed(const struct privheap_heap *heap, struct folio *folio)
{
	smp_mb();	/* pairs with commit_fold_back()'s, see above */
	return folio_next_index(folio) <= page_committed(heap);
}

/**
 * privheap_page_may_be_huge() - does the huge page around a page lie inside the commit
 * @heap: which
 * @index: page number
 *
 * Context: any.
 * Return: true if it does.
 */
bool privheap_page_may_be_huge(const struct privheap_heap *heap, pgoff_t index)
{
	return round_up(index + 1, PMD_SIZE >> PAGE_SHIFT) <= page_committed(heap);
}

/**
 * privheap_page_takes_huge() - may huge pages be made for a VMA
 * @vma: of a heap
 *
 * Context: under the mmap_lock or a VMA lock, or for a VMA that is being made.
 * Return: false if the process has asked for none, by madvise(2) or prctl(2).
 */
bool privheap_page_takes_huge(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_NOHUGEPAGE) && !compat_thp_disabled(vma->vm_mm);
}

static bool page_allocator_zeroes(void)
{
	return want_init_on_free() || want_init_on_alloc(0);
}

static void page_zero(struct folio *folio)
{
	long i, n = folio_nr_pages(folio);

	for (i = 0; i < n; i++) {
		clear_highpage(folio_page(folio, i));
		cond_resched();
	}
	flush_dcache_folio(folio);
}

/* As privheap_page_populate_nowait(); a fresh folio that does not fit is gone again. */
static pgoff_t page_populate_any(struct privheap_heap *heap, pgoff_t index)
{
	struct folio *folio = compat_write_begin(heap->file, index);
	pgoff_t next = index;

	if (IS_ERR(folio))
		return index;
	/* Marked as if it had been written; it would go to the active list when unmapped. */
	folio_clear_referenced(folio);
	if (likely(privheap_page_is_committed(heap, folio))) {
		next = max(index + 1, folio_next_index(folio));
		if (!folio_test_uptodate(folio)) {
			if (!page_allocator_zeroes())
				page_zero(folio);
			folio_mark_uptodate(folio);
		}
	} else if (!folio_test_uptodate(folio)) {
		if (folio_test_large(folio))
			WRITE_ONCE(heap->huge_misfits, true);
		generic_error_remove_folio(heap->file->f_mapping, folio);
	}
	folio_unlock(folio);
	folio_put(folio);
	return next;
}

/* The page, which is small if it was not there, locked and referenced. */
static vm_fault_t page_lock_small(struct privheap_heap *heap, pgoff_t index, struct page **page)
{
	struct vm_area_struct vma = { .vm_file = heap->file, .vm_mm = heap->context->mm };
	struct vm_fault vmf = { .vma = &vma, .pgoff = index };
	vm_fault_t ret;

	vm_flags_init(&vma, VM_SHARED | VM_NOHUGEPAGE);
	ret = privheap_tmpfs_vm_ops()->fault(&vmf);
	*page = vmf.page;
	return ret;
}

static pgoff_t page_populate_small(struct privheap_heap *heap, pgoff_t index)
{
	struct page *page;
	pgoff_t next;

	if (!(page_lock_small(heap, index, &page) & VM_FAULT_LOCKED))
		return index;
	next = max(index + 1, folio_next_index(page_folio(page)));
	unlock_page(page);
	put_page(page);
	return next;
}

/**
 * privheap_page_populate_nowait() - bring in a page if there is memory without killing for it
 * @heap: which
 * @index: page number
 * @huge: may it be a huge page, where that fits
 *
 * Where nothing at all may be killed for it the caller holds the heap's mask for reading.
 *
 * Context: process, may sleep; also under an mmap_lock; not under a page's lock or the heap's.
 * Return: the index after the folio that holds the page now, or @index if there is none.
 */
pgoff_t privheap_page_populate_nowait(struct privheap_heap *heap, pgoff_t index, bool huge)
{
	if (!huge ||
	    (READ_ONCE(heap->huge_misfits) && !privheap_page_may_be_huge(heap, index)))
		return page_populate_small(heap, index);
	return page_populate_any(heap, index);
}

/**
 * privheap_page_populate() - bring in the page that a fault needs
 * @heap: which
 * @index: page number
 * @page: out: the page, locked and referenced, if VM_FAULT_LOCKED is returned
 *
 * While it is at work other faults in the heap may kill for memory, too; no call may.
 *
 * Context: process, may sleep; also under an mmap_lock; not under a page's lock or the heap's.
 * Return: VM_FAULT_LOCKED, or VM_FAULT_OOM, or VM_FAULT_SIGBUS where the commit has moved back,
 * swap could not be read or the caller is being killed; with VM_FAULT_MAJOR or not.
 */
vm_fault_t privheap_page_populate(struct privheap_heap *heap, pgoff_t index, struct page **page)
{
	struct address_space *mapping = heap->file->f_mapping;
	vm_fault_t ret;

	if (down_write_killable(&heap->mask))
		return VM_FAULT_SIGBUS;
	mapping_set_gfp_mask(mapping, PRIVHEAP_GFP_NEEDED);
	ret = page_lock_small(heap, index, page);
	mapping_set_gfp_mask(mapping, PRIVHEAP_GFP);
	up_write(&heap->mask);
	return ret;
}
