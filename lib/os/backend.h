/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Where a heap's pages come from. Two backends: the device, whose limits the kernel enforces,
 * and anonymous memory, whose limits live in this process and only this library keeps.
 *
 * A range is one reservation:
 *
 *   base                  base + committed                     base + maximum
 *    |===== committed =====|. . . . . . reserved . . . . . . . . .|
 *
 * base is a multiple of 64 KiB; maximum and committed are multiples of the page size; committed
 * only grows until the range is released. Every call is thread-safe for different ranges; for
 * one range the caller serialises commit and release. Nothing here touches errno on purpose:
 * results are 0 or a negative errno.
 */
#ifndef PRIVHEAP_BACKEND_H
#define PRIVHEAP_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;

struct backend_range {
	const struct backend *backend;
	char *base;
	size_t maximum;
	size_t committed;
	uint64_t id;		/* the device's number of the heap; 0 on anonymous memory */
	uint32_t opening;	/* of the device, see descriptor.h */
};

#define BACKEND_EXEC	(1U << 0)
#define BACKEND_SECRET	(1U << 1)
#define BACKEND_LOCKED	(1U << 2)	/* beyond RLIMIT_MEMLOCK: -ENOMEM */

/* The ledgers of uapi/privheap.h, in the same words. */
struct backend_quota {
	uint64_t limit, used, peak, denied, heaps, heaps_limit;
};

struct backend {
	const char *name;
	/*
	 * Pre: initial <= maximum, both multiples of the page size, maximum > 0.
	 * Post: 0: *range is filled, its first initial bytes are committed and resident.
	 * -EDQUOT, -ENOMEM; -EACCES, -EPERM (executable memory is forbidden); device also -ENODEV,
	 * -ENOENT, -EACCES, -EPERM, -EMFILE, -ENFILE (cannot be opened).
	 * On failure nothing is held.
	 */
	int (*reserve)(struct backend_range *range, size_t initial, size_t maximum,
		       unsigned int flags, const char *name);
	/*
	 * Pre: committed <= range->maximum, a multiple of the page size.
	 * Post: 0: range->committed >= committed; with populate the added bytes are resident.
	 * -EDQUOT, -ENOMEM: nothing has changed.
	 */
	int (*commit)(struct backend_range *range, size_t committed, bool populate);
	/* Post: the addresses are unmapped, the charge is over. 0, or -EPERM (sealed). */
	int (*release)(struct backend_range *range);
	/* id: a process or user id, or UINT32_MAX for the caller's own; scope as in the uapi. */
	int (*quota_get)(uint32_t scope, uint32_t id, struct backend_quota *quota);
	int (*quota_set)(uint32_t scope, uint32_t id, uint64_t limit);
};

#endif
