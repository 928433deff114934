// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How a heap begins.
 *
 *	HeapCreate      -\               /- heap_create
 *	privheap_create --> open_heap -->-- SIGBUS bridge; of a checked heap SIGSEGV, too
 *	GetProcessHeap  -/               \- none: one line saying why
 */
#define _GNU_SOURCE
#include "api/open.h"

#include <errno.h>

#include "debug/check.h"
#include "exception/sigbus.h"
#include "heap/refusal.h"
#include "heap/segv.h"
#include "os/backend_default.h"

static int opened(const struct backend *backend, const struct heap_attr *attr, struct heap **heap,
		 int error)
{
	if (error) {
		refusal_explain(backend, attr, error);
		return error;
	}
	sigbus_install();
	if (heap_flags(*heap) & HEAP_F_CHECK)
		segv_install();
	return 0;
}

static const struct backend *backend_for(const struct heap_attr *attr)
{
	const struct backend *backend = attr->backend ? attr->backend : backend_default();

	if (!backend)
		refusal_no_backend();
	return backend;
}

int open_heap(const struct heap_attr *attr, struct heap **out)
{
	const struct backend *backend = backend_for(attr);
	struct heap_attr checked = *attr;
	int error;

	if (!backend)
		return -EINVAL;
	checked.flags |= check_wanted();
	error = heap_create(&checked, out);
	return opened(backend, &checked, out, error);
}

int open_process_heap(struct heap **out)
{
	static const struct heap_attr plain;
	const struct backend *backend = backend_for(&plain);
	int error;

	if (!backend)
		return -EINVAL;
	error = heap_process(out);
	return opened(backend, &plain, out, error);
}
