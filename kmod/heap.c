// SPDX-License-Identifier: GPL-2.0
/*
 * The life of a heap.
 *
 *	CREATE:  count -> file -> number -> commit -> populate -> map -> ready
 *	                                                                  |
 *	DESTROY: unmap what is left --+                                   |
 *	munmap of the last piece -----+--> end: size 0, pages freed, charge given back, once
 *	exit of the process ----------+      `-> last reference: the structure goes, and is no
 *	                                         longer counted
 *
 * While it lives a heap is held by its VMAs alone. Ending and freeing are apart because a call
 * at work on the heap, or a VMA of a child, may outlive the last VMA of the owner.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "commit.h"
#include "dump.h"
#include "file.h"
#include "heap.h"
#include "locked.h"
#include "pinned.h"
#include "trace.h"
#include "validate.h"
#include "vma.h"

#define FILE_PREFIX	"privheap:"

static struct kmem_cache *heap_cache;

/**
 * privheap_heap_get() - one more reference
 * @heap: on which the caller has one
 *
 * Context: any.
 */
void privheap_heap_get(struct privheap_heap *heap)
{
	refcount_inc(&heap->refs);
}

/**
 * privheap_heap_put() - one reference less
 * @heap: which
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_heap_put(struct privheap_heap *heap)
{
	if (!refcount_dec_and_test(&heap->refs))
		return;
	fput(heap->file);
	privheap_ledger_remove_heap(&heap->context->ledgers);
	privheap_context_put(heap->context);
	kmem_cache_free(heap_cache, heap);
}

/**
 * privheap_heap_end() - give back pages, charge and number; once, however often it is called
 * @heap: which
 *
 * VMAs that remain (in another mm) show nothing any more, and huge pages that are pinned stay
 * charged (pinned.c). Both keep the structures, and so the heap is still one of the number that
 * its owner may have.
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_heap_end(struct privheap_heap *heap)
{
	struct inode *inode = file_inode(heap->file);
	struct privheap_context *context = heap->context;
	unsigned long committed;

	mutex_lock(&heap->lock);
	if (heap->ended) {
		mutex_unlock(&heap->lock);
		return;
	}
	heap->ended = true;
	committed = privheap_heap_committed(heap);
	i_size_write(inode, 0);
	privheap_locked_uncharge(heap, committed);
	mutex_unlock(&heap->lock);

	xa_erase(&context->heaps, heap->id);
	unmap_mapping_range(inode->i_mapping, 0, 0, 1);
	privheap_pinned_free_pages(heap, committed);
	trace_destroy(heap, committed);
}

/* The heap of that number if it is ready, else NULL. Under the lock of the numbers. */
static struct privheap_heap *find_ready(struct privheap_context *context, unsigned long id)
{
	struct privheap_heap *heap = xa_load(&context->heaps, id);

	return heap && test_bit(HEAP_READY, &heap->state) ? heap : NULL;
}

/* The heap of that number, with a reference, if it is ready; else NULL. */
static struct privheap_heap *heap_by_id(struct privheap_context *context, unsigned long id)
{
	struct privheap_heap *heap;

	xa_lock(&context->heaps);
	heap = find_ready(context, id);
	if (heap && !refcount_inc_not_zero(&heap->refs))
		heap = NULL;
	xa_unlock(&context->heaps);
	return heap;
}

/* Under the lock of its number, which it has until it ends: no reference is needed. */
static void tell(const struct privheap_heap *heap, struct privheap_stat *stat)
{
	stat->heap = heap->id;
	stat->base = heap->base;
	stat->maximum = heap->maximum;
	stat->initial = heap->initial;
	do {	/* of one moment */
		stat->committed = READ_ONCE(heap->committed);
		smp_rmb();	/* pairs with settle() in commit.c */
		stat->resident = (u64)READ_ONCE(heap->file->f_mapping->nrpages) << PAGE_SHIFT;
		smp_rmb();	/* against a roll-back */
	} while (stat->committed != READ_ONCE(heap->committed));
	stat->flags = (heap->flags & ~PRIVHEAP_CREATE_LOCKED) |
		      (READ_ONCE(heap->locked) ? PRIVHEAP_CREATE_LOCKED : 0);
	memcpy(stat->name, heap->name, sizeof(stat->name));
}

/**
 * privheap_heap_next() - go through the heaps of a context
 * @context: which; the caller has a reference
 * @stat: in: @stat->heap, the number before the first that is looked at; out: the heap's figures
 * @owners: out: the pieces of its mapping
 *
 * Takes no reference: whoever looks does not make a heap that ends stay.
 *
 * Context: process, does not sleep.
 * Return: true, or false if there is none that is ready.
 */
bool privheap_heap_next(struct privheap_context *context, struct privheap_stat *stat, int *owners)
{
	struct privheap_heap *heap;
	unsigned long id = stat->heap;

	xa_lock(&context->heaps);
	do {
		heap = xa_find_after(&context->heaps, &id, ULONG_MAX, XA_PRESENT);
	} while (heap && !test_bit(HEAP_READY, &heap->state));
	if (heap) {
		tell(heap, stat);
		*owners = atomic_read(&heap->owners);
	}
	xa_unlock(&context->heaps);
	return heap;
}

/* A counted heap with its file and number, not mapped; or an error pointer. */
static struct privheap_heap *heap_new(struct privheap_context *context,
				      const struct privheap_create *arg)
{
	char name[sizeof(FILE_PREFIX) + PRIVHEAP_NAME_LEN];
	struct privheap_heap *heap;
	int err;

	heap = kmem_cache_zalloc(heap_cache, GFP_KERNEL_ACCOUNT);
	if (!heap)
		return ERR_PTR(-ENOMEM);
	refcount_set(&heap->refs, 1);
	mutex_init(&heap->lock);
	init_rwsem(&heap->mask);
	heap->flags = arg->flags;
	heap->maximum = privheap_validate_pages(arg->maximum, TASK_SIZE);
	heap->initial = privheap_validate_pages(arg->initial, TASK_SIZE);
	strscpy(heap->name, arg->name[0] ? arg->name : "heap", sizeof(heap->name));

	err = privheap_ledger_add_heap(&context->ledgers);
	if (err)
		goto free_heap;
	snprintf(name, sizeof(name), FILE_PREFIX "%s", heap->name);
	heap->file = privheap_file_new(heap, name);
	if (IS_ERR(heap->file)) {
		err = PTR_ERR(heap->file);
		goto remove_heap;
	}
	privheap_locked_init(heap);
	heap->id = atomic_long_inc_return(&context->last);
	err = xa_insert(&context->heaps, heap->id, heap, GFP_KERNEL_ACCOUNT);
	if (err)
		goto put_file;
	heap->context = privheap_context_get(context);
	return heap;

put_file:
	fput(heap->file);
remove_heap:
	privheap_ledger_remove_heap(&context->ledgers);
free_heap:
	kmem_cache_free(heap_cache, heap);
	return ERR_PTR(err);
}

static int heap_map(struct privheap_heap *heap)
{
	unsigned long prot = PROT_READ | PROT_WRITE;
	unsigned long base;

	if (heap->flags & PRIVHEAP_CREATE_EXEC)
		prot |= PROT_EXEC;
	base = vm_mmap(heap->file, 0, heap->maximum, prot, MAP_SHARED | MAP_NORESERVE, 0);
	return IS_ERR_VALUE(base) ? (int)base : 0;
}

/* Unmaps and ends it; a heap that is dying already belongs to the other caller. */
static int heap_kill(struct privheap_heap *heap)
{
	int err;

	if (test_and_set_bit(HEAP_DYING, &heap->state))
		return -ENOENT;
	err = privheap_vma_unmap_all(heap);
	if (!err) {
		privheap_heap_end(heap);
		return 0;
	}
	/* It lives on, unless its last piece went meanwhile and left the end to us. */
	clear_bit(HEAP_DYING, &heap->state);
	smp_mb__after_atomic();	/* pairs with the full barrier of vma_close()'s decrement */
	if (!atomic_read(&heap->owners))
		privheap_heap_end(heap);
	return err;
}

/**
 * privheap_heap_create() - PRIVHEAP_CREATE
 * @context: of the calling process
 * @arg: in and out, see the uapi header
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -EINVAL, -EDQUOT, -ENOMEM or -EINTR; a failure has changed nothing.
 */
int privheap_heap_create(struct privheap_context *context, struct privheap_create *arg)
{
	struct privheap_span initial;
	struct privheap_heap *heap;
	int err;

	if (!privheap_validate_create(arg, TASK_SIZE))
		return -EINVAL;
	heap = heap_new(context, arg);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	/* Mapped last: unmapping may fail where memory is short. */
	err = privheap_commit_add(heap, heap->initial, true, &initial);
	if (err)
		goto end;
	privheap_dump_install();
	err = heap_map(heap);
	if (err)
		goto end;
	privheap_commit_map(heap, &initial);
	arg->heap = heap->id;
	arg->base = heap->base;
	arg->committed = READ_ONCE(heap->committed);	/* more if mlockall(2) asked for it */
	set_bit(HEAP_READY, &heap->state);
	trace_create(heap);
	privheap_heap_put(heap);
	return 0;

end:
	privheap_heap_end(heap);
	privheap_heap_put(heap);
	return err;
}

/**
 * privheap_heap_commit() - PRIVHEAP_COMMIT
 * @context: of the calling process
 * @arg: in and out, see the uapi header
 * @added: out: for privheap_heap_map() or privheap_heap_uncommit()
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -EINVAL, -ENOENT, -EDQUOT, -ENOMEM or -EINTR.
 */
int privheap_heap_commit(struct privheap_context *context, struct privheap_commit *arg,
			 struct privheap_span *added)
{
	unsigned long committed = privheap_validate_pages(arg->committed, TASK_SIZE);
	struct privheap_heap *heap;
	int err = -EINVAL;

	if ((arg->flags & ~PRIVHEAP_COMMIT_POPULATE) || arg->reserved)
		return -EINVAL;
	heap = heap_by_id(context, arg->heap);
	if (!heap)
		return -ENOENT;
	if (arg->committed <= heap->maximum)
		err = privheap_commit_add(heap, committed, arg->flags & PRIVHEAP_COMMIT_POPULATE,
					  added);
	arg->committed = READ_ONCE(heap->committed);
	privheap_heap_put(heap);
	return err;
}

/**
 * privheap_heap_map() - map what COMMIT made resident, once it has told of it
 * @context: of the calling process
 * @id: the heap's number; it may be gone
 * @added: what privheap_heap_commit() added
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_heap_map(struct privheap_context *context, unsigned long id,
		       const struct privheap_span *added)
{
	struct privheap_heap *heap = heap_by_id(context, id);

	if (!heap)
		return;
	privheap_commit_map(heap, added);
	privheap_heap_put(heap);
}

/**
 * privheap_heap_uncommit() - undo a COMMIT that could not tell of it
 * @context: of the calling process
 * @id: the heap's number; it may be gone
 * @added: what privheap_heap_commit() added
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_heap_uncommit(struct privheap_context *context, unsigned long id,
			    const struct privheap_span *added)
{
	struct privheap_heap *heap = heap_by_id(context, id);

	if (!heap)
		return;
	privheap_commit_take_back(heap, added);
	privheap_heap_put(heap);
}

/**
 * privheap_heap_destroy() - PRIVHEAP_DESTROY
 * @context: of the calling process
 * @id: the heap's number
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -ENOENT, what munmap refused the heap's own mapping with: -EPERM (sealed) or -ENOMEM,
 * or -EINTR if the caller is being killed.
 */
int privheap_heap_destroy(struct privheap_context *context, unsigned long id)
{
	struct privheap_heap *heap = heap_by_id(context, id);
	int err;

	if (!heap)
		return -ENOENT;
	err = heap_kill(heap);
	privheap_heap_put(heap);
	return err;
}

/**
 * privheap_heap_stat() - PRIVHEAP_STAT
 * @context: of the calling process
 * @arg: in and out, see the uapi header
 *
 * Context: process, does not sleep.
 * Return: 0, -EINVAL or -ENOENT.
 */
int privheap_heap_stat(struct privheap_context *context, struct privheap_stat *arg)
{
	struct privheap_heap *heap;

	if (arg->flags || arg->reserved)
		return -EINVAL;
	xa_lock(&context->heaps);
	heap = find_ready(context, arg->heap);
	if (heap)
		tell(heap, arg);
	xa_unlock(&context->heaps);
	return heap ? 0 : -ENOENT;
}

/**
 * privheap_heap_init() - make ready
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int privheap_heap_init(void)
{
	heap_cache = KMEM_CACHE(privheap_heap, SLAB_ACCOUNT);
	return heap_cache ? 0 : -ENOMEM;
}

/**
 * privheap_heap_exit() - undo privheap_heap_init()
 *
 * Context: module unload: every heap's file is closed.
 */
void privheap_heap_exit(void)
{
	kmem_cache_destroy(heap_cache);
}
