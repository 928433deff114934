/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Pages of a checked heap that nobody may touch, and the line on stderr when somebody does:
 *
 *	touch -> SIGSEGV -> in a guard page or a freed large block of a checked heap?
 *			    yes: which, one line, abort      no: whoever handled SIGSEGV before us
 */
#ifndef PRIVHEAP_GUARD_H
#define PRIVHEAP_GUARD_H

#include "heap_internal.h"

/* Whole pages of the heap. False: the kernel has no room for the note; they stay as they were. */
bool guard_shut(const struct heap *heap, char *p, size_t bytes);
bool guard_open(const struct heap *heap, char *p, size_t bytes);

/* From now on touches are explained. */
void guard_install(void);

#endif
