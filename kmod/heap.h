/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_HEAP_H
#define PRIVHEAP_HEAP_H

#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/workqueue.h>

#include "context.h"
#include "../uapi/privheap.h"

enum privheap_heap_state {
	HEAP_READY,	/* creation is complete: its number may be used */
	HEAP_DYING,	/* DESTROY is at work and will end it */
};

/**
 * struct privheap_heap - one heap
 * @refs: one per VMA of it, in any mm, and one per call at work on it
 * @nr_vmas: VMAs of it in the creator's mm; the heap ends with the last
 * @context: whose heap it is; referenced
 * @file: the tmpfs file; its size is the commit; referenced
 * @state: bits of enum privheap_heap_state
 * @id: its number in the context
 * @base: address of the first byte; 0 until it is mapped
 * @maximum: bytes reserved
 * @initial: bytes committed at creation
 * @flags: PRIVHEAP_CREATE_*
 * @committed: bytes, as others are told; the file's size, but while a failed call is taken back
 * @acked: highest commit reported to a caller that did not add it; a rollback never goes below
 * @lock: every change of the commit, @acked, @locked and @dead; taken under mmap_lock and
 *	under nothing of ours
 * @locked: its pages stay in memory, and its commit counts against RLIMIT_MEMLOCK
 * @mask: how memory is asked for, PRIVHEAP_GFP_NEEDED while it is held for writing; taken under
 *	mmap_lock, and under @lock or a page's lock never
 * @huge_misfits: tmpfs was seen to make a huge page that did not fit into the commit
 * @pinned: bytes of huge pages that are still pinned after the end, and charged
 * @pinned_work: looks at these
 * @dead: nothing is committed any more and nothing ever will be
 * @name: for people
 */
struct privheap_heap {
	refcount_t refs;
	atomic_t nr_vmas;
	struct privheap_context *context;
	struct file *file;
	unsigned long state;
	unsigned long id;
	unsigned long base;
	unsigned long maximum;
	unsigned long initial;
	u32 flags;
	unsigned long committed;
	unsigned long acked;
	struct mutex lock;	/* see above */
	bool locked;
	struct rw_semaphore mask;	/* see above */
	bool huge_misfits;
	unsigned long pinned;
	struct delayed_work pinned_work;
	bool dead;
	char name[PRIVHEAP_NAME_LEN];
};

/* Bytes of a heap, whole pages: @from is the first, @to the one after the last. */
struct privheap_span {
	unsigned long from;
	unsigned long to;
};

/* The file's size: no page comes to life past it. */
static inline unsigned long privheap_heap_committed(const struct privheap_heap *heap)
{
	return i_size_read(file_inode(heap->file));
}

int privheap_heap_init(void);
void privheap_heap_exit(void);

struct privheap_heap *privheap_heap_alloc(const struct privheap_create *arg);
void privheap_heap_free(struct privheap_heap *heap);
struct privheap_heap *privheap_heap_find(struct privheap_context *context, unsigned long id);
int privheap_heap_stat(struct privheap_context *context, struct privheap_stat *arg);

bool privheap_heap_next(struct privheap_context *context, struct privheap_stat *stat, int *owners);

void privheap_heap_get(struct privheap_heap *heap);
void privheap_heap_put(struct privheap_heap *heap);

#endif
