/* SPDX-License-Identifier: GPL-2.0 */
/* Every difference between the kernels this module supports, 6.1 and later, and nothing else. */
#ifndef PRIVHEAP_COMPAT_H
#define PRIVHEAP_COMPAT_H

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/huge_mm.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

/* Folio batches: seen here in 6.12, there in 7.3. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#include <linux/pagevec.h>
#else
#include <linux/folio_batch.h>
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}

static inline void vm_flags_init(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags = flags;
}
#endif

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
static inline int generic_error_remove_folio(struct address_space *mapping, struct folio *folio)
{
	return generic_error_remove_page(mapping, &folio->page);
}
#endif

/* Has the process asked for no huge pages at all (PR_SET_THP_DISABLE)? */
static inline bool compat_thp_disabled(const struct mm_struct *mm)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
	return test_bit(MMF_DISABLE_THP, &mm->flags);
#else
	return mm_flags_test(MMF_DISABLE_THP_COMPLETELY, mm);
#endif
}

/*
 * ->get_policy for a heap's VMA: tmpfs's, which is given one argument more since 6.7. tmpfs.c
 * includes this file, so its header is not included here.
 */
#ifdef CONFIG_NUMA
const struct vm_operations_struct *privheap_tmpfs_vm_ops(void);

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
static inline struct mempolicy *compat_get_policy(struct vm_area_struct *vma,
						  unsigned long address)
{
	return privheap_tmpfs_vm_ops()->get_policy(vma, address);
}
#else
static inline struct mempolicy *compat_get_policy(struct vm_area_struct *vma,
						  unsigned long address, pgoff_t *ilx)
{
	return privheap_tmpfs_vm_ops()->get_policy(vma, address, ilx);
}
#endif
#endif

/* Where a mapping goes: at a multiple of the huge page's size, if it is that large. */
static inline unsigned long compat_unmapped_area(struct file *file, unsigned long len,
						 unsigned long pgoff, unsigned long flags)
{
#if IS_ENABLED(CONFIG_TRANSPARENT_HUGEPAGE)
	return thp_get_unmapped_area(file, 0, len, pgoff, flags);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	return current->mm->get_unmapped_area(file, 0, len, pgoff, flags);
#else
	return mm_get_unmapped_area(current->mm, file, 0, len, pgoff, flags);
#endif
}

/* What tmpfs does for the VMAs of a file; NULL if it will not say. */
static inline const struct vm_operations_struct *compat_tmpfs_vm_ops(struct file *file)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 18, 0)
	struct vm_area_struct vma = { .vm_file = file };

	return file->f_op->mmap(file, &vma) ? NULL : vma.vm_ops;
#else
	struct vm_area_desc desc = { .file = file };

	return file->f_op->mmap_prepare(&desc) ? NULL : desc.vm_ops;
#endif
}

/* ->write_begin for one whole page: its folio, locked and referenced, or an error pointer. */
static inline struct folio *compat_write_begin(struct file *file, pgoff_t index)
{
	struct address_space *mapping = file->f_mapping;
	loff_t pos = (loff_t)index << PAGE_SHIFT;
	void *fsdata;
	int err;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	struct page *page;

	err = mapping->a_ops->write_begin(file, mapping, pos, PAGE_SIZE, &page, &fsdata);
	return err ? ERR_PTR(err) : page_folio(page);
#else
	struct folio *folio;
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	struct file *for_whom = file;
#else
	struct kiocb iocb = { .ki_filp = file, .ki_pos = pos }, *for_whom = &iocb;
#endif

	err = mapping->a_ops->write_begin(for_whom, mapping, pos, PAGE_SIZE, &folio, &fsdata);
	return err ? ERR_PTR(err) : folio;
#endif
}

/*
 * A tmpfs file of size 0, whose pages are accounted one by one or not at all. The flags' type:
 * seen in 6.12 and in 7.3.
 */
static inline struct file *compat_shmem_file(struct vfsmount *mount, const char *name,
					     bool accounted)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	return shmem_file_setup_with_mnt(mount, name, 0, accounted ? VM_NORESERVE : 0);
#else
	return shmem_file_setup_with_mnt(mount, name, 0, accounted ?
					 mk_vma_flags(VMA_NORESERVE_BIT) : EMPTY_VMA_FLAGS);
#endif
}

#endif
