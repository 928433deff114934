// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Why there is no heap (see refusal.h).
 *
 *	no backend of that name ─▶ its name
 *	the device, not opened ──▶ what open(2) said, and what to do
 *	executable, EACCES ──────▶ what forbids it
 *	EDQUOT ──────────────────▶ which quota, its limit and its use
 *	else ────────────────────▶ nothing: ENOMEM is what it says
 */
#define _GNU_SOURCE
#include "heap/refusal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "../uapi/privheap.h"
#include "os/backend_device.h"
#include "os/descriptor.h"

/* What a heap is charged to, from the innermost. */
static const struct {
	uint32_t scope, id;
	const char *whose;
} ledgers[] = {
	{ PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, "the process's" },
	{ PRIVHEAP_QUOTA_USER, PRIVHEAP_QUOTA_SELF, "the user's" },
	{ PRIVHEAP_QUOTA_SYSTEM, 0, "the system's" },
};

#define LEDGERS		(sizeof(ledgers) / sizeof(ledgers[0]))

/* Lines are told once: a bit for each ledger, and for one unseen; then one for each other cause. */
#define TOLD_BACKEND	(1U << 9)
#define TOLD_DEVICE	(1U << 10)
#define TOLD_EXEC	(1U << 11)

static bool first_time(unsigned int cause)
{
	static _Atomic unsigned int told;

	return !(atomic_fetch_or(&told, cause) & cause);
}

void refusal_no_backend(void)
{
	const char *name = secure_getenv("PRIVHEAP_BACKEND");
	struct report line = REPORT_INIT;

	if (!first_time(TOLD_BACKEND))
		return;
	report_text(&line, "privheap: no heap: PRIVHEAP_BACKEND is neither device nor anon: ");
	report_text(&line, name ? name : "");
	report_write(&line);
}

static const char *missing(void)
{
	if (access("/sys/class/misc/privheap", F_OK) == 0)
		return "no such file here, though the module is loaded: let this file system have "
		       "it (a sandbox's own /dev?)";
	return "no such device: load the module (modprobe privheap)";
}

static const char *advice(int error)
{
	switch (error) {
	case -ENOENT:
		return missing();
	case -ENODEV:
	case -ENXIO:
		return "there is no device behind it: load the module (modprobe privheap)";
	case -EACCES:
		return "no permission: see the owner, group and mode of /dev/privheap";
	case -EPERM:
		return "the system forbids it to this process: see the rules for /dev/privheap";
	case -EMFILE:
		return "the process has all the descriptors that it may have (RLIMIT_NOFILE)";
	case -ENFILE:
		return "the system has all the files open that it may have (fs.file-max)";
	default:
		return NULL;
	}
}

static void explain_device(int error)
{
	struct report line = REPORT_INIT;

	if (!advice(error) || !first_time(TOLD_DEVICE))
		return;
	report_text(&line, "privheap: cannot open /dev/privheap: ");
	report_text(&line, advice(error));
	report_text(&line, ", or set PRIVHEAP_BACKEND=anon to do without the kernel's guarantees");
	report_write(&line);
}

static void explain_exec(void)
{
	struct report line = REPORT_INIT;

	if (!first_time(TOLD_EXEC))
		return;
	report_text(&line, "privheap: no executable heap: the system forbids this process memory ");
	report_text(&line, "that can be written and executed (PR_SET_MDWE, or SELinux execmem)");
	report_write(&line);
}

/* Of the limits that can be seen the one that leaves least; LEDGERS: there is none. */
static size_t tightest(const struct backend *backend, struct backend_quota *found)
{
	uint64_t least = UINT64_MAX, left;
	struct backend_quota quota;
	size_t which = LEDGERS;

	for (size_t i = 0; i < LEDGERS; i++) {
		if (backend->quota_get(ledgers[i].scope, ledgers[i].id, &quota) || !quota.limit)
			continue;
		left = quota.used < quota.limit ? quota.limit - quota.used : 0;
		if (left < least) {
			least = left;
			which = i;
			*found = quota;
		}
	}
	return which;
}

static void tell_quota(struct report *line, size_t which, const struct backend_quota *quota)
{
	report_text(line, ": ");
	report_text(line, ledgers[which].whose);
	report_text(line, " limit of ");
	report_decimal(line, quota->limit);
	report_text(line, " bytes, ");
	report_decimal(line, quota->used);
	report_text(line, " used");
}

void refusal_quota(struct report *line, const void *handle, size_t bytes)
{
	/* It may be gone: the caller does not hold it any more. */
	struct heap *heap = heap_hold(handle);
	const struct backend *backend = heap ? heap->range.backend : NULL;
	struct backend_quota quota;
	size_t which;

	if (heap)
		heap_drop(heap);
	if (!backend || !backend->quota_get)
		return;
	which = tightest(backend, &quota);
	if (which < LEDGERS && (quota.used > quota.limit || bytes > quota.limit - quota.used))
		tell_quota(line, which, &quota);
}

/* The ledger that has as many heaps as it may; LEDGERS: none. */
static size_t full_of_heaps(const struct backend *backend, struct backend_quota *quota)
{
	for (size_t i = 0; i < LEDGERS; i++)
		if (backend->quota_get(ledgers[i].scope, ledgers[i].id, quota) == 0 &&
		    quota->heaps_limit && quota->heaps >= quota->heaps_limit)
			return i;
	return LEDGERS;
}

static void explain_quota(const struct backend *backend, size_t initial)
{
	struct report line = REPORT_INIT;
	struct backend_quota quota;
	size_t which = full_of_heaps(backend, &quota);

	report_text(&line, "privheap: no heap");
	if (which < LEDGERS) {
		report_text(&line, ": ");
		report_text(&line, ledgers[which].whose);
		report_text(&line, " limit of ");
		report_decimal(&line, quota.heaps_limit);
		report_text(&line, " heaps is reached");
	} else {
		report_text(&line, " with ");
		report_decimal(&line, initial);
		report_text(&line, " bytes at first");
		which = tightest(backend, &quota);
		if (which < LEDGERS)
			tell_quota(&line, which, &quota);
		else
			report_text(&line, ": a quota that this process may not see");
	}
	if (first_time(1U << which))
		report_write(&line);
}

void refusal_explain(const struct backend *backend, const struct heap_attr *attr, int error)
{
	int saved = errno;

	if (error == -EDQUOT && backend->quota_get)
		explain_quota(backend, attr->initial);
	else if (backend == &backend_device && descriptor_refused() == error)
		explain_device(error);
	else if (attr->flags & HEAP_F_EXEC && (error == -EACCES || error == -EPERM))
		explain_exec();
	errno = saved;
}
