// SPDX-License-Identifier: GPL-2.0
/*
 * A context ties one open of the device to the address space that opened it.
 *
 *	descriptor --> context --> mm (its struct only: the memory may go before we do)
 *	                  ^    `-> ledgers: process, user, system
 *	heap 1, heap 2 ---+
 *
 * Any other holder of the descriptor (a forked child, the image after exec, a receiver
 * over a socket) runs in another mm and is refused by that alone.
 */
#include <linux/err.h>
#include <linux/mutex.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "context.h"
#include "quota.h"

static struct kmem_cache *context_cache;
static LIST_HEAD(contexts);
static DEFINE_MUTEX(contexts_lock);	/* the list, and the end of what is on it */

/**
 * privheap_context_new() - the context of a fresh open by current
 *
 * Context: process, may sleep.
 * Return: the context with one reference, or ERR_PTR(-ENOMEM), or ERR_PTR(-EPERM) for a kernel
 * thread.
 */
struct privheap_context *privheap_context_new(void)
{
	struct privheap_context *context;
	int err;

	if (!current->mm)
		return ERR_PTR(-EPERM);
	context = kmem_cache_zalloc(context_cache, GFP_KERNEL_ACCOUNT);
	if (!context)
		return ERR_PTR(-ENOMEM);
	err = privheap_quota_get_chain(&context->ledgers);
	if (err)
		goto free_context;
	refcount_set(&context->refs, 1);
	xa_init_flags(&context->heaps, XA_FLAGS_ACCOUNT);
	context->mm = current->mm;
	mmgrab(context->mm);
	mutex_lock(&contexts_lock);
	list_add_tail(&context->node, &contexts);
	mutex_unlock(&contexts_lock);
	return context;

free_context:
	kmem_cache_free(context_cache, context);
	return ERR_PTR(err);
}

/**
 * privheap_context_get() - one more reference
 * @context: on which the caller has one
 *
 * Context: any.
 * Return: @context.
 */
struct privheap_context *privheap_context_get(struct privheap_context *context)
{
	refcount_inc(&context->refs);
	return context;
}

/**
 * privheap_context_put() - one reference less
 * @context: which
 *
 * Context: process, may sleep; also under an mmap_lock.
 */
void privheap_context_put(struct privheap_context *context)
{
	if (!refcount_dec_and_mutex_lock(&context->refs, &contexts_lock))
		return;
	list_del(&context->node);
	mutex_unlock(&contexts_lock);
	WARN_ON_ONCE(!xa_empty(&context->heaps));
	xa_destroy(&context->heaps);
	mmdrop(context->mm);
	privheap_quota_put_chain(&context->ledgers);
	kmem_cache_free(context_cache, context);
}

/**
 * privheap_context_next() - go through all contexts
 * @before: the one before, whose reference is put; NULL = begin
 *
 * Context: process, may sleep.
 * Return: the next one with a reference, or NULL.
 */
struct privheap_context *privheap_context_next(struct privheap_context *before)
{
	struct list_head *node;
	struct privheap_context *context = NULL;

	mutex_lock(&contexts_lock);
	node = before ? before->node.next : contexts.next;
	if (node != &contexts)
		context = privheap_context_get(list_entry(node, struct privheap_context, node));
	mutex_unlock(&contexts_lock);
	if (before)
		privheap_context_put(before);
	return context;
}

/**
 * privheap_context_init() - make ready
 *
 * Context: module load.
 * Return: 0 or -ENOMEM.
 */
int privheap_context_init(void)
{
	context_cache = KMEM_CACHE(privheap_context, SLAB_ACCOUNT);
	return context_cache ? 0 : -ENOMEM;
}

/**
 * privheap_context_exit() - undo privheap_context_init()
 *
 * Context: module unload.
 */
void privheap_context_exit(void)
{
	kmem_cache_destroy(context_cache);
}
