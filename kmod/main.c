// SPDX-License-Identifier: GPL-2.0
/*
 * privheap: private heaps for processes. What is where:
 *
 *	device.c      /dev/privheap, the commands of uapi/privheap.h
 *	operations.c  what they do: the life of a heap
 *	dump.c        what of a heap is in a core dump
 *	file.c        the file behind it, made safe to map
 *	vma.c         its mapping and its faults
 *	commit.c      how its commit moves (policy.h: by how much)
 *	end.c         its end, and what is pinned beyond
 *	locked.c      heaps that stay in memory
 *	page.c        how a page is brought in
 *	tmpfs.c       the kernel's part of the file
 *	heap.c        the heap itself: structure, references, number, figures
 *	context.c     one open of the device, bound to the address space that opened it
 *	quota.c       whose accounts are charged, and their limits
 *	account.c     the accounts of processes and users
 *	process.c     what is read of a process
 *	ledger.c      what an account holds
 *
 * Each includes only what is below it; lint checks that none includes another in a circle. Beside
 * them:
 *
 *	sysfs.c       the totals
 *	debugfs.c     the list of all heaps
 *	trace.h       the tracepoints
 */
#include <linux/module.h>

#include "context.h"
#include "debugfs.h"
#include "device.h"
#include "end.h"
#include "heap.h"
#include "quota.h"
#include "tmpfs.h"

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
	err = privheap_end_init();
	if (err)
		goto heap_exit;
	err = privheap_tmpfs_init();
	if (err)
		goto end_exit;
	err = privheap_device_init();
	if (err)
		goto tmpfs_exit;
	privheap_debugfs_init();
	return 0;

tmpfs_exit:
	privheap_tmpfs_exit();
end_exit:
	privheap_end_exit();
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
	privheap_tmpfs_exit();
	privheap_end_exit();
	privheap_heap_exit();
	privheap_context_exit();
	privheap_quota_exit();
}

module_init(privheap_init);
module_exit(privheap_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Private heaps with a guaranteed commit, a hard maximum and quotas");
MODULE_AUTHOR("the privheap authors");
MODULE_VERSION("0.1.0");
