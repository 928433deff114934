// SPDX-License-Identifier: GPL-2.0
/*
 * The tmpfs file that backs a heap, made safe to map.
 *
 *	our mount (tmpfs.c)
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
#include <linux/pagemap.h>

#include "compat.h"
#include "file.h"
#include "heap.h"
#include "policy.h"
#include "tmpfs.h"
#include "vma.h"

/*
 * Where the reservation goes: a multiple of the window, and of 2 MiB when a huge page fits. Only
 * CREATE asks this without a base; mremap and remap_file_pages come with one and are refused
 * here, before the kernel has unmapped anything for them.
 */
static unsigned long file_get_unmapped_area(struct file *file, unsigned long addr,
					    unsigned long len, unsigned long pgoff,
					    unsigned long flags)
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
	.get_unmapped_area = file_get_unmapped_area,
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
	struct file *file = privheap_tmpfs_file(name);

	if (IS_ERR(file))
		return file;
	file_inode(file)->i_flags |= S_IMMUTABLE | S_PRIVATE;
	mapping_set_gfp_mask(file->f_mapping, PRIVHEAP_GFP);
	file->private_data = heap;
	__module_get(THIS_MODULE);	/* put with the operations, when the file is closed */
	file->f_op = &file_ops;
	return file;
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
