/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Pages of a checked heap without access; heap/segv.c reports a touch. */
#ifndef PRIVHEAP_GUARD_H
#define PRIVHEAP_GUARD_H

#include "alloc/types.h"

/* Whole pages of the heap. False: the kernel has no room for the note; they stay as they were. */
bool guard_protect(const struct heap *heap, char *p, size_t bytes);
bool guard_unprotect(const struct heap *heap, char *p, size_t bytes);

#endif
