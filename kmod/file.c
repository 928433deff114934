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
 * change its attributes (S_IMMUTABLE refuses truncate(2) through the same path). S_PRIVATE makes it
 * anonymous memory to security modules: SELinux asks for execmem where a heap is executable.
 *
 * The inode may outlive the file, and this module (an O_PATH descriptor of map_files/...), so its
 * operations are the kernel's own: those of a bad inode, which refuse to be opened.
 */
#include <linux/err.h>
#include <linux/file.h>
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
static const struct vm_operations_struct *tmpfs_vm_ops;

/*
 * Off, a heap's pages are not in Committed_AS: the system ledger bounds them, and was charged
 * before they came. On, tmpfs counts page by page, a twentieth of a small page's first touch.
 */
static bool overcommit;
module_param(overcommit, bool, 0644);
MODULE_PARM_DESC(overcommit, "count pages against vm.overcommit_memory, too; of heaps created from then on");

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
	base = compat_unmapped_area(file, len, pgoff, flags);
	if (IS_ERR_VALUE(base) || IS_ALIGNED(base, PRIVHEAP_WINDOW))
		return base;
	base = compat_unmapped_area(file, len + PRIVHEAP_WINDOW, pgoff, flags);
	return IS_ERR_VALUE(base) ? base : ALIGN(base, PRIVHEAP_WINDOW);
}

static const struct file_operations file_ops = {
	.owner = THIS_MODULE,	/* a living heap holds the module */
	.mmap = privheap_vma_mmap,
	.get_unmapped_area = place_base,
};

static const struct file_operations *closed_ops;	/* the kernel's, of a bad inode */

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
	file_inode(file)->i_fop = closed_ops;
	file_inode(file)->i_flags |= S_IMMUTABLE | S_PRIVATE;
	mapping_set_gfp_mask(file->f_mapping, PRIVHEAP_GFP);
	file->private_data = heap;
	__module_get(THIS_MODULE);	/* put with the operations, when the file is closed */
	file->f_op = &file_ops;
	return file;
}

/* make_bad_inode() is the one way to the operations that it sets. */
static int find_closed_ops(void)
{
	struct file *file = compat_shmem_file(mount, "", false);

	if (IS_ERR(file))
		return PTR_ERR(file);
	make_bad_inode(file_inode(file));
	closed_ops = file_inode(file)->i_fop;
	fput(file);
	return 0;
}

/**
 * privheap_file_is_heap() - is a file that of a heap
 * @file: any, on which the caller has a reference
 *
 * Its size is then the commit, also when the heap has ended and its structure is gone.
 *
 * Context: any.
 * Return: true if it is.
 */
bool privheap_file_is_heap(const struct file *file)
{
	return file->f_op == &file_ops;
}

/**
 * privheap_file_tmpfs() - what tmpfs does for its own VMAs: faults and memory policies
 *
 * Context: any.
 * Return: its operations; they live as long as the kernel.
 */
const struct vm_operations_struct *privheap_file_tmpfs(void)
{
	return tmpfs_vm_ops;
}

/* tmpfs tells its operations to whom maps a file only. */
static int ask_tmpfs(void)
{
	struct file *file = compat_shmem_file(mount, "privheap", false);

	if (IS_ERR(file))
		return PTR_ERR(file);
	tmpfs_vm_ops = compat_tmpfs_vm_ops(file);
	fput(file);
	return tmpfs_vm_ops && tmpfs_vm_ops->fault ? 0 : -ENODEV;
}

/* Without huge pages (a CPU or a kernel that has none) tmpfs knows no option for them. */
static struct vfsmount *mount_tmpfs(struct file_system_type *type)
{
	char options[] = "huge=within_size";
	struct vfsmount *with = vfs_kern_mount(type, SB_KERNMOUNT, "privheap", options);

	return PTR_ERR_OR_ZERO(with) == -EINVAL ?
	       vfs_kern_mount(type, SB_KERNMOUNT, "privheap", NULL) : with;
}

/**
 * privheap_file_init() - mount tmpfs for the heaps
 *
 * Context: module load.
 * Return: 0 or a negative errno.
 */
int privheap_file_init(void)
{
	struct file_system_type *type = get_fs_type("tmpfs");
	int err;

	if (!type)
		return -ENODEV;	/* tmpfs is built in: there is no module reference to put */
	mount = mount_tmpfs(type);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	err = ask_tmpfs() ?: find_closed_ops();
	if (err)
		kern_unmount(mount);
	return err;
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
