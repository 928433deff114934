// SPDX-License-Identifier: GPL-2.0
/*
 * A heap: its structure, its references, its number, its figures.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "heap.h"
#include "validate.h"

static struct kmem_cache *heap_cache;

/**
 * privheap_heap_alloc() - the structure of a heap, without file, number and context
 * @arg: valid; the heap's name, sizes and flags
 *
 * Context: process, may sleep.
 * Return: the heap with one reference, or NULL.
 */
struct privheap_heap *privheap_heap_alloc(const struct privheap_create *arg)
{
	struct privheap_heap *heap = kmem_cache_zalloc(heap_cache, GFP_KERNEL_ACCOUNT);

	if (!heap)
		return NULL;
	refcount_set(&heap->refs, 1);
	mutex_init(&heap->lock);
	init_rwsem(&heap->mask);
	heap->flags = arg->flags;
	heap->maximum = privheap_validate_pages(arg->maximum, TASK_SIZE);
	heap->initial = privheap_validate_pages(arg->initial, TASK_SIZE);
	strscpy(heap->name, arg->name[0] ? arg->name : "heap", sizeof(heap->name));
	return heap;
}

/**
 * privheap_heap_free() - undo privheap_heap_alloc()
 * @heap: that nothing else refers to
 *
 * Context: any.
 */
void privheap_heap_free(struct privheap_heap *heap)
{
	kmem_cache_free(heap_cache, heap);
}

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
	privheap_heap_free(heap);
}

/* The heap of that number if it is ready, else NULL. Under the lock of the numbers. */
static struct privheap_heap *heap_find_ready(struct privheap_context *context, unsigned long id)
{
	struct privheap_heap *heap = xa_load(&context->heaps, id);

	return heap && test_bit(HEAP_READY, &heap->state) ? heap : NULL;
}

/**
 * privheap_heap_find() - the heap of a number, if it is ready
 * @context: which; the caller has a reference
 * @id: the heap's number
 *
 * Context: process, does not sleep.
 * Return: the heap with a reference, or NULL.
 */
struct privheap_heap *privheap_heap_find(struct privheap_context *context, unsigned long id)
{
	struct privheap_heap *heap;

	xa_lock(&context->heaps);
	heap = heap_find_ready(context, id);
	if (heap && !refcount_inc_not_zero(&heap->refs))
		heap = NULL;
	xa_unlock(&context->heaps);
	return heap;
}

/* Under the lock of its number, which it has until it ends: no reference is needed. */
static void heap_read_stat(const struct privheap_heap *heap, struct privheap_stat *stat)
{
	stat->heap = heap->id;
	stat->base = heap->base;
	stat->maximum = heap->maximum;
	stat->initial = heap->initial;
	do {	/* of one moment */
		stat->committed = READ_ONCE(heap->committed);
		smp_rmb();	/* pairs with commit_publish() */
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
 * Takes no reference: a reader does not make a heap that ends stay.
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
		heap_read_stat(heap, stat);
		*owners = atomic_read(&heap->nr_vmas);
	}
	xa_unlock(&context->heaps);
	return heap;
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
	heap = heap_find_ready(context, arg->heap);
	if (heap)
		heap_read_stat(heap, arg);
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
