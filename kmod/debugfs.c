// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/privheap/heaps: every heap of every process, for root.
 *
 *	pid heap base maximum committed resident owners name
 *
 * pid is the process whose account is charged, as the initial namespace sees it; sizes are bytes;
 * owners counts the pieces of the mapping.
 *
 * The list is made as it is read. Between two lines no lock is held, only a reference on a context
 * as long as the file is open.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

#include "context.h"
#include "debugfs.h"
#include "heap.h"
#include "quota.h"

static struct dentry *dir;

/**
 * struct cursor - how far a reader has come
 * @context: the heap's; referenced; NULL = past the last
 * @heap: its figures
 * @owners: the pieces of its mapping
 * @line: the heap's line; 0 = the heading's
 */
struct cursor {
	struct privheap_context *context;
	struct privheap_stat heap;
	int owners;
	loff_t line;
};

static void end(struct cursor *cursor)
{
	if (cursor->context)
		privheap_context_put(cursor->context);
	cursor->context = NULL;
}

static void begin(struct cursor *cursor)
{
	end(cursor);
	cursor->context = privheap_context_next(NULL);
	cursor->heap.heap = 0;
	cursor->line = 0;
}

/* To the next heap; false if there is none. */
static bool advance(struct cursor *cursor)
{
	cursor->line++;
	while (cursor->context) {
		if (privheap_heap_next(cursor->context, &cursor->heap, &cursor->owners))
			return true;
		cursor->context = privheap_context_next(cursor->context);
		cursor->heap.heap = 0;
	}
	return false;
}

/* Lines are asked for one after the other, or once more; a seek begins again. */
static void *heaps_start(struct seq_file *m, loff_t *pos)
{
	struct cursor *cursor = m->private;

	if (!*pos || *pos < cursor->line)
		begin(cursor);
	if (!*pos)
		return SEQ_START_TOKEN;
	while (cursor->line < *pos && advance(cursor))
		;
	return cursor->context ? cursor : NULL;
}

static void *heaps_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct cursor *cursor = m->private;

	++*pos;
	return advance(cursor) ? cursor : NULL;
}

static void heaps_stop(struct seq_file *m, void *v)
{
}

static int heaps_show(struct seq_file *m, void *v)
{
	struct cursor *cursor = v;
	const struct privheap_stat *heap = &cursor->heap;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "pid heap base maximum committed resident owners name\n");
		return 0;
	}
	seq_printf(m, "%d %llu 0x%llx %llu %llu %llu %d %s\n",
		   privheap_quota_pid(&cursor->context->ledgers), heap->heap, heap->base,
		   heap->maximum, heap->committed, heap->resident, cursor->owners, heap->name);
	return 0;
}

static const struct seq_operations heaps_seq_ops = {
	.start = heaps_start,
	.next = heaps_next,
	.stop = heaps_stop,
	.show = heaps_show,
};

static int heaps_open(struct inode *inode, struct file *file)
{
	struct cursor *cursor = __seq_open_private(file, &heaps_seq_ops, sizeof(*cursor));

	return cursor ? 0 : -ENOMEM;
}

static int heaps_release(struct inode *inode, struct file *file)
{
	struct seq_file *m = file->private_data;

	end(m->private);
	return seq_release_private(inode, file);
}

static const struct file_operations heaps_fops = {
	.owner = THIS_MODULE,
	.open = heaps_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = heaps_release,
};

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
