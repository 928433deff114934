// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Handle ▸ heap: a hash table with open addressing, read without a lock.
 *
 *   handle 0x7f12_3456_0000  ──hash──▶  | EMPTY | GONE | 0x7f12… | EMPTY |     at most half full
 *                                                          heap, maximum
 *
 * Writers hold the registry lock. A slot is filled before its handle is published. A removed one
 * becomes GONE, or EMPTY where the search would end anyway, so tables do not fill with GONE.
 * A table that got too full is replaced by a doubled one and kept: readers may be in it. All
 * kept ones together are as large as the newest.
 *
 * A forked child has the tables, in memory like any other, but not the pointer to them: its handles
 * are unknown there. It keeps out of their way, and so do its children:
 *
 *	registry_newest ─▶ own table ─inherited▶ parent's ─inherited▶ grandparent's
 *
 * Holds are references. A listed heap has one; a thread in a call on it has another; dropping the
 * last one ends the heap. Between finding a heap and holding it, it may end, and its record become
 * another heap's: records are never anything else (meta_region.h), and have no holds in between, so
 * it is enough to check once more what was held:
 *
 *	handle ──find──▶ record ── holds 0? gone ── + 1 ── still that handle's, and listed? ──▶ held
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include "os/process.h"
#include "heap/registry.h"

#define TABLE_MIN	128
#define EMPTY		0
#define GONE		1	/* no handle: those are multiples of 64 KiB */

struct registry_slot {
	_Atomic uintptr_t handle;
	_Atomic(struct heap *) heap;
	_Atomic size_t maximum;
};

struct registry_table {
	size_t slots;		/* a power of two */
	size_t used;		/* not EMPTY */
	size_t bytes;
	struct registry_table *older;
	struct registry_table *inherited;	/* the newest of the parent process */
	struct registry_slot slot[];
};

/* Not in the page that a fork wipes. */
static _Atomic(struct registry_table *) registry_newest;

static size_t registry_hash(const struct registry_table *table, uintptr_t handle)
{
	return (size_t)((handle >> 16) * 0x9e3779b97f4a7c15u >> 20) & (table->slots - 1);
}

static struct registry_table *registry_table_of(struct process *process)
{
	return process ? atomic_load_explicit(&process->table, memory_order_acquire) : NULL;
}

static struct registry_slot *registry_find(struct registry_table *table, uintptr_t handle)
{
	size_t mask = table->slots - 1, i = registry_hash(table, handle);
	uintptr_t seen;

	for (;; i = (i + 1) & mask) {
		seen = atomic_load_explicit(&table->slot[i].handle, memory_order_acquire);
		if (seen == handle)
			return &table->slot[i];
		if (seen == EMPTY)
			return NULL;
	}
}

struct heap *heap_lookup(const void *handle)
{
	struct registry_table *table = registry_table_of(process_peek());
	struct registry_slot *slot;

	if (!table || (uintptr_t)handle <= GONE)
		return NULL;
	slot = registry_find(table, (uintptr_t)handle);
	return slot ? atomic_load_explicit(&slot->heap, memory_order_acquire) : NULL;
}

bool registry_hold(struct heap *heap)
{
	uint32_t seen = atomic_load_explicit(&heap->holds, memory_order_relaxed);

	while (seen)
		if (atomic_compare_exchange_weak_explicit(&heap->holds, &seen, seen + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return true;
	return false;
}

bool registry_drop(struct heap *heap)
{
	return atomic_fetch_sub_explicit(&heap->holds, 1, memory_order_acq_rel) == 1;
}

bool heap_gone(const struct heap *heap)
{
	return atomic_load(&heap->frozen) == HEAP_GONE;
}

struct heap *heap_containing(const void *address)
{
	struct registry_table *table = registry_table_of(process_peek());
	struct heap *heap;
	uintptr_t handle;

	for (size_t i = 0; table && i < table->slots; i++) {
		struct registry_slot *slot = &table->slot[i];

		handle = atomic_load_explicit(&slot->handle, memory_order_acquire);
		if (handle <= GONE || (uintptr_t)address < handle ||
		    (uintptr_t)address - handle >= slot->maximum)
			continue;
		heap = slot->heap;
		/* Still the same entry? Else the three parts may be of two. */
		if (slot->handle == handle)
			return heap;
	}
	return NULL;
}

static struct registry_table *registry_inheritance(void)
{
	struct registry_table *table = registry_table_of(process_peek());

	return table ? table->inherited : registry_newest;
}

bool registry_inherits(void)
{
	return registry_inheritance() != NULL;
}

bool registry_inherited(const void *handle)
{
	struct registry_table *table = registry_inheritance();

	while (table && !registry_find(table, (uintptr_t)handle))
		table = table->inherited;
	return table != NULL;
}

static void registry_put(struct registry_table *table, uintptr_t handle, struct heap *heap,
			 size_t maximum)
{
	size_t mask = table->slots - 1, i = registry_hash(table, handle);

	while (table->slot[i].handle > GONE)
		i = (i + 1) & mask;
	if (table->slot[i].handle == EMPTY)
		table->used++;
	table->slot[i].heap = heap;
	table->slot[i].maximum = maximum;
	atomic_store_explicit(&table->slot[i].handle, handle, memory_order_release);
}

static int registry_grow(struct process *process)
{
	struct registry_table *old = process->table, *table;
	size_t slots = old ? old->slots * 2 : TABLE_MIN;
	size_t bytes = (sizeof(*table) + slots * sizeof(table->slot[0]) + 4095) & ~(size_t)4095;

	table = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (table == MAP_FAILED)
		return -ENOMEM;
	table->slots = slots;
	table->bytes = bytes;
	table->older = old;
	table->inherited = old ? old->inherited : registry_newest;
	for (size_t i = 0; old && i < old->slots; i++)
		if (old->slot[i].handle > GONE)
			registry_put(table, old->slot[i].handle, old->slot[i].heap,
				     old->slot[i].maximum);
	atomic_store_explicit(&process->table, table, memory_order_release);
	registry_newest = table;
	return 0;
}

static _Atomic(struct heap *) *handle_cache_of(struct process *process, struct heap *heap)
{
	return &process->handle_cache.heap[handle_cache_hash((uintptr_t)heap->base)];
}

static void handle_cache_put(struct process *process, struct heap *heap)
{
	_Atomic(struct heap *) *place = handle_cache_of(process, heap);

	/* The fast path leaves blocks as they are. */
	if (!*place && !(heap->flags & HEAP_F_ZERO))
		atomic_store_explicit(place, heap, memory_order_release);
}

static void handle_cache_remove(struct process *process, struct heap *heap)
{
	_Atomic(struct heap *) *place = handle_cache_of(process, heap);

	if (*place == heap)
		atomic_store_explicit(place, NULL, memory_order_release);
}

static void registry_link(struct process *process, struct heap *heap)
{
	heap->next = NULL;
	heap->previous = process->last;
	if (process->last)
		process->last->next = heap;
	else
		process->first = heap;
	process->last = heap;
	process->heaps++;
	process->growable += heap->growable;
}

static void registry_unlink(struct process *process, struct heap *heap)
{
	if (heap->next)
		heap->next->previous = heap->previous;
	else
		process->last = heap->previous;
	if (heap->previous)
		heap->previous->next = heap->next;
	else
		process->first = heap->next;
	process->heaps--;
	process->growable -= heap->growable;
}

int registry_insert(struct heap *heap)
{
	struct process *process = process_get();
	int error = 0, saved = errno;

	lock_take(&process->registry_lock);
	if (!process->table || (process->table->used + 1) * 2 > process->table->slots)
		error = registry_grow(process);
	if (!error) {
		atomic_store_explicit(&heap->holds, 1, memory_order_release);
		registry_put(process->table, (uintptr_t)heap->base, heap, heap->maximum);
		handle_cache_put(process, heap);
		registry_link(process, heap);
	}
	lock_drop(&process->registry_lock);
	errno = saved;
	return error;
}

bool registry_remove(struct heap *heap)
{
	struct process *process = process_get();
	struct registry_table *table;
	struct registry_slot *slot = NULL;
	size_t i, mask;

	lock_take(&process->registry_lock);
	table = process->table;
	if (table)
		slot = registry_find(table, (uintptr_t)heap->base);
	if (slot && slot->heap != heap)
		slot = NULL;
	if (slot) {
		mask = table->slots - 1;
		i = (size_t)(slot - table->slot);
		atomic_store_explicit(&slot->handle, GONE, memory_order_release);
		/* A search that comes to EMPTY next need not be led past here. */
		while (table->slot[(i + 1) & mask].handle == EMPTY &&
		       table->slot[i].handle == GONE) {
			table->slot[i].handle = EMPTY;
			table->used--;
			i = (i - 1) & mask;
		}
		handle_cache_remove(process, heap);
		registry_unlink(process, heap);
	}
	lock_drop(&process->registry_lock);
	return slot != NULL;
}

ssize_t heap_list(void **handles, size_t n)
{
	struct process *process = process_peek();
	struct heap *own, *heap;
	size_t i = 0, count;

	if (lock_any_held())
		return -EDEADLK;
	if (!process)
		return 0;
	lock_take(&process->registry_lock);
	own = process->process_heap;
	if (own && n)
		handles[i++] = own->base;
	for (heap = process->first; heap && i < n; heap = heap->next)
		if (heap != own)
			handles[i++] = heap->base;
	count = process->heaps;
	lock_drop(&process->registry_lock);
	return (ssize_t)count;
}

const void *registry_next(size_t *i)
{
	struct registry_table *table = registry_table_of(process_peek());
	uintptr_t handle;

	while (table && *i < table->slots) {
		handle = atomic_load(&table->slot[(*i)++].handle);
		if (handle > GONE)
			return (const void *)handle;
	}
	return NULL;
}
