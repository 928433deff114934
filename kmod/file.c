// SPDX-License-Identifier: GPL-2.0
/*
 * The tmpfs file that backs a heap, made safe to map.
 *
 *	our kernel mount of tmpfs, huge=within_size
 *	  ` unlinked inode: i_size = committed bytes, pages = the heap's pages
 *	      ` one struct file, in no descriptor table, owned by the heap's VMAs
 *
 * tmpfs hands out a file that anyone who reaches it could map, punch and truncate. Three things
 * are taken away: its file operations (remap_file_pages(2) and MADV_REMOVE reach them through
 * the VMA), the inode's (opening /proc/PID/map_files/... would get fresh ones), and the right to
 * change its attributes (S_IMMUTABLE refuses truncate(2) through the same path).
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "compat.h"
#include "context.h"
#include "file.h"
#include "heap.h"
#include "step.h"
#include "vma.h"

static struct vfsmount *mount;

/*
 * Off, a heap's pages are not in Committed_AS: the system ledger bounds them, and was charged
 * before they came. On, tmpfs counts page by page, a twentieth of a small page's first touch.
 */
static bool overcommit;
module_param(overcommit, bool, 0644);
MODULE_PARM_DESC(overcommit, "count pages against vm.overcommit_memory, too; of heaps created from then on");

static int refuse_open(struct inode *inode, struct file *file)
{
	return -EPERM;
}

/*
 * Where the reservation goes: a multiple of the window, and of 2 MiB when a huge page fits. Only
 * CREATE asks this without a base; mremap and remap_file_pages come with one and are refused
 * here, before the kernel has unmapped anything for them.
 */
static unsigned long place_base(struct file *file, unsigned long addr, unsigned long len,
				unsigned long pgoff, unsigned long flags)
{
	struct privheap_heap *heap = file->private_data;
	unsigned long base;

	if (READ_ONCE(heap->base) || (flags & MAP_FIXED))
		return -EINVAL;
	base = thp_get_unmapped_area(file, 0, len, pgoff, flags);
	if (IS_ERR_VALUE(base) || IS_ALIGNED(base, PRIVHEAP_WINDOW))
		return base;
	base = thp_get_unmapped_area(file, 0, len + PRIVHEAP_WINDOW, pgoff, flags);
	return IS_ERR_VALUE(base) ? base : ALIGN(base, PRIVHEAP_WINDOW);
}

static const struct file_operations file_ops = {
	.owner = THIS_MODULE,	/* a living heap holds the module */
	.mmap = privheap_vma_mmap,
	.get_unmapped_area = place_base,
};

static const struct file_operations inode_ops = {
	.owner = THIS_MODULE,
	.open = refuse_open,
};

/**
 * privheap_file_new() - make the empty file of a heap
 * @heap: whose
 * @name: shown in /proc/PID/maps
 *
 * Context: process, may sleep.
 * Return: the file, with a reference, or ERR_PTR(-ENOMEM).
 */
struct file *privheap_file_new(struct privheap_heap *heap, const char *name)
{
	struct file *file = compat_shmem_file(mount, name, overcommit);

	if (IS_ERR(file))
		return ERR_PTR(-ENOMEM);	/* tmpfs says -ENOSPC where it means an inode */
	file_inode(file)->i_fop = &inode_ops;
	file_inode(file)->i_flags |= S_IMMUTABLE;
	/* For pages that nobody needs yet (page.c); those that are needed bring their own mask. */
	mapping_set_gfp_mask(file->f_mapping,
			     (GFP_HIGHUSER_MOVABLE & ~__GFP_IO & ~__GFP_FS) |
			     __GFP_NORETRY | __GFP_NOWARN);
	file->private_data = heap;
	__module_get(THIS_MODULE);	/* put with the operations, when the file is closed */
	file->f_op = &file_ops;
	return file;
}

/**
 * privheap_file_init() - mount tmpfs for the heaps
 *
 * Context: module load.
 * Return: 0 or a negative errno.
 */
int privheap_file_init(void)
{
	char options[] = "huge=within_size";
	struct file_system_type *type = get_fs_type("tmpfs");

	if (!type)
		return -ENODEV;	/* tmpfs is built in: there is no module reference to put */
	mount = vfs_kern_mount(type, SB_KERNMOUNT, "privheap", options);
	return PTR_ERR_OR_ZERO(mount);
}

/**
 * privheap_file_exit() - undo privheap_file_init()
 *
 * Context: module unload: every heap's file is closed.
 */
void privheap_file_exit(void)
{
	kern_unmount(mount);
}
