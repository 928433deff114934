// SPDX-License-Identifier: GPL-2.0
/*
 * The operations behind the ioctls: the life of a heap.
 *
 *	CREATE:  count -> file -> number -> commit -> populate -> map -> ready
 *	                                                                  |
 *	DESTROY: unmap what is left --+                                   |
 *	munmap of the last piece -----+--> end: size 0, pages freed, charge given back, once
 *	exit of the process ----------+      `-> last reference: the structure goes, and is no
 *	                                         longer counted
 *
 * While it lives a heap is held by its VMAs alone. Ending and freeing are apart because a call at
 * work on the heap, or a VMA of a child, may outlive the last VMA of the owner.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "commit.h"
#include "dump.h"
#include "end.h"
#include "file.h"
#include "heap.h"
#include "locked.h"
#include "operations.h"
#include "trace.h"
#include "validate.h"
#include "vma.h"

#define FILE_PREFIX	"privheap:"

/* A counted heap with its file and number, not mapped; or an error pointer. */
static struct privheap_heap *operations_new_heap(struct privheap_context *context,
						 const struct privheap_create *arg)
{
	char name[sizeof(FILE_PREFIX) + PRIVHEAP_NAME_LEN];
	struct privheap_heap *heap;
	int err;

	heap = privheap_heap_alloc(arg);
	if (!heap)
		return ERR_PTR(-ENOMEM);
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
	privheap_heap_free(heap);
	return ERR_PTR(err);
}

static int operations_map_heap(struct privheap_heap *heap)
{
	unsigned long prot = PROT_READ | PROT_WRITE;
	unsigned long base;

	if (heap->flags & PRIVHEAP_CREATE_EXEC)
		prot |= PROT_EXEC;
	base = vm_mmap(heap->file, 0, heap->maximum, prot, MAP_SHARED | MAP_NORESERVE, 0);
	return IS_ERR_VALUE(base) ? (int)base : 0;
}

/* Unmaps and ends it; a heap that is dying already belongs to the other caller. */
static int operations_destroy_heap(struct privheap_heap *heap)
{
	int err;

	if (test_and_set_bit(HEAP_DYING, &heap->state))
		return -ENOENT;
	err = privheap_vma_unmap_all(heap);
	if (!err) {
		privheap_end(heap);
		return 0;
	}
	/* It lives on, unless its last piece went in between and left the end to us. */
	clear_bit(HEAP_DYING, &heap->state);
	smp_mb__after_atomic();	/* pairs with the full barrier of vma_close()'s decrement */
	if (!atomic_read(&heap->nr_vmas))
		privheap_end(heap);
	return err;
}

/**
 * privheap_operations_create() - PRIVHEAP_CREATE
 * @context: of the calling process
 * @arg: in and out, see the uapi header
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -EINVAL, -EDQUOT, -ENOMEM or -EINTR; a failure has changed nothing.
 */
int privheap_operations_create(struct privheap_context *context, struct privheap_create *arg)
{
	struct privheap_span initial;
	struct privheap_heap *heap;
	int err;

	if (!privheap_validate_create(arg, TASK_SIZE))
		return -EINVAL;
	heap = operations_new_heap(context, arg);
	if (IS_ERR(heap))
		return PTR_ERR(heap);
	/* Mapped last: unmapping may fail where memory is short. */
	err = privheap_commit_add(heap, heap->initial, true, &initial);
	if (err)
		goto end;
	privheap_dump_install();
	err = operations_map_heap(heap);
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
	privheap_end(heap);
	privheap_heap_put(heap);
	return err;
}

/**
 * privheap_operations_commit() - PRIVHEAP_COMMIT
 * @context: of the calling process
 * @arg: in and out, see the uapi header
 * @added: out: for privheap_operations_map() or privheap_operations_uncommit()
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -EINVAL, -ENOENT, -EDQUOT, -ENOMEM or -EINTR.
 */
int privheap_operations_commit(struct privheap_context *context, struct privheap_commit *arg,
			       struct privheap_span *added)
{
	unsigned long committed = privheap_validate_pages(arg->committed, TASK_SIZE);
	struct privheap_heap *heap;
	int err = -EINVAL;

	if ((arg->flags & ~PRIVHEAP_COMMIT_POPULATE) || arg->reserved)
		return -EINVAL;
	heap = privheap_heap_find(context, arg->heap);
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
 * privheap_operations_map() - map what COMMIT made resident, once it has told of it
 * @context: of the calling process
 * @id: the heap's number; it may be gone
 * @added: what privheap_operations_commit() added
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_operations_map(struct privheap_context *context, unsigned long id,
			     const struct privheap_span *added)
{
	struct privheap_heap *heap = privheap_heap_find(context, id);

	if (!heap)
		return;
	privheap_commit_map(heap, added);
	privheap_heap_put(heap);
}

/**
 * privheap_operations_uncommit() - undo a COMMIT that could not tell of it
 * @context: of the calling process
 * @id: the heap's number; it may be gone
 * @added: what privheap_operations_commit() added
 *
 * Context: process, may sleep; no lock held.
 */
void privheap_operations_uncommit(struct privheap_context *context, unsigned long id,
				  const struct privheap_span *added)
{
	struct privheap_heap *heap = privheap_heap_find(context, id);

	if (!heap)
		return;
	privheap_commit_rollback(heap, added);
	privheap_heap_put(heap);
}

/**
 * privheap_operations_destroy() - PRIVHEAP_DESTROY
 * @context: of the calling process
 * @id: the heap's number
 *
 * Context: process, may sleep; no lock held.
 * Return: 0, -ENOENT, what munmap refused the heap's own mapping with: -EPERM (sealed) or -ENOMEM,
 * or -EINTR if the caller is being killed.
 */
int privheap_operations_destroy(struct privheap_context *context, unsigned long id)
{
	struct privheap_heap *heap = privheap_heap_find(context, id);
	int err;

	if (!heap)
		return -ENOENT;
	err = operations_destroy_heap(heap);
	privheap_heap_put(heap);
	return err;
}
