// SPDX-License-Identifier: GPL-2.0
/*
 * The VMAs of a heap, and the faults in them.
 *
 *	write to base + 5 MiB -> past the commit? -> charge, move i_size (commit.c)
 *	                             | no               | refused: SIGBUS
 *	                             v                  v
 *	    map what is in the window (128 KiB, or the huge page around the fault) and done;
 *	    not there? bring in the window, or the page if it stands alone (page.c), map, done;
 *	    memory is short? bring in the one page, locked, for core mm to map
 *
 * Only the process's own touch commits, and what the kernel writes for it (read(2) into a
 * heap). What only looks past the commit is refused: a core dump, a debugger, mlockall(2)
 * populating every mapping, write(2) from bytes that were never written.
 *
 * A heap starts as one VMA of its creator. It may be split (mprotect, partial munmap) and
 * shrink; it never grows or moves. Owner VMAs are counted and the heap ends with the last.
 * VM_DONTEXPAND makes the VMA special: khugepaged and MADV_COLLAPSE, which would fill in pages
 * past the commit, leave it alone; so does mlock(2), instead of which there are locked heaps.
 * A VMA in another mm (a child after MADV_DOFORK) keeps the structures alive, shows nothing.
 */
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "commit.h"
#include "compat.h"
#include "end.h"
#include "heap.h"
#include "page.h"
#include "policy.h"
#include "tmpfs.h"
#include "trace.h"
#include "vma.h"

#define WINDOW_PAGES	(PRIVHEAP_WINDOW >> PAGE_SHIFT)
#define NEARBY		(max(WINDOW_PAGES / 4, 2UL) - 1)

static bool vma_is_owner(const struct vm_area_struct *vma)
{
	const struct privheap_heap *heap = vma->vm_private_data;

	return vma->vm_mm == heap->context->mm;
}

static void vma_open(struct vm_area_struct *vma)
{
	struct privheap_heap *heap = vma->vm_private_data;

	privheap_heap_get(heap);
	if (vma_is_owner(vma))
		atomic_inc(&heap->nr_vmas);
	else
		vm_flags_set(vma, VM_DONTCOPY | VM_WIPEONFORK);
}

/* A DESTROY at work ends the heap itself, without the mmap_lock that is held here. */
static void vma_close(struct vm_area_struct *vma)
{
	struct privheap_heap *heap = vma->vm_private_data;

	if (vma_is_owner(vma) && atomic_dec_and_test(&heap->nr_vmas) &&
	    !test_bit(HEAP_DYING, &heap->state))
		privheap_end(heap);
	privheap_heap_put(heap);
}

static int vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/*
 * The window around the fault, cut to the VMA, to the commit and to the page table that the
 * address lies in: filemap_map_pages() fills that one table. False if none is left.
 */
static bool vma_window(const struct vm_fault *vmf, pgoff_t committed, pgoff_t *first, pgoff_t *last)
{
	struct vm_area_struct *vma = vmf->vma;
	pgoff_t start = round_down(vmf->pgoff, WINDOW_PAGES);
	pgoff_t in_table = pte_index(vmf->address);

	if (vmf->pgoff >= committed)
		return false;
	*first = max3(start, vma->vm_pgoff, vmf->pgoff - min(vmf->pgoff, in_table));
	*last = min3(start + WINDOW_PAGES, vma->vm_pgoff + vma_pages(vma), committed) - 1;
	*last = min(*last, vmf->pgoff + PTRS_PER_PTE - 1 - in_table);
	return true;
}

/*
 * filemap_map_pages() installs the page table that core mm prepared for this fault; where the
 * table was there and went (a collapse) it finds none and maps nothing.
 */
static vm_fault_t vma_map_window(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	if (pmd_none(*vmf->pmd) && !vmf->prealloc_pte)
		return 0;
	return filemap_map_pages(vmf, first, last);
}

/*
 * Is this touch one of many in a row: was a page nearby brought in before? The first of a row,
 * and a touch that stands alone, get their own page and no more: with the whole window a sparse
 * pattern would pay for sixteen pages a touch. Several threads side by side are a row, too.
 */
static bool vma_is_in_a_row(struct address_space *mapping, pgoff_t pgoff)
{
	unsigned long index = max_t(pgoff_t, pgoff, NEARBY) - NEARBY;

	return xa_find(&mapping->i_pages, &index, pgoff + NEARBY, XA_PRESENT);
}

/* Brings in the page and, in a row, the rest of its window, as far as that is easy. */
static void vma_fill_window(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	bool huge = privheap_page_takes_huge(vmf->vma);
	pgoff_t index, next;

	if (!vma_is_in_a_row(vmf->vma->vm_file->f_mapping, vmf->pgoff)) {
		first = vmf->pgoff;
		last = first;
	}
	for (index = first; index <= last; index = next) {
		next = privheap_page_populate_nowait(vmf->vma->vm_private_data, index, huge);
		if (next == index)
			break;
	}
}

/*
 * The page alone, locked, for core mm to map, if it lies inside the commit; else the fault is
 * to be tried again.
 */
static vm_fault_t vma_fault_alone(struct vm_fault *vmf)
{
	struct privheap_heap *heap = vmf->vma->vm_private_data;
	struct page *page;
	vm_fault_t ret = privheap_page_populate(heap, vmf->pgoff, &page);

	if (!(ret & VM_FAULT_LOCKED)) {
		bool gone = vmf->pgoff >= privheap_heap_committed(heap) >> PAGE_SHIFT;

		return gone ? VM_FAULT_NOPAGE : ret;
	}
	if (!privheap_page_is_committed(heap, page_folio(page))) {
		unlock_page(page);
		put_page(page);
		return VM_FAULT_NOPAGE;
	}
	vmf->page = page;
	return ret;
}

/*
 * The page is inside the commit, or was a moment ago. fresh: this fault has just moved the commit
 * there, so the page cannot be there yet and is not looked for.
 */
static vm_fault_t vma_fault_page(struct vm_fault *vmf, bool fresh)
{
	struct address_space *mapping = vmf->vma->vm_file->f_mapping;
	pgoff_t first, last, committed = i_size_read(mapping->host) >> PAGE_SHIFT;

	if (!vma_window(vmf, committed, &first, &last))
		return VM_FAULT_NOPAGE;
	if (!fresh && (vma_map_window(vmf, first, last) & VM_FAULT_NOPAGE))
		return VM_FAULT_NOPAGE;
	vma_fill_window(vmf, first, last);
	if (vma_map_window(vmf, first, last) & VM_FAULT_NOPAGE)
		return VM_FAULT_NOPAGE;
	return vma_fault_alone(vmf);
}

/* Faults on behalf of another task (ptrace, /proc/PID/mem) are charged to the heap's own mm. */
static vm_fault_t vma_fault_remote(struct vm_fault *vmf, bool fresh)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(vmf->vma->vm_mm);
	struct mem_cgroup *before = set_active_memcg(memcg);
	vm_fault_t ret = vma_fault_page(vmf, fresh);

	set_active_memcg(before);
	mem_cgroup_put(memcg);
	return ret;
}

/* Does this fault only look, where a touch would commit? */
static bool vma_is_read_only_access(const struct vm_fault *vmf)
{
	return !(vmf->flags & (FAULT_FLAG_USER | FAULT_FLAG_WRITE)) ||
	       (vmf->flags & FAULT_FLAG_REMOTE) || current->mm != vmf->vma->vm_mm ||
	       (current->flags & PF_DUMPCORE);
}

static vm_fault_t vma_fault_checked(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct privheap_heap *heap = vma->vm_private_data;
	unsigned long needed = (vmf->pgoff + 1) << PAGE_SHIFT;
	bool fresh;

	if (!vma_is_owner(vma) || needed > heap->maximum)
		return VM_FAULT_SIGBUS;
	fresh = needed > privheap_heap_committed(heap);
	if (fresh && (vma_is_read_only_access(vmf) ? !privheap_commit_reaches(heap, needed) :
				     privheap_commit_touch(heap, needed)))
		return VM_FAULT_SIGBUS;
	if (likely(current->mm == vma->vm_mm))
		return vma_fault_page(vmf, fresh);
	return vma_fault_remote(vmf, fresh);
}

static vm_fault_t vma_fault(struct vm_fault *vmf)
{
	vm_fault_t ret = vma_fault_checked(vmf);

	trace_fault(vmf->vma->vm_private_data, vmf->pgoff << PAGE_SHIFT, (__force unsigned int)ret);
	return ret;
}

static vm_fault_t vma_map_pages(struct vm_fault *vmf, pgoff_t first, pgoff_t last)
{
	return vma_is_owner(vmf->vma) ? filemap_map_pages(vmf, first, last) : 0;
}

#ifdef CONFIG_NUMA
static int vma_set_policy(struct vm_area_struct *vma, struct mempolicy *policy)
{
	return privheap_tmpfs_vm_ops()->set_policy(vma, policy);
}
#endif

static const struct vm_operations_struct vma_ops = {
	.open = vma_open,
	.close = vma_close,
	.mremap = vma_mremap,
	.fault = vma_fault,
	.map_pages = vma_map_pages,
#ifdef CONFIG_NUMA
	.set_policy = vma_set_policy,
	.get_policy = compat_get_policy,
#endif
};

/**
 * privheap_vma_mmap() - accept the one mapping that CREATE makes
 * @file: the heap's
 * @vma: the mapping
 *
 * Context: under the mmap_lock for writing.
 * Return: 0, or -EPERM for every mapping but that one.
 */
int privheap_vma_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct privheap_heap *heap = file->private_data;

	if (heap->base || vma->vm_mm != heap->context->mm || vma->vm_pgoff ||
	    vma->vm_end - vma->vm_start != heap->maximum || !(vma->vm_flags & VM_SHARED))
		return -EPERM;
	vm_flags_set(vma, VM_DONTCOPY | VM_DONTEXPAND);
	if (!(heap->flags & PRIVHEAP_CREATE_EXEC))
		vm_flags_clear(vma, VM_EXEC | VM_MAYEXEC);
	if (heap->flags & PRIVHEAP_CREATE_SECRET)
		vm_flags_set(vma, VM_IO | VM_DONTDUMP);
	WRITE_ONCE(heap->base, vma->vm_start);
	vma->vm_private_data = heap;
	vma->vm_ops = &vma_ops;
	privheap_heap_get(heap);
	atomic_inc(&heap->nr_vmas);
	return 0;
}

/* The first VMA of the heap in its range from an address on; false if there is none. */
static bool vma_find_piece(struct privheap_heap *heap, unsigned long address,
			   unsigned long *start, unsigned long *end)
{
	struct mm_struct *mm = heap->context->mm;
	struct vm_area_struct *vma;
	bool found = false;

	mmap_read_lock(mm);
	while (!found && (vma = find_vma(mm, address)) &&
	       vma->vm_start < heap->base + heap->maximum) {
		found = vma->vm_file == heap->file;
		*start = vma->vm_start;
		*end = vma->vm_end;
		address = vma->vm_end;
	}
	mmap_read_unlock(mm);
	return found;
}

/**
 * privheap_vma_unmap_all() - unmap what is left of the heap in its range
 * @heap: of the calling process
 *
 * What the process itself has mapped over a part is passed over. Pieces neither move nor appear
 * again, so none can be left behind by going on where the last one ended. There may be as many as
 * a process may have mappings.
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, or what munmap said of a piece, or -EINTR if the caller was killed after the first
 * one: the rest is then still mapped.
 */
int privheap_vma_unmap_all(struct privheap_heap *heap)
{
	unsigned long start, end, address = heap->base;
	int err;

	while (vma_find_piece(heap, address, &start, &end)) {
		if (address != heap->base && fatal_signal_pending(current))
			return -EINTR;
		err = vm_munmap(start, end - start);
		if (err)
			return err;
		address = end;
		cond_resched();
	}
	return 0;
}
