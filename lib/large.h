/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Large blocks: a run of whole pages each.
 *
 *   | p ……… requested ……… |CANARY| … |      pages and slack are in the first page's descriptor
 *                         |<- slack ->|
 *
 * They are made, resized and freed under the heap's lock. The canary is written outside of it
 * (the page may have to be fetched), while slack is 0 and so nobody looks. So a stopped heap may
 * show a large block that is being made, at the size of its pages; it does not change meanwhile.
 */
#ifndef PRIVHEAP_LARGE_H
#define PRIVHEAP_LARGE_H

#include "heap_internal.h"

/*
 * Takes the lock itself, as all here unless it says locked. NULL and *error = -ENOMEM, -EDQUOT.
 * Not where heap_would_hang().
 */
void *large_alloc(struct heap *heap, size_t n, size_t align, unsigned int flags, int *error);
/* p is inside the range and in no slab, here and below. */
enum heap_fault large_free(struct heap *heap, void *p, unsigned int flags);
/*
 * Both locked, and large_free when called one after the other: p is a block no more, its pages
 * are kept; they are given back.
 */
enum heap_fault large_hold(struct heap *heap, void *p);
void large_release(struct heap *heap, void *p);
/* Lock-free. */
enum heap_fault large_size(struct heap *heap, const void *p, size_t *size);
/*
 * *out = p, resized where it is, or NULL if it must move; *old = its size before. Not where
 * heap_would_hang().
 */
enum heap_fault large_resize(struct heap *heap, void *p, size_t n, unsigned int flags,
			     void **out, size_t *old);
enum heap_fault large_validate(struct heap *heap, const void *p);
/* A large block's slack, and *bytes = its pages; nobody else may resize it. */
size_t large_seen(struct heap *heap, const void *p, size_t *bytes);
/* Makes it n bytes large within its pages, its canary set. */
void large_seal(struct heap *heap, char *p, size_t n);
/* The canary of the large block whose first page is head. Locked. */
bool large_intact(struct heap *heap, size_t head);

#endif
