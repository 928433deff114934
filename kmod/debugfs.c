// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/privheap/heaps: every heap of every process, for root.
 *
 *	pid heap base maximum committed resident owners name
 *
 * pid is the process whose account is charged, as the initial namespace sees it; sizes are bytes;
 * owners counts the pieces of the mapping.
 *
 * The list is made as it is read. Between two lines no lock is held, only references: on a context
 * as long as the file is open, on a heap while its line is written.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/seq_file.h>

#include "context.h"
#include "debugfs.h"
#include "heap.h"
#include "quota.h"

static struct dentry *dir;

/**
 * struct cursor - how far a reader has come
 * @context: the heap's; referenced; NULL = past the last
 * @id: the heap's number
 * @line: the heap's line; 0 = the heading's
 */
struct cursor {
	struct privheap_context *context;
	unsigned long id;
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
	cursor->id = 0;
	cursor->line = 0;
}

/* The heap after the one the cursor is at, with a reference, or NULL. */
static struct privheap_heap *advance(struct cursor *cursor)
{
	struct privheap_heap *heap;

	while (cursor->context) {
		heap = privheap_heap_next(cursor->context, &cursor->id);
		if (heap)
			return heap;
		cursor->context = privheap_context_next(cursor->context);
		cursor->id = 0;
	}
	return NULL;
}

/* Lines are asked for one after the other, or once more; whoever seeks begins again. */
static void *heaps_start(struct seq_file *m, loff_t *pos)
{
	struct cursor *cursor = m->private;
	struct privheap_heap *heap;

	if (!*pos || *pos < cursor->line)
		begin(cursor);
	if (!*pos)
		return SEQ_START_TOKEN;
	if (*pos == cursor->line && cursor->id)
		cursor->id--;	/* the same again, or what follows if it is gone */
	else
		cursor->line++;
	while ((heap = advance(cursor)) && cursor->line < *pos) {
		privheap_heap_put(heap);
		cursor->line++;
	}
	return heap;
}

static void *heaps_next(struct seq_file *m, void *heap, loff_t *pos)
{
	struct cursor *cursor = m->private;

	if (heap != SEQ_START_TOKEN)
		privheap_heap_put(heap);
	cursor->line = ++*pos;
	return advance(cursor);
}

static void heaps_stop(struct seq_file *m, void *heap)
{
	if (heap && heap != SEQ_START_TOKEN)
		privheap_heap_put(heap);
}

static int heaps_show(struct seq_file *m, void *v)
{
	struct privheap_heap *heap = v;

	if (v == SEQ_START_TOKEN) {
		seq_puts(m, "pid heap base maximum committed resident owners name\n");
		return 0;
	}
	seq_printf(m, "%d %lu 0x%lx %lu %lu %lu %d %s\n",
		   privheap_quota_pid(&heap->context->ledgers), heap->id, heap->base,
		   heap->maximum, privheap_heap_committed(heap),
		   heap->file->f_mapping->nrpages << PAGE_SHIFT, atomic_read(&heap->owners),
		   heap->name);
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
