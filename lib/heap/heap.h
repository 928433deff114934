/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The heap: what both public APIs are thin wrappers of.
 *
 * A public handle (HANDLE, privheap_t *) is the base address of the heap's range. The registry
 * turns it into the struct heap, which lives in the metadata region, or into NULL.
 * No function here raises, aborts or sets errno or the last error: wrappers do.
 */
#ifndef PRIVHEAP_HEAP_H
#define PRIVHEAP_HEAP_H

#include "heap/range.h"

/* 0, -EINVAL (initial > maximum), -EDQUOT, -ENOMEM, or why the device cannot be opened. */
int heap_create(const struct heap_attr *attr, struct heap **out);
/*
 * Frees everything; while others hold the heap, when the last of them drops it. 0; -EINVAL: no live
 * heap, or the process heap; -EPERM: the kernel refused to unmap, the heap lives on; -EDEADLK.
 */
int heap_destroy_handle(const void *handle);
/* The same, where no other thread destroys it. */
int heap_destroy(struct heap *heap);

/*
 * handle -> heap, or NULL for anything that is not a live heap of this process. It is held: if it
 * is destroyed it keeps its pages until heap_drop. Both lock-free and async-signal-safe.
 */
struct heap *heap_hold(const void *handle);
/* The same for a heap that was found by that handle a moment ago. False: it has ended. */
bool heap_hold_found(struct heap *heap, const void *handle);
void heap_drop(struct heap *heap);
/* The heap whose range holds the address, held; NULL. As heap_containing() otherwise. */
struct heap *heap_hold_containing(const void *address);
/*
 * Calls visit for every live heap, which is held; no lock is. Perhaps for those made during the
 * call.
 */
void heap_each(void (*visit)(struct heap *heap));

void *heap_handle(const struct heap *heap);
unsigned int heap_flags(const struct heap *heap);
/* The growable process heap, made on first use, never destroyed. 0 or a negative errno. */
int heap_process(struct heap **out);
/* True while this thread holds a lock of the library (the SIGBUS bridge must not unwind then). */
bool heap_thread_holds_lock(void);

/* What the program asked HeapSetInformation for: 0, or 2, which stays. False: it is 2. */
unsigned int heap_compatibility(const struct heap *heap);
bool heap_set_compatibility(struct heap *heap, unsigned int value);

#endif
