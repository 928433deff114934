/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_VECTORED_H
#define PRIVHEAP_VECTORED_H

#include <stdbool.h>
#include "include/heap_exception.h"

/* The answer of the first vectored handler that wants to go back, else CONTINUE_SEARCH. */
LONG vectored_offer(EXCEPTION_POINTERS *pointers);
/* Async-signal-safe. */
bool vectored_present(void);

#endif
