// SPDX-License-Identifier: GPL-2.0
/*
 * tmpfs as the heaps use it: our own kernel mount of it, huge=within_size, and the operations that
 * it keeps to itself.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/shmem_fs.h>

#include "compat.h"
#include "tmpfs.h"

static struct vfsmount *mount;
static const struct vm_operations_struct *tmpfs_vm_ops;
static const struct file_operations *closed_ops;	/* the kernel's, of a bad inode */

/*
 * Off, a heap's pages are not in Committed_AS: the system ledger bounds them, and was charged
 * before they came. On, tmpfs counts page by page, a twentieth of a small page's first touch.
 */
static bool overcommit;
module_param(overcommit, bool, 0644);
MODULE_PARM_DESC(overcommit, "count pages against vm.overcommit_memory, too; of heaps created from then on");

/**
 * privheap_tmpfs_file() - make an empty file whose inode cannot be opened
 * @name: shown in /proc/PID/maps
 *
 * Context: process, may sleep.
 * Return: the file, with a reference, or ERR_PTR(-ENOMEM).
 */
struct file *privheap_tmpfs_file(const char *name)
{
	struct file *file = compat_shmem_file(mount, name, overcommit);

	if (IS_ERR(file))
		return ERR_PTR(-ENOMEM);	/* tmpfs says -ENOSPC where it means an inode */
	file_inode(file)->i_fop = closed_ops;
	return file;
}

/**
 * privheap_tmpfs_vm_ops() - what tmpfs does for its own VMAs: faults and memory policies
 *
 * Context: any.
 * Return: its operations; they live as long as the kernel.
 */
const struct vm_operations_struct *privheap_tmpfs_vm_ops(void)
{
	return tmpfs_vm_ops;
}

/* make_bad_inode() is the one way to the operations that it sets. */
static int tmpfs_find_closed_ops(void)
{
	struct file *file = compat_shmem_file(mount, "", false);

	if (IS_ERR(file))
		return PTR_ERR(file);
	make_bad_inode(file_inode(file));
	closed_ops = file_inode(file)->i_fop;
	fput(file);
	return 0;
}

/* tmpfs tells its operations to whom maps a file only. */
static int tmpfs_find_vm_ops(void)
{
	struct file *file = compat_shmem_file(mount, "privheap", false);

	if (IS_ERR(file))
		return PTR_ERR(file);
	tmpfs_vm_ops = compat_tmpfs_vm_ops(file);
	fput(file);
	return tmpfs_vm_ops && tmpfs_vm_ops->fault ? 0 : -ENODEV;
}

/* Without huge pages (a CPU or a kernel that has none) tmpfs knows no option for them. */
static struct vfsmount *tmpfs_mount(struct file_system_type *type)
{
	char options[] = "huge=within_size";
	struct vfsmount *with = vfs_kern_mount(type, SB_KERNMOUNT, "privheap", options);

	return PTR_ERR_OR_ZERO(with) == -EINVAL ?
	       vfs_kern_mount(type, SB_KERNMOUNT, "privheap", NULL) : with;
}

/**
 * privheap_tmpfs_init() - mount tmpfs for the heaps
 *
 * Context: module load.
 * Return: 0 or a negative errno.
 */
int privheap_tmpfs_init(void)
{
	struct file_system_type *type = get_fs_type("tmpfs");
	int err;

	if (!type)
		return -ENODEV;	/* tmpfs is built in: there is no module reference to put */
	mount = tmpfs_mount(type);
	if (IS_ERR(mount))
		return PTR_ERR(mount);
	err = tmpfs_find_vm_ops() ?: tmpfs_find_closed_ops();
	if (err)
		kern_unmount(mount);
	return err;
}

/**
 * privheap_tmpfs_exit() - undo privheap_tmpfs_init()
 *
 * Context: module unload: every heap's file is closed.
 */
void privheap_tmpfs_exit(void)
{
	kern_unmount(mount);
}
