/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_EXCEPTION_H
#define PRIVHEAP_EXCEPTION_H

#include <stdbool.h>
#include <ucontext.h>

#include "include/heap_exception.h"

/*
 * Offers the exception to the vectored handlers, then to the try regions of this thread from the
 * inside out. interrupted: what a signal interrupted, when raised from its handler; else NULL.
 * Regions entered before the library took a lock that this thread holds (a signal handler
 * interrupted it) are not asked. Returns true when a filter chose EXCEPTION_CONTINUE_EXECUTION,
 * false when it is unhandled; does not return when an except block takes it.
 */
bool exception_offer(EXCEPTION_RECORD *record, ucontext_t *interrupted);
/* The same, but prints the line and aborts when it is unhandled. */
void exception_raise(EXCEPTION_RECORD *record, ucontext_t *interrupted);
/*
 * STATUS_NO_MEMORY for n bytes of a heap. Returns when a filter chose EXCEPTION_CONTINUE_EXECUTION,
 * or when it may not leave the signal handler it happened in.
 */
void exception_no_memory(void *heap, size_t n, void *caller);
/* Was the interrupted code inside a try region? Async-signal-safe. */
bool exception_in_try(const ucontext_t *interrupted);

#endif
