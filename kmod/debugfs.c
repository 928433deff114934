// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/privheap/heaps: every heap of every process, for root.
 *
 *	pid heap base maximum committed resident owners name
 *
 * pid is the process that opened the descriptor, as the initial namespace sees it; sizes are
 * bytes; owners counts the pieces of the mapping.
 */
#include <linux/debugfs.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>

#include "context.h"
#include "debugfs.h"
#include "heap.h"
#include "quota.h"

static struct dentry *dir;

/* Under the lock an entry's heap is alive: it is erased before the last reference goes. */
static void show_context(struct privheap_context *context, void *m)
{
	struct privheap_heap *heap;
	unsigned long id;

	xa_lock(&context->heaps);
	xa_for_each(&context->heaps, id, heap)
		seq_printf(m, "%d %lu 0x%lx %lu %lu %lu %d %s\n",
			   privheap_quota_pid(&context->ledgers), id, heap->base, heap->maximum,
			   privheap_heap_committed(heap),
			   heap->file->f_mapping->nrpages << PAGE_SHIFT,
			   atomic_read(&heap->owners), heap->name);
	xa_unlock(&context->heaps);
}

static int heaps_show(struct seq_file *m, void *unused)
{
	seq_puts(m, "pid heap base maximum committed resident owners name\n");
	privheap_context_for_each(show_context, m);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(heaps);

/**
 * privheap_debugfs_init() - make the list appear, where there is a debugfs
 *
 * Context: module load.
 */
void privheap_debugfs_init(void)
{
	dir = debugfs_create_dir("privheap", NULL);
	debugfs_create_file("heaps", 0400, dir, NULL, &heaps_fops);
}

/**
 * privheap_debugfs_exit() - undo privheap_debugfs_init()
 *
 * Context: module unload.
 */
void privheap_debugfs_exit(void)
{
	debugfs_remove_recursive(dir);
}
