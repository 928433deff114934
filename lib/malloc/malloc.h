/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * libprivheap-malloc.so: malloc and its family from a private heap, for programs as they are.
 *
 *	LD_PRELOAD=libprivheap-malloc.so program
 *	PRIVHEAP_MALLOC_MAX=256M LD_PRELOAD=libprivheap-malloc.so program
 *
 * Replaced are malloc, calloc, realloc, reallocarray, free, aligned_alloc, posix_memalign, memalign,
 * valloc, pvalloc and malloc_usable_size; they behave as glibc's, except that
 *
 *  - malloc_usable_size is the size that was asked for: what lies beyond is a canary;
 *  - a pointer that is no block, one freed already, or a block written past its end ends the program
 *    with one line on stderr. PRIVHEAP_ON_CORRUPTION=return lets it go on.
 *
 * Environment
 *
 *	PRIVHEAP_BACKEND	anon or device. Unset: the device where there is a limit, the next line's or
 *				one that was set on this process, for itself (not the default of
 *				all); else anon
 *	PRIVHEAP_MALLOC_MAX	what the heap can ever hold, in bytes, or with K, M or G behind; unset or
 *				0: bounded by quota and memory only. On the device the kernel
 *				enforces it, on anonymous memory only this library
 *
 * A value that makes no sense, or a device that cannot be opened, ends the program with a line on
 * stderr and status 127: it shall not run without the limit it was given.
 *
 * fork
 *
 *	anon	As ever: the child gets a copy of the heap, made by the kernel page by page when one of
 *		them writes. The library's locks are held across fork, so the copy is consistent. A child
 *		made by a raw clone(2) while other threads allocate may find them held, as with glibc.
 *	device	A heap is never in a child: the kernel keeps it out. A malloc whose blocks are gone
 *		cannot go on, and a copy would not be under the limit, so fork() fails with ENOTSUP, with
 *		one line on stderr, and nothing has happened. posix_spawn, system, popen and vfork,
 *		where the child uses the parent's memory until exec, work. A child that glibc makes on
 *		its own (daemon, forkpty), or a raw clone, has no heap: it ends, with SIGABRT and a line on
 *		stderr or with SIGSEGV, before it can do anything with memory.
 *
 * A signal handler may allocate and free, though POSIX does not let it: where it interrupted this
 * library at a bad moment it gets memory from a reserve (see reserve.c) instead of waiting for ever.
 *
 * How it is made: the library's own objects, with its own copy of their state, so a program may use
 * libprivheap itself too. process.c here takes the place of the library's: one heap, no handles, and
 * memory that a fork keeps.
 */
#ifndef PRIVHEAP_MALLOC_H
#define PRIVHEAP_MALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct heap;

/* The heap; NULL until it is made. */
extern _Atomic(struct heap *) malloc_heap;

/* Makes the heap on first use. NULL: too early in the process, or called from in there. */
struct heap *malloc_begin(void);
bool malloc_on_device(void);
/* Registers what happens at fork. */
void malloc_fork_init(void);

/* Zeroed memory that is never given back, or NULL. align: a power of two. */
void *reserve_alloc(size_t n, size_t align);
bool reserve_owns(const void *p);
size_t reserve_size(const void *p);

#endif
