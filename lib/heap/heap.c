// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The life of a heap.
 *
 *   meta_record_alloc ▸ reserve ▸ registry_insert ▸ … blocks … ▸ registry_remove ▸ release
 *   its record     its range   its handle                                     and its metadata
 *
 * Destroying is the same three steps backward, whatever is alive in it: nothing is walked. The last
 * one waits for references (registry.c): dropping the last one does it. Destroying itself does not
 * wait, as the holder of a reference may be waiting for its caller. In signal reentry a heap cannot
 * be ended; the next call that makes or destroys one does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "alloc/freeze.h"
#include "alloc/meta.h"
#include "alloc/meta_region.h"
#include "alloc/shard.h"
#include "debug/check.h"
#include "heap/heap.h"
#include "heap/range.h"
#include "heap/registry.h"
#include "os/backend_default.h"
#include "os/process.h"

#define MIB		((size_t)1 << 20)
#define ROOM_PER_CPU	((size_t)256 << 10)
#define HEAP_FLAGS	(HEAP_F_NO_SERIALIZE | HEAP_F_EXCEPTIONS | HEAP_F_ZERO | HEAP_F_EXEC | \
			 HEAP_F_SECRET | HEAP_F_RETURN | HEAP_F_POPULATE | HEAP_F_LOCKED | \
			 HEAP_F_CHECK_TAIL | HEAP_F_CHECK_FREE)

static_assert(sizeof(struct heap) + 17 * sizeof(struct shard *) + sizeof(struct shard) + 64 + 512 +
	      192 <= META_PAGE, "a small heap's metadata is one page, with up to 16 CPUs");
static_assert(sizeof(struct heap) + (HEAP_CPUS + 1) * sizeof(struct shard *) <= META_PAGE,
	      "the record itself is one page at most");

/* The highest number of a CPU that this thread may use, plus 1. */
static uint32_t heap_highest_cpu(void)
{
	uint64_t mask[128] = { 0 };
	uint32_t word = sizeof(mask) / sizeof(mask[0]);
	int saved = errno;

	if (syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask) < 0)
		word = 0;
	errno = saved;
	while (word && !mask[word - 1])
		word--;
	return word ? word * 64 - (uint32_t)__builtin_clzll(mask[word - 1]) : 1;
}

/*
 * How many numbers CPUs have. glibc reads a file for it: ask once. It says how many there are,
 * where numbers may have gaps; and where there is no /sys, how many this thread may use.
 */
static uint32_t heap_cpus(struct process *process)
{
	uint32_t cpus = process->cpus, highest;

	if (!cpus) {
		cpus = (uint32_t)get_nprocs_conf();
		highest = heap_highest_cpu();
		process->cpus = cpus = cpus < highest ? highest : cpus;
	}
	return cpus;
}

/*
 * Owned by CPUs where there is room for slabs of each, and a kernel and a C library that can;
 * shared by CPUs where there is some room; else there is one shard.
 */
static enum heap_mode heap_mode(const struct heap_attr *attr, size_t maximum,
				struct process *process, uint32_t *shards)
{
	/* Asked for every heap: the fast path of any wants the area known. */
	bool percpu = percpu_possible(process);
	uint32_t cpus = heap_cpus(process);

	*shards = 1;
	if (attr->flags & HEAP_F_NO_SERIALIZE)
		return HEAP_EXCLUSIVE;
	/* Checked heaps do everything under their lock. */
	if (attr->flags & HEAP_F_CHECK || maximum < 4 * MIB || maximum < cpus * ROOM_PER_CPU)
		return HEAP_SHARED;
	*shards = cpus;
	if (cpus <= HEAP_CPUS && percpu)
		return HEAP_PERCPU;
	*shards = cpus < HEAP_SHARDS ? cpus : HEAP_SHARDS;
	return HEAP_SHARED;
}

static int heap_init(struct heap *heap, const struct heap_attr *attr, struct process *process)
{
	int error = 0;

	heap->base = heap->range.base;
	heap->maximum = heap->range.maximum;
	heap->growable = attr->maximum == 0;
	heap->order_max = heap->maximum < MIB ? 0 : heap->maximum < 4 * MIB ? 1 : 2;
	heap->slab_limit = SLAB_ORDER_BYTES(heap->order_max) / 2;
	heap->flags = attr->flags & HEAP_FLAGS;
	heap->mode = heap_mode(attr, heap->maximum, process, &heap->shard_count);
	heap->percpu_limit = heap->mode == HEAP_PERCPU ? heap->shard_count : 0;
	heap->first.used += shard_total(heap) * sizeof(heap->shards[0]);
	for (uint32_t i = 0; i < shard_total(heap); i++)
		heap->shards[i] = &shard_none;
	heap->runs.pages = heap->maximum >> PAGE_SHIFT;
	memcpy(heap->canary, process_canary(process), sizeof(heap->canary));
	return heap_page_make(heap, 0, &error) ? check_init(heap) : error;
}

/* Every metadata chunk, the heap's own record last. */
static void heap_free_metadata(struct heap *heap)
{
	const struct backend *backend = heap->range.backend;
	struct meta_chunk *chunk = heap->meta, *next;

	for (; chunk; chunk = next) {
		next = chunk->next;
		if (!next)
			meta_record_free(backend, chunk);
		else
			meta_pages_free(backend, chunk, chunk->order);
	}
}

static struct heap *heap_record(const struct backend *backend, int *error)
{
	struct heap *heap = meta_record_alloc(backend, error);
	const size_t rest = offsetof(struct heap, canary);

	if (!heap)
		return NULL;
	/* Not the holds: other threads may read them. */
	memset((char *)heap + rest, 0, sizeof(*heap) - rest);
	heap->first = (struct meta_chunk){ .used = sizeof(*heap) };
	heap->meta = &heap->first;
	heap->meta_bytes = META_PAGE;
	heap->range.backend = backend;
	return heap;
}

static int heap_make(const struct heap_attr *attr, struct heap **out)
{
	const struct backend *backend = attr->backend ? attr->backend : backend_default();
	struct process *process = process_get();
	struct heap *heap;
	int error;

	if (!backend)
		return -EINVAL;
	if (!process)
		return -ENOMEM;
	heap = heap_record(backend, &error);
	if (!heap)
		return error;
	error = range_reserve(&heap->range, backend, attr, process);
	heap->range.backend = backend;
	if (error)
		goto free_metadata;
	error = heap_init(heap, attr, process);
	if (!error)
		error = registry_insert(heap);
	if (error)
		goto release;
	*out = heap;
	return 0;

release:
	if (heap->check)
		check_fini(heap);
	backend->release(&heap->range);
free_metadata:
	heap_free_metadata(heap);
	return error;
}

/* No reference is left. 0 or -EPERM. */
static int heap_end(struct heap *heap)
{
	int saved = errno, error;

	if (heap->check)
		check_fini(heap);
	error = heap->range.backend->release(&heap->range);
	if (error) {
		/* Sealed: it lives on. The table had room for it a moment ago. */
		heap_recall(heap);
		registry_insert(heap);
	} else {
		heap_free_metadata(heap);
	}
	errno = saved;
	return error;
}

static void heap_end_later(struct heap *heap)
{
	struct process *process = process_get();

	heap->next = atomic_load(&process->doomed);
	while (!atomic_compare_exchange_weak(&process->doomed, &heap->next, heap))
		;
}

static void heap_end_doomed(struct process *process)
{
	struct heap *heap, *next;

	if (likely(!atomic_load_explicit(&process->doomed, memory_order_relaxed)))
		return;
	for (heap = atomic_exchange(&process->doomed, NULL); heap; heap = next) {
		next = heap->next;
		heap_end(heap);
	}
}

void heap_drop(struct heap *heap)
{
	if (likely(!registry_drop(heap)))
		return;
	if (lock_any_held())
		heap_end_later(heap);
	else
		heap_end(heap);
}

bool heap_hold_found(struct heap *heap, const void *handle)
{
	if (!registry_hold(heap))
		return false;
	if (likely(heap->base == handle && !heap_gone(heap)))
		return true;
	heap_drop(heap);
	return false;
}

struct heap *heap_hold(const void *handle)
{
	struct heap *heap;

	do {
		heap = heap_lookup(handle);
	} while (heap && !heap_hold_found(heap, handle));
	return heap;
}

struct heap *heap_hold_containing(const void *address)
{
	struct heap *heap;

	while ((heap = heap_containing(address))) {
		if (!registry_hold(heap))
			continue;
		if ((uintptr_t)address - (uintptr_t)heap->base < heap->maximum &&
		    !heap_gone(heap))
			return heap;
		heap_drop(heap);
	}
	return NULL;
}

void heap_each(void (*visit)(struct heap *heap))
{
	const void *handle;
	struct heap *heap;
	size_t i = 0;

	while ((handle = registry_next(&i))) {
		heap = heap_hold(handle);
		if (!heap)
			continue;
		visit(heap);
		heap_drop(heap);
	}
}

int heap_create(const struct heap_attr *attr, struct heap **out)
{
	struct process *process = process_peek();

	/* A signal handler that interrupted the library must not wait for its locks. */
	if (lock_any_held())
		return -ENOMEM;
	if (process)
		heap_end_doomed(process);
	return heap_make(attr, out);
}

int heap_destroy_handle(const void *handle)
{
	struct process *process = process_peek();
	struct heap *heap;

	if (lock_any_held())
		return -EDEADLK;
	heap = heap_hold(handle);
	if (!heap)
		return -EINVAL;
	heap_end_doomed(process);
	if (heap == process->process_heap || !registry_remove(heap)) {
		heap_drop(heap);
		return -EINVAL;
	}
	heap_dismiss(heap);
	/* The registry's hold, and this one. */
	registry_drop(heap);
	return registry_drop(heap) ? heap_end(heap) : 0;
}

int heap_destroy(struct heap *heap)
{
	return heap_destroy_handle(heap->base);
}

void *heap_handle(const struct heap *heap)
{
	return heap->base;
}

unsigned int heap_flags(const struct heap *heap)
{
	return heap->flags;
}

unsigned int heap_compatibility(const struct heap *heap)
{
	return heap->compatibility;
}

bool heap_set_compatibility(struct heap *heap, unsigned int value)
{
	uint32_t never_set = 0;

	return atomic_compare_exchange_strong(&heap->compatibility, &never_set, value) ||
	       never_set == value;
}

int heap_process(struct heap **out)
{
	struct heap_attr attr = { .name = "process heap" };
	struct process *process = process_get();
	int error = 0;

	if (!process)
		return -ENOMEM;
	*out = atomic_load_explicit(&process->process_heap, memory_order_acquire);
	if (*out)
		return 0;
	if (lock_any_held())
		return -ENOMEM;
	lock_take(&process->process_heap_lock);
	if (!process->process_heap) {
		attr.flags = check_wanted();
		error = heap_make(&attr, out);
		if (!error)
			process->process_heap = *out;
	}
	*out = process->process_heap;
	lock_drop(&process->process_heap_lock);
	return error;
}

bool heap_thread_holds_lock(void)
{
	return lock_any_held();
}
