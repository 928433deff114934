/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The one heap of a malloc. */
#ifndef PRIVHEAP_MALLOC_PROCESS_H
#define PRIVHEAP_MALLOC_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

struct heap;

/* The heap; NULL until it is made. */
extern _Atomic(struct heap *) malloc_heap;

/* Makes the heap as the environment asks for it; where that cannot be, ends the process. Once. */
struct heap *malloc_make(void);
bool malloc_on_device(void);

#endif
