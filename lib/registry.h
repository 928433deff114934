/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_REGISTRY_H
#define PRIVHEAP_REGISTRY_H

#include "heap_internal.h"

/* Makes the heap's handle known, and holds the heap for as long as it is. 0 or -ENOMEM. */
int registry_insert(struct heap *heap);
/* Makes it unknown; the hold is the caller's now. False: somebody else removed it. */
bool registry_remove(struct heap *heap);
/* Had this process handles of its parent's when it began? Is this one of them, or of those before? */
bool registry_inherits(void);
bool registry_inherited(const void *handle);
/* True if that was the last hold: then heap_end() is up to the caller. */
bool registry_drop(struct heap *heap);
/* Calls visit for every live heap, which is held; no lock is. Perhaps for those made meanwhile. */
void registry_each(void (*visit)(struct heap *heap));

#endif
