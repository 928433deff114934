/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* The addresses of a heap. */
#ifndef PRIVHEAP_RANGE_H
#define PRIVHEAP_RANGE_H

#include "alloc/types.h"
#include "os/backend.h"
#include "os/process.h"

struct heap_attr {
	size_t initial;			/* bytes, rounded up to pages; 0 = one page */
	size_t maximum;			/* bytes, rounded up to pages; 0 = growable */
	unsigned int flags;		/* the HEAP_F_* marked "heap" */
	const char *name;		/* NULL = "heap" */
	const struct backend *backend;	/* NULL = backend_default() */
};

/*
 * Reserves what the attributes ask for, and commits what is initial. 0, or a negative errno of the
 * backend; -EINVAL: initial > maximum.
 */
int range_reserve(struct backend_range *range, const struct backend *backend,
		  const struct heap_attr *attr, struct process *process);
/* Bytes from the base that count as reserved by now; in the end the maximum. Locked. */
size_t heap_reserved(const struct heap *heap);

#endif
