/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The try regions that this thread is in.
 *
 *	outermost ─▶ region ─ inner ─▶ region ─ inner ─▶ region ◀─ innermost
 *
 * A frame that has gone without closing its region (pthread_exit, longjmp, a C++ exception through
 * C) leaves it in here, and other frames write over it: only those from the outermost on, as far as
 * they live, can be believed.
 */
#ifndef PRIVHEAP_REGION_H
#define PRIVHEAP_REGION_H

#include <stddef.h>
#include "include/heap_exception.h"

#define REGION_LOCAL	__attribute__((tls_model("initial-exec"), visibility("hidden")))

extern _Thread_local struct privheap_try *region_innermost REGION_LOCAL;

/* As the last that was entered in its .outer; that is the innermost again, and unlinked. */
void region_link(struct privheap_try *region);
void region_unlink(struct privheap_try *region);

/*
 * The code whose stack pointer this is goes on, and enters the region, if not NULL: those in frames
 * that are gone by that are dropped.
 */
void region_find_living(const char *sp, const struct privheap_try *entered);

#endif
