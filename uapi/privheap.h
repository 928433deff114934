/* SPDX-License-Identifier: (GPL-2.0 WITH Linux-syscall-note) OR MIT */
/*
 * /dev/privheap: private heaps, and the quotas on them.
 *
 * This header is the manual of the device. Installed as <linux/privheap.h>.
 *
 *   int dev = open("/dev/privheap", O_RDWR | O_CLOEXEC);
 *   struct privheap_create c = { .initial = 1 << 20, .maximum = 64 << 20 };
 *
 *   ioctl(dev, PRIVHEAP_CREATE, &c);       c.base .. c.base + 64 MiB is reserved,
 *                                          the first MiB is committed and resident
 *   *(char *)(c.base + (5 << 20)) = 1;     commits up to there, if the quota allows
 *   struct privheap_destroy d = { .heap = c.heap };
 *   ioctl(dev, PRIVHEAP_DESTROY, &d);      everything is given back
 *
 *   base            base + committed                                base + maximum
 *    |=== committed ===|. . . . . . . . reserved . . . . . . . . . . . .|
 *    charged to quotas   costs address space only; a touch commits up
 *    holds pages         to it, or raises SIGBUS when a quota refuses
 *
 * What is resident of a heap never exceeds what is committed of it, nor that its maximum or any
 * limit, whatever is advised, collapsed or forced (madvise(2), khugepaged, shmem_enabled).
 *
 * A touch is an access of the process's own threads, or a write of the kernel for it (read(2)
 * into the heap). To look is not to touch: past the commit a debugger, /proc/PID/mem,
 * process_vm_readv(2) and process_vm_writev(2), a core dump, the population that mlock(2) and
 * mlockall(2) do, and what the kernel reads for the process (write(2) from the heap) are refused,
 * with EFAULT, EIO or ENOMEM as each has it, and commit nothing.
 *
 * madvise(2) with MADV_NOHUGEPAGE, prctl(2) with PR_SET_THP_DISABLE, mbind(2), set_mempolicy(2)
 * and migrate_pages(2) work as on other memory. mlock(2) on a heap returns 0 and locks nothing:
 * see PRIVHEAP_CREATE_LOCKED. mremap(2) is refused, MADV_DODUMP is EINVAL.
 *
 * Rules that hold for every call:
 *  - A descriptor belongs to the address space that opened it. From any other (a forked child,
 *    after exec, a receiver over SCM_RIGHTS) every call fails with EPERM. Closing the last
 *    descriptor does not end the heaps: they live until destroyed, unmapped, or the process ends.
 *  - Sizes are bytes and are rounded up to whole pages.
 *  - Fields called reserved, and flag bits not named here, must be 0: EINVAL.
 *  - A structure longer than the kernel knows is accepted if its tail is 0, else E2BIG.
 *  - A call that fails has changed nothing, also when its result could not be written (EFAULT);
 *    exceptions are named. A failed COMMIT leaves what other threads have come to rely on since.
 *  - A core dump has of a heap what is committed, not what is reserved; less where madvise(2),
 *    coredump_filter or PRIVHEAP_CREATE_SECRET say so. For that a process that has made a heap, and
 *    a child it forks, hold the module until they call exec or end.
 *  - All calls may be made from any thread of the process at any time.
 *
 * Errors that every call can return: EPERM (another address space), ENOTTY (unknown command),
 * EFAULT (argument not readable or not writable), E2BIG, EINTR (killed while waiting).
 */
#ifndef _UAPI_LINUX_PRIVHEAP_H
#define _UAPI_LINUX_PRIVHEAP_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PRIVHEAP_NAME_LEN	32	/* bytes of a heap's name, the final 0 included */

/**
 * struct privheap_create - argument of PRIVHEAP_CREATE
 * @flags: in: PRIVHEAP_CREATE_* or 0
 * @reserved: in: 0
 * @initial: in: bytes to commit and make resident now; 0 = none
 * @maximum: in: bytes to reserve; what the heap can ever hold; not 0
 * @name: in: shown in /proc/PID/maps and fdinfo; 0-terminated printable ASCII without '/';
 *	empty = "heap"
 * @heap: out: the heap's number; never 0; never given again on this descriptor
 * @base: out: address of the first byte, a multiple of 64 KiB
 * @committed: out: bytes committed
 *
 * Creates a heap: reserves @maximum bytes of address space, commits the first @initial bytes,
 * charges them to the process, user and system quota and makes them resident. When it succeeds
 * those bytes are there.
 *
 * Where memory is short, that of a memory cgroup too, the call fails: nothing is killed for it.
 *
 * Errors: EINVAL (flags, reserved, name, @maximum 0 or beyond the address space,
 * @initial > @maximum), EDQUOT (a quota or the number of heaps), ENOMEM (memory, address space,
 * number of mappings, or @initial of a locked heap beyond RLIMIT_MEMLOCK), EAGAIN (after
 * mlockall(MCL_FUTURE) mmap(2) counts @maximum, too, against RLIMIT_MEMLOCK), EACCES or EPERM
 * (PRIVHEAP_CREATE_EXEC where the process or the system allows no memory that is both writable
 * and executable: PR_SET_MDWE, SELinux).
 */
struct privheap_create {
	__u32 flags;
	__u32 reserved;
	__u64 initial;
	__u64 maximum;
	char  name[PRIVHEAP_NAME_LEN];
	__u64 heap;
	__u64 base;
	__u64 committed;
};

/* Pages may be executed. Without it PROT_EXEC can never be had on the heap. */
#define PRIVHEAP_CREATE_EXEC	0x1U
/*
 * No ptrace, /proc/PID/mem, process_vm_readv or core dump of the heap's bytes. The process itself
 * is not stopped: O_DIRECT, vmsplice(2) and io_uring buffers are refused where a page is not
 * mapped yet, and let through where it is. Implies PRIVHEAP_CREATE_LOCKED as long as
 * RLIMIT_MEMLOCK allows; a commit that it does not allow is made and ends that, which
 * PRIVHEAP_STAT tells. Who needs both asks for both. The image that hibernation writes holds
 * secret heaps like all memory: the module cannot prevent that.
 */
#define PRIVHEAP_CREATE_SECRET	0x2U
/*
 * Resident pages stay in memory: never swapped out. Initial bytes, and those that COMMIT
 * populates, are resident; others once they are touched. What is committed counts against
 * RLIMIT_MEMLOCK (CAP_IPC_LOCK lifts it) and is seen as VmPin in /proc/PID/status; beyond the
 * limit nothing is committed (ENOMEM, SIGBUS). mlock(2) later does not count it, as it does not
 * count what io_uring has pinned. Implied by mlockall(MCL_FUTURE) in force when the heap is made.
 * munlockall(2) does not end it.
 */
#define PRIVHEAP_CREATE_LOCKED	0x4U

/**
 * struct privheap_commit - argument of PRIVHEAP_COMMIT
 * @heap: in: which heap
 * @committed: in: bytes that shall be committed, from the base, at least; out: bytes that are.
 *	Asking for what is there already is no error and changes nothing. Never falls but where
 *	a call fails, by what that call had added, as far as no thread uses it and no other call
 *	asked for it
 * @flags: in: PRIVHEAP_COMMIT_* or 0
 * @reserved: in: 0
 *
 * Errors: EINVAL (flags, reserved, beyond the maximum), ENOENT (no such heap), EDQUOT,
 * ENOMEM (memory, with PRIVHEAP_COMMIT_POPULATE only; or RLIMIT_MEMLOCK, of a locked heap).
 */
struct privheap_commit {
	__u64 heap;
	__u64 committed;
	__u32 flags;
	__u32 reserved;
};

/* Also make resident the bytes that this call adds; if that fails they are not added. */
#define PRIVHEAP_COMMIT_POPULATE	0x1U

/**
 * struct privheap_destroy - argument of PRIVHEAP_DESTROY
 * @heap: in: which heap
 * @flags: in: 0
 * @reserved: in: 0
 *
 * Unmaps the heap, frees its pages, ends its charge. Huge pages of which something is pinned (by
 * vmsplice(2), direct I/O, io_uring buffers) stay charged until they are let go, which is noticed
 * within a second or so; the charge of small ones ends at once. Whatever the process mapped over
 * a part of the range itself stays.
 *
 * Errors: EINVAL (flags, reserved), ENOENT (no such heap), EPERM (a part is sealed by mseal(2)),
 * ENOMEM (for the unmapping itself), EINTR (killed; where the address space lives on in others).
 * After EPERM, ENOMEM and EINTR the heap lives on, perhaps without some of its pieces; the call may
 * be repeated.
 */
struct privheap_destroy {
	__u64 heap;
	__u32 flags;
	__u32 reserved;
};

/**
 * struct privheap_stat - argument of PRIVHEAP_STAT
 * @heap: in: which heap
 * @base: out: address of the first byte
 * @maximum: out: bytes reserved
 * @initial: out: bytes committed at creation
 * @committed: out: bytes committed
 * @resident: out: bytes of pages present now, those in swap not counted
 * @flags: in: 0; out: PRIVHEAP_CREATE_* in force: LOCKED as it is now, implied or asked for
 * @reserved: in: 0
 * @name: out: its name, 0-padded
 *
 * Errors: EINVAL (flags, reserved), ENOENT (no such heap).
 */
struct privheap_stat {
	__u64 heap;
	__u64 base;
	__u64 maximum;
	__u64 initial;
	__u64 committed;
	__u64 resident;
	__u32 flags;
	__u32 reserved;
	char  name[PRIVHEAP_NAME_LEN];
};

/**
 * struct privheap_quota - argument of PRIVHEAP_QUOTA_GET and PRIVHEAP_QUOTA_SET
 * @scope: in: PRIVHEAP_QUOTA_PROCESS, _USER or _SYSTEM
 * @id: in: process id, or user id, as the caller sees them; PRIVHEAP_QUOTA_SELF = the caller's;
 *	0 for _SYSTEM
 * @flags: in: 0; out: PRIVHEAP_QUOTA_DEFAULT, PRIVHEAP_QUOTA_RLIMIT, or 0
 * @reserved: in: 0
 * @limit: bytes that may be committed; 0 = no limit. GET: out: the lowest of those in force, for
 *	_PROCESS with RLIMIT_DATA. SET: in
 * @used: out of GET: bytes committed now; may exceed a limit that was lowered
 * @peak: out of GET: most bytes committed at once since the account is there (a user's goes with
 *	the last descriptor and heap, unless a limit was set); never less than @used. Of _SYSTEM,
 *	@used and @peak are rounded up to 1 MiB for callers without CAP_SYS_RESOURCE
 * @denied: out of GET: how often a commit was refused by this limit
 * @heaps: out of GET: heaps alive
 * @heaps_limit: out of GET: heaps allowed; 0 = no limit; _PROCESS and _USER, else 0
 *
 * A commit must fit three limits: its process's, its user's and the system's. The user is who
 * opened the descriptor; from within a user namespace, who owns the outermost one below the initial
 * one, so that namespaces and subordinate ids do not multiply a limit. By default a user may have
 * half of what the system has. The last sixteenth of the system's limit is for callers with
 * CAP_SYS_RESOURCE. SET ignores the fields marked "out of GET".
 *
 * A process may lower its own limit, below what is used too: nothing more is granted until it fits.
 * That limit is its own and comes on top of what the administrator sets, or the default, now or
 * later: the lower one holds, and 0 opts out of nothing. A limit that is set with CAP_SYS_RESOURCE
 * replaces both.
 *
 * A process's limit belongs to its address space: processes that share one (CLONE_VM) have one
 * account, that of the first, whichever of them opens or is named here. It survives exec. It does
 * not reach forked children: they begin with the default, so a process's limit alone does not hold
 * a service that forks. RLIMIT_DATA does, per process: its soft limit bounds what the process has
 * committed in private heaps, it is inherited over fork and exec, and a refusal by it is like any
 * other of the process's limit.
 *
 * Errors: EINVAL (scope, id, flags, reserved), ESRCH (no such process), EPERM (raising a limit,
 * setting a user's or the system's, setting or reading another process's or another user's,
 * without CAP_SYS_RESOURCE in the initial user namespace), ENOMEM.
 */
struct privheap_quota {
	__u32 scope;
	__u32 id;
	__u32 flags;
	__u32 reserved;
	__u64 limit;
	__u64 used;
	__u64 peak;
	__u64 denied;
	__u64 heaps;
	__u64 heaps_limit;
};

#define PRIVHEAP_QUOTA_PROCESS	0U
#define PRIVHEAP_QUOTA_USER	1U
#define PRIVHEAP_QUOTA_SYSTEM	2U

#define PRIVHEAP_QUOTA_SELF	0xffffffffU

/* No limit was set, neither by the process nor for it: it follows the module's parameter. */
#define PRIVHEAP_QUOTA_DEFAULT	0x1U
/* The limit told is the process's RLIMIT_DATA, which is lower than its quota. */
#define PRIVHEAP_QUOTA_RLIMIT	0x2U

#define PRIVHEAP_IOC		0xBE
#define PRIVHEAP_CREATE		_IOWR(PRIVHEAP_IOC, 0, struct privheap_create)
#define PRIVHEAP_COMMIT		_IOWR(PRIVHEAP_IOC, 1, struct privheap_commit)
#define PRIVHEAP_DESTROY	_IOW(PRIVHEAP_IOC, 2, struct privheap_destroy)
#define PRIVHEAP_STAT		_IOWR(PRIVHEAP_IOC, 3, struct privheap_stat)
#define PRIVHEAP_QUOTA_GET	_IOWR(PRIVHEAP_IOC, 4, struct privheap_quota)
#define PRIVHEAP_QUOTA_SET	_IOW(PRIVHEAP_IOC, 5, struct privheap_quota)

#endif /* _UAPI_LINUX_PRIVHEAP_H */
