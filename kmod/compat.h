/* SPDX-License-Identifier: GPL-2.0 */
/* Every difference between the kernels this module supports, 6.1 and later, and nothing else. */
#ifndef PRIVHEAP_COMPAT_H
#define PRIVHEAP_COMPAT_H

#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/shmem_fs.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

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
