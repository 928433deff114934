/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Large blocks: a run of whole pages each.
 *
 *   | p ……… requested ……… |CANARY| … |      pages and bytes requested are in the first page's
 *                         |<- slack ->|      descriptor: tag, link
 *
 * They are made, resized and freed under the heap's lock. The canary is written outside of it (the
 * page may have to be fetched), while the size is marked as not sealed, so that no canary is
 * expected. The size is one word: any reader, with the lock or without, or of a frozen heap, gets
 * the one before a resize or the one after.
 */
#ifndef PRIVHEAP_LARGE_H
#define PRIVHEAP_LARGE_H

#include "alloc/types.h"

/*
 * A block of n bytes, with so many more behind it. Takes the lock itself, as all here unless it
 * says locked. NULL and *error = -ENOMEM, -EDQUOT. Not where heap_in_signal_reentry().
 */
void *large_alloc(struct heap *heap, size_t n, size_t more, size_t align, unsigned int flags,
		  int *error);
/* p is inside the range and in no slab, here and below. */
enum heap_fault large_free(struct heap *heap, void *p, unsigned int flags);
/*
 * Both locked, and large_free when called one after the other: p is a block no more, its pages
 * are kept; they are given back.
 */
enum heap_fault large_quarantine(struct heap *heap, void *p);
void large_release(struct heap *heap, void *p);
/* Lock-free. */
enum heap_fault large_size(struct heap *heap, const void *p, size_t *size);
/*
 * *out = p, resized where it is, or NULL if it must move; *old = its size before. Not where
 * heap_in_signal_reentry().
 */
enum heap_fault large_resize(struct heap *heap, void *p, size_t n, size_t more, unsigned int flags,
			     void **out, size_t *old);
enum heap_fault large_validate(struct heap *heap, const void *p);
/* A large block's slack, and *bytes = its pages; not while it is resized. */
size_t large_seen(struct heap *heap, const void *p, size_t *bytes);
/* The canary of the large block whose first page is head. Locked. */
bool large_intact(struct heap *heap, size_t head);

#endif
