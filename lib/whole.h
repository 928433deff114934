/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_WHOLE_H
#define PRIVHEAP_WHOLE_H

#include "heap_internal.h"

/* Every run, slab and block; *bad = where the first damage is, NULL for HEAP_OK. */
enum heap_fault whole_validate(struct heap *heap, const void **bad);

#endif
