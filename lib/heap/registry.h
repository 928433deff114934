/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_REGISTRY_H
#define PRIVHEAP_REGISTRY_H

#include <sys/types.h>
#include "alloc/types.h"

/* Makes the heap's handle known, and holds the heap for as long as it is. 0 or -ENOMEM. */
int registry_insert(struct heap *heap);
/* Makes it unknown; the hold is the caller's now. False: another thread removed it. */
bool registry_remove(struct heap *heap);
/*
 * Had this process handles of its parent's when it began? Is this one of them, or of those before?
 */
bool registry_inherits(void);
bool registry_inherited(const void *handle);
/* One hold more. False: it has ended. What is held may be another heap by then: check it. */
bool registry_hold(struct heap *heap);
/* True if that was the last hold: then ending it is up to the caller. */
bool registry_drop(struct heap *heap);
/*
 * The next handle from place *i on, 0 being the first; NULL: there is none left. No lock is held.
 */
const void *registry_next(size_t *i);

/* handle -> heap, not held: where no other thread destroys it. NULL. */
struct heap *heap_lookup(const void *handle);
/*
 * The heap whose range holds the address, or NULL. Lock-free, async-signal-safe. Looks at every
 * heap: for faults, not for anything that happens often.
 */
struct heap *heap_containing(const void *address);
/* Destroyed since it was held. */
bool heap_gone(const struct heap *heap);
/*
 * Handles of live heaps, process heap first, then creation order; fills at most n. How many
 * live, or -EDEADLK: a signal handler that interrupted the library.
 */
ssize_t heap_list(void **handles, size_t n);

#endif
