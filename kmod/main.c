// SPDX-License-Identifier: GPL-2.0
/*
 * privheap: private heaps for processes. What is where:
 *
 *	device.c   /dev/privheap, the commands of uapi/privheap.h
 *	context.c  one open of the device, bound to the address space that opened it
 *	heap.c     the life of a heap
 *	vma.c      its mapping and its faults
 *	commit.c   how its commit moves (step.h: by how much)
 *	locked.c   heaps that stay in memory
 *	page.c     how a page is brought in
 *	pinned.c   what is pinned of a heap that has ended
 *	file.c     the tmpfs file behind it
 *	dump.c     what of it is in a core dump
 *	quota.c    whose accounts are charged, and their limits
 *	account.c  the accounts of processes and users
 *	process.c  what is looked at of a process
 *	ledger.c   what an account holds
 *	sysfs.c    the totals
 *	debugfs.c  the list of all heaps
 *	trace.h    the tracepoints
 */
#include <linux/module.h>

#include "context.h"
#include "debugfs.h"
#include "device.h"
#include "file.h"
#include "heap.h"
#include "pinned.h"
#include "quota.h"

static int __init privheap_init(void)
{
	int err;

	err = privheap_quota_init();
	if (err)
		return err;
	err = privheap_context_init();
	if (err)
		goto quota_exit;
	err = privheap_heap_init();
	if (err)
		goto context_exit;
	err = privheap_pinned_init();
	if (err)
		goto heap_exit;
	err = privheap_file_init();
	if (err)
		goto pinned_exit;
	err = privheap_device_init();
	if (err)
		goto file_exit;
	privheap_debugfs_init();
	return 0;

file_exit:
	privheap_file_exit();
pinned_exit:
	privheap_pinned_exit();
heap_exit:
	privheap_heap_exit();
context_exit:
	privheap_context_exit();
quota_exit:
	privheap_quota_exit();
	return err;
}

static void __exit privheap_exit(void)
{
	privheap_debugfs_exit();
	privheap_device_exit();
	privheap_file_exit();
	privheap_pinned_exit();
	privheap_heap_exit();
	privheap_context_exit();
	privheap_quota_exit();
}

module_init(privheap_init);
module_exit(privheap_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Private heaps with a guaranteed commit, a hard maximum and quotas");
