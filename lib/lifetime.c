// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * How a heap begins and ends.
 *
 *	HeapCreate      -\                     /- heap_create
 *	privheap_create --> lifetime_create -->-- first time: SIGBUS bridge
 *	GetProcessHeap  -/                     \- no device: one line saying what to do
 *
 * The process heap is known here by its handle, because it must not be destroyed; a forked child
 * has another one, so the process id belongs to it.
 */
#define _GNU_SOURCE
#include "lifetime.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <unistd.h>

#include "check.h"
#include "exception.h"
#include "report.h"

static _Atomic(void *) process_handle;
static _Atomic(pid_t) process_id;

static const char *device_advice(int error)
{
	switch (error) {
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return "no such device: load the module (modprobe privheap)";
	case -EACCES:
		return "no permission: see the owner, group and mode of /dev/privheap";
	case -EPERM:
		return "the system forbids it to this process: see the rules for /dev/privheap";
	default:
		return NULL;
	}
}

static void explain(int error)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	struct report line = REPORT_INIT;

	if (atomic_flag_test_and_set(&said))
		return;
	report_text(&line, "privheap: cannot open /dev/privheap: ");
	report_text(&line, device_advice(error));
	report_text(&line, ", or set PRIVHEAP_BACKEND=anon to do without the kernel's guarantees");
	report_write(&line);
}

static int begun(const struct backend *backend, int error)
{
	if (!error)
		sigbus_install();
	else if (backend == &backend_device && device_advice(error))
		explain(error);
	return error;
}

int lifetime_create(const struct heap_attr *attr, struct heap **out)
{
	const struct backend *backend = attr->backend ? attr->backend : backend_default();
	struct heap_attr checked = *attr;

	if (!backend)
		return -EINVAL;
	checked.flags |= check_wanted();
	return begun(backend, heap_create(&checked, out));
}

int lifetime_process(struct heap **out)
{
	const struct backend *backend = backend_default();
	int error;

	if (!backend)
		return -EINVAL;
	error = begun(backend, heap_process(out));
	if (!error && atomic_load(&process_handle) != heap_handle(*out)) {
		atomic_store(&process_id, getpid());
		atomic_store(&process_handle, heap_handle(*out));
	}
	return error;
}

static bool is_process_heap(void *handle)
{
	return handle == atomic_load(&process_handle) && getpid() == atomic_load(&process_id);
}

int lifetime_destroy(void *handle)
{
	struct heap *heap = heap_lookup(handle);

	if (!heap || is_process_heap(handle))
		return -EINVAL;
	return heap_destroy(heap);
}
