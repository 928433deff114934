// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * libprivheap-malloc.so: malloc and its family from a private heap, for programs as they are.
 *
 *	LD_PRELOAD=libprivheap-malloc.so program
 *	PRIVHEAP_MALLOC_MAX=256M LD_PRELOAD=libprivheap-malloc.so program
 *
 * Replaced are malloc, calloc, realloc, reallocarray, free, aligned_alloc, posix_memalign,
 * memalign, valloc, pvalloc and malloc_usable_size; they behave as glibc's, except that
 *
 *  - malloc_usable_size is the size that was asked for: what lies beyond is a canary;
 *  - a pointer that is no block, one freed already, or a block written past its end ends the
 *    program with one line on stderr. PRIVHEAP_ON_CORRUPTION=return lets it go on.
 *
 * Environment
 *
 *	PRIVHEAP_BACKEND	anon or device. Unset: the device where there is a limit, the next
 *				line's or one that was set on this process, for itself (not the
 *				default of all); else anon
 *	PRIVHEAP_MALLOC_MAX	what the heap can ever hold, in bytes, or with K, M or G behind;
 *				unset or 0: bounded by quota and memory only. On the device the
 *				kernel enforces it, on anonymous memory only this library
 *
 * A value that makes no sense, or a device that cannot be opened, ends the program with a line on
 * stderr and status 127: it shall not run without the limit it was given.
 *
 * fork
 *
 *	anon	As ever: the child gets a copy of the heap, made by the kernel page by page when
 *		one of them writes. The library's locks are held across fork, so the copy is
 *		consistent. A child made by a raw clone(2) while other threads allocate may find
 *		them held, as with glibc.
 *	device	A heap is never in a child: the kernel keeps it out. A malloc whose blocks are gone
 *		cannot go on, and a copy would not be under the limit, so fork() fails with
 *		ENOTSUP, with one line on stderr, and nothing has happened. posix_spawn, system,
 *		popen and vfork, where the child uses the parent's memory until exec, work. A child
 *		that glibc makes on its own (daemon, forkpty), or a raw clone, has no heap: it ends,
 *		with SIGABRT and a line on stderr or with SIGSEGV, before it can do anything with
 *		memory.
 *
 * A signal handler may allocate and free, though POSIX does not let it: where it interrupted this
 * library at a bad moment it gets memory from a reserve (see bootstrap.c) instead of waiting for
 * ever.
 *
 * How it is made: the library's own objects, with its own copy of their state, so a program may use
 * libprivheap itself too. process.c here takes the place of the library's: one heap, no handles,
 * and memory that a fork keeps.
 *
 *	malloc ─▶ heap_alloc ─ none, and this thread is inside the library ─▶ bootstrap_alloc
 *	free ──▶ of the reserve? nothing : heap_free ─ not a block ─▶ corruption_found
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "debug/corruption.h"
#include "heap/block.h"
#include "heap/heap.h"
#include "malloc/fork.h"
#include "malloc/process.h"
#include "malloc/bootstrap.h"

#define API		__attribute__((visibility("default")))
#define LEAST_ALIGN	16
#define PAGE		4096

API void *malloc(size_t n);
API void *calloc(size_t count, size_t size);
API void *realloc(void *p, size_t n);
API void *reallocarray(void *p, size_t count, size_t size);
API void free(void *p);
API void *aligned_alloc(size_t align, size_t n);
API void *memalign(size_t align, size_t n);
API int posix_memalign(void **out, size_t align, size_t n);
API void *valloc(size_t n);
API void *pvalloc(size_t n);
API size_t malloc_usable_size(void *p);

/* Makes the heap on first use. NULL: too early in the process, or called from in there. */
static struct heap *malloc_begin(void)
{
	static _Atomic int state;	/* 0, 1 being made, 2 done */
	static _Thread_local bool inside __attribute__((tls_model("initial-exec")));
	int fresh = 0;

	/* The dynamic linker may allocate before libc has an environment. */
	if (!environ || inside)
		return NULL;
	if (atomic_compare_exchange_strong(&state, &fresh, 1)) {
		inside = true;
		malloc_fork_init();
		atomic_store(&malloc_heap, malloc_make());
		inside = false;
		atomic_store(&state, 2);
	}
	/*
	 * Another thread makes it, in microseconds; the bootstrap arena serves a few calls until
	 * then.
	 */
	return atomic_load(&malloc_heap);
}

static inline struct heap *heap_now(void)
{
	struct heap *heap = atomic_load_explicit(&malloc_heap, memory_order_acquire);

	return likely(heap) ? heap : malloc_begin();
}

static __attribute__((noinline)) void *get_slow(struct heap *heap, size_t n, size_t align)
{
	void *p = NULL;

	if (!heap || heap_thread_holds_lock())
		p = bootstrap_alloc(n, align);
	if (!p)
		errno = ENOMEM;
	return p;
}

static inline void *get(size_t n, size_t align, unsigned int flags)
{
	struct heap *heap = heap_now();
	int error;
	void *p = likely(heap) ? heap_alloc(heap, n, align, flags, &error) : NULL;

	return likely(p) ? p : get_slow(heap, n, align);
}

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

void *malloc(size_t n)
{
	return get(n, LEAST_ALIGN, 0);
}

void *calloc(size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return no_memory();
	return get(n, LEAST_ALIGN, HEAP_F_ZERO);
}

/* Without a heap p is no block. */
static __attribute__((noinline)) void nobodys(const char *call, const void *p)
{
	corruption_found(call, NULL, p, HEAP_UNALLOCATED);
}

void free(void *p)
{
	struct heap *heap = atomic_load_explicit(&malloc_heap, memory_order_acquire);
	enum heap_fault fault;

	if (!p || unlikely(bootstrap_owns(p)))
		return;
	if (unlikely(!heap)) {
		nobodys("free", p);
		return;
	}
	fault = heap_free(heap, p);
	if (unlikely(fault != HEAP_OK))
		corruption_found("free", heap, p, fault);
}

static void *move(void *p, size_t old, size_t n)
{
	void *new = get(n, LEAST_ALIGN, 0);

	if (!new)
		return NULL;
	memcpy(new, p, old < n ? old : n);
	free(p);
	return new;
}

void *realloc(void *p, size_t n)
{
	struct heap *heap = heap_now();
	enum heap_fault fault;
	int error;
	size_t old;
	void *new;

	if (!p)
		return get(n, LEAST_ALIGN, 0);
	if (n == 0) {
		free(p);
		return NULL;
	}
	if (unlikely(bootstrap_owns(p)))
		return n <= bootstrap_size(p) ? p : move(p, bootstrap_size(p), n);
	if (unlikely(!heap)) {
		nobodys("realloc", p);
		return no_memory();
	}
	fault = heap_realloc(heap, p, n, 0, &new, &error);
	if (unlikely(fault != HEAP_OK))
		corruption_found("realloc", heap, p, fault);
	/* In a signal handler that interrupted the library: what need not grow can stay. */
	if (unlikely(!new) && heap_thread_holds_lock() && heap_size(heap, p, &old) == HEAP_OK)
		new = n <= old ? p : move(p, old, n);
	return likely(new) ? new : no_memory();
}

void *reallocarray(void *p, size_t count, size_t size)
{
	size_t n;

	if (__builtin_mul_overflow(count, size, &n))
		return no_memory();
	return realloc(p, n);
}

static bool power_of_two(size_t n)
{
	return n && !(n & (n - 1));
}

static void *get_aligned(size_t align, size_t n)
{
	if (align < LEAST_ALIGN)
		align = LEAST_ALIGN;
	return get(n, align, 0);
}

void *aligned_alloc(size_t align, size_t n)
{
	if (!power_of_two(align)) {
		errno = EINVAL;
		return NULL;
	}
	return get_aligned(align, n);
}

void *memalign(size_t align, size_t n)
{
	size_t power = LEAST_ALIGN;

	if (align > SIZE_MAX / 2 + 1) {
		errno = EINVAL;
		return NULL;
	}
	/* glibc's rounds up. */
	while (power < align)
		power *= 2;
	return get_aligned(power, n);
}

int posix_memalign(void **out, size_t align, size_t n)
{
	int saved = errno;
	void *p;

	if (!power_of_two(align) || align % sizeof(void *))
		return EINVAL;
	p = get_aligned(align, n);
	errno = saved;
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

void *valloc(size_t n)
{
	return get_aligned(PAGE, n);
}

void *pvalloc(size_t n)
{
	if (n > SIZE_MAX - PAGE)
		return no_memory();
	return get_aligned(PAGE, (n + PAGE - 1) & ~(size_t)(PAGE - 1));
}

size_t malloc_usable_size(void *p)
{
	struct heap *heap = atomic_load_explicit(&malloc_heap, memory_order_acquire);
	enum heap_fault fault;
	size_t n = 0;

	if (!p)
		return 0;
	if (bootstrap_owns(p))
		return bootstrap_size(p);
	if (unlikely(!heap)) {
		nobodys("malloc_usable_size", p);
		return 0;
	}
	fault = heap_size(heap, p, &n);
	if (fault != HEAP_OK)
		corruption_found("malloc_usable_size", heap, p, fault);
	return n;
}
