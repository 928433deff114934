/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Private heaps for Linux programs. The same heaps as in <heapapi.h>, with Linux manners.
 *
 *	struct privheap_attr attr = PRIVHEAP_ATTR_INIT;
 *
 *	attr.name = "cache";
 *	attr.initial = 1 << 20;			present when privheap_create returns
 *	attr.maximum = 64 << 20;		never more than this
 *	privheap_t *heap = privheap_create(&attr);
 *	char *p = (char *)privheap_alloc(heap, 100);
 *
 *	privheap_free(heap, p);
 *	privheap_destroy(heap);			everything is given back, p too
 *
 * What holds for every function
 *  - Sizes are bytes. On failure errno says why; on success errno keeps its value.
 *  - Any thread may call at any time, unless attr.no_serialize was set; then the program lets
 *    one thread in at a time.
 *  - A privheap_t * that is no live heap of this process (destroyed, NULL, a parent's before
 *    fork(2)): EINVAL. It never crashes.
 *  - A pointer that privheap_free, privheap_realloc or privheap_realloc_inplace cannot accept,
 *    or a block written past its end, is corruption: one line on stderr, then abort(3). With
 *    attr.on_corruption = PRIVHEAP_CORRUPTION_RETURN or PRIVHEAP_ON_CORRUPTION=return in the
 *    environment: failure with EINVAL, and the heap stays usable.
 *  - attr.full_check, or PRIVHEAP_CHECK=full in the environment for all heaps, is for finding bugs:
 *    what HEAP_TAIL_CHECKING_ENABLED and HEAP_FREE_CHECKING_ENABLED do, see <heapapi.h>. Then
 *    allocation can find corruption too. Under memcheck and in programs built with AddressSanitizer
 *    every heap is so unless PRIVHEAP_CHECK=off, and the tool is told what is whose.
 *  - Blocks may be freed, and heaps used, until the process ends: in atexit(3) handlers and
 *    destructors, after dlclose(3) of the library. A heap ends with privheap_destroy, not with the
 *    thread or the plugin that made it.
 *  - In a signal handler every function may be called, and none waits for what it interrupted: if
 *    that was this library, allocation and creation may fail with ENOMEM, what would have to wait
 *    fails with EDEADLK, and a block that is freed may stay until privheap_destroy.
 *  - A heap is private to the process: not inherited over fork(2), not passed on.
 *  - A privheap_t * is the HANDLE of <heapapi.h>; both APIs may be used on one heap. No function
 *    here raises exceptions.
 */
#ifndef PRIVHEAP_H
#define PRIVHEAP_H

#ifndef __LP64__
#error "privheap is for 64-bit programs"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifndef PRIVHEAP_API
#define PRIVHEAP_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct privheap privheap_t;

enum privheap_corruption {
	PRIVHEAP_CORRUPTION_ABORT,	/* unless the environment says return */
	PRIVHEAP_CORRUPTION_RETURN
};

enum privheap_backend {
	PRIVHEAP_BACKEND_DEFAULT,	/* what PRIVHEAP_BACKEND names, else the device */
	PRIVHEAP_BACKEND_DEVICE,	/* /dev/privheap: the kernel keeps the limits */
	PRIVHEAP_BACKEND_ANON		/* anonymous memory: only this library keeps them */
};

/**
 * struct privheap_attr - what a heap shall be; begin with PRIVHEAP_ATTR_INIT
 * @size: of this structure; set by PRIVHEAP_ATTR_INIT
 * @name: shown in /proc/PID/maps and fdinfo; printable ASCII without '/', up to 31 bytes, need
 *	not outlive the call; NULL = "heap"; on anonymous memory nobody sees it
 * @initial: bytes committed and made resident now; rounded up to pages; 0 = one page
 * @maximum: bytes reserved, what the heap can ever hold; rounded up to pages; 0 = growable
 * @executable: pages may be executed; without it they never can
 * @secret: hidden from ptrace, /proc/PID/mem and core dumps (device only; on
 *	anonymous memory from core dumps only)
 * @no_serialize: the program lets one thread in at a time
 * @on_corruption: what a bad pointer leads to
 * @backend: where the pages come from
 * @populate: pages are resident from the moment they are committed; without it those of blocks
 *	of 1 MiB and more come as they are touched
 * @full_check: look for bugs in full; the heap is slow, and holds less
 * @locked: what is resident of it is never swapped out; what is committed counts against
 *	RLIMIT_MEMLOCK, beyond which nothing is (ENOMEM); implied by mlockall(MCL_FUTURE), and on
 *	the device by @secret as far as the limit allows. mlock(2) on a heap of the device locks
 *	nothing
 */
struct privheap_attr {
	size_t size;
	const char *name;
	size_t initial;
	size_t maximum;
	bool executable;
	bool secret;
	bool no_serialize;
	enum privheap_corruption on_corruption;
	enum privheap_backend backend;
	bool populate;
	bool full_check;
	bool locked;
};

#ifdef __cplusplus
#define PRIVHEAP_ATTR_INIT	{ sizeof(struct privheap_attr), nullptr, 0, 0, false, false, \
				  false, PRIVHEAP_CORRUPTION_ABORT, PRIVHEAP_BACKEND_DEFAULT, \
				  false, false, false }
#else
#define PRIVHEAP_ATTR_INIT	{ .size = sizeof(struct privheap_attr) }
#endif

/**
 * privheap_create - makes a heap
 * @attr: NULL = all defaults
 *
 * If it succeeds, the initial bytes are there. More are committed as allocations need them.
 *
 * Return: the heap, a multiple of 64 KiB, freed by privheap_destroy; or NULL with EINVAL
 * (attr, initial > maximum, PRIVHEAP_BACKEND), ENOMEM (memory, address space), EDQUOT (a quota),
 * EACCES (attr.executable: forbidden to this process), EAGAIN (on the device, after
 * mlockall(MCL_FUTURE): attr.maximum is beyond RLIMIT_MEMLOCK), or ENOENT, ENODEV, EACCES, EPERM, EMFILE,
 * ENFILE (/dev/privheap cannot be opened). But for ENOMEM and attr a line on stderr explains it,
 * once for each cause; of a quota it names scope, limit and use.
 */
PRIVHEAP_API privheap_t *privheap_create(const struct privheap_attr *attr)
	__attribute__((warn_unused_result));

/**
 * privheap_destroy - ends a heap: its blocks, live ones too, its pages, its addresses
 * @heap: not the process heap. No other thread may be using memory in it, or allocating or freeing
 *
 * Others may look at it meanwhile: they are told that it is gone, or see it as it was, and the last of
 * them gives its pages back.
 *
 * Return: 0; -1 with EINVAL, or EPERM (a part is sealed by mseal(2)) or EDEADLK (in a signal
 * handler): the heap lives on.
 */
PRIVHEAP_API int privheap_destroy(privheap_t *heap);

/**
 * privheap_alloc, privheap_zalloc, privheap_aligned_alloc - a block
 * @heap: which heap
 * @align: a power of two
 * @bytes: how many; 0 = a distinct block of size 0
 *
 * The block is aligned to 16 bytes, or to @align if that is more. privheap_zalloc fills it
 * with 0. What a large @align skips is committed, so charged to quotas, and used for other blocks
 * later; it is not resident before.
 *
 * Return: the block, freed by privheap_free or privheap_destroy; or NULL with ENOMEM (the
 * maximum, or memory), EDQUOT (a quota) or EINVAL (heap, align).
 */
PRIVHEAP_API int privheap_free(privheap_t *heap, void *block);

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 11
#define PRIVHEAP_MALLOC	malloc, malloc(privheap_free, 2), warn_unused_result
#else
#define PRIVHEAP_MALLOC	malloc, warn_unused_result
#endif

PRIVHEAP_API void *privheap_alloc(privheap_t *heap, size_t bytes)
	__attribute__((PRIVHEAP_MALLOC, alloc_size(2), assume_aligned(16)));
PRIVHEAP_API void *privheap_zalloc(privheap_t *heap, size_t bytes)
	__attribute__((PRIVHEAP_MALLOC, alloc_size(2), assume_aligned(16)));
PRIVHEAP_API void *privheap_aligned_alloc(privheap_t *heap, size_t align, size_t bytes)
	__attribute__((PRIVHEAP_MALLOC, alloc_size(3), alloc_align(2)));

/**
 * privheap_free - frees a block (declared above)
 * @heap: which heap
 * @block: of this heap; NULL = nothing to do
 *
 * Return: 0; -1 with EINVAL (heap). A bad @block is corruption.
 */

/**
 * privheap_realloc - resizes a block
 * @heap: which heap
 * @block: of this heap; NULL = privheap_alloc
 * @bytes: the new size; 0 keeps the block, with size 0 (it is not freed)
 *
 * Contents are kept up to the smaller size; bytes that are new are undefined.
 *
 * Return: the block, perhaps at another address, where the old one is then gone; or NULL with
 * ENOMEM, EDQUOT or EINVAL and the block as it was. A bad @block is corruption. A block moves to
 * an address aligned to 16, whatever privheap_aligned_alloc gave it.
 */
PRIVHEAP_API void *privheap_realloc(privheap_t *heap, void *block, size_t bytes)
	__attribute__((alloc_size(3), assume_aligned(16), warn_unused_result));

/**
 * privheap_realloc_inplace - resizes a block without moving it
 * @heap, @block, @bytes: as privheap_realloc, but @block is not NULL
 *
 * Return: 0; -1 with ENOMEM or EDQUOT (no room behind it) or EINVAL and the block as it was.
 */
PRIVHEAP_API int privheap_realloc_inplace(privheap_t *heap, void *block, size_t bytes)
	__attribute__((warn_unused_result));

/**
 * privheap_usable_size - the size that was asked for, exactly, and no byte more
 * @heap: which heap
 * @block: any address
 *
 * Return: bytes; (size_t)-1 with EINVAL if @block is no live block of the heap (never treated
 * as corruption).
 */
PRIVHEAP_API size_t privheap_usable_size(privheap_t *heap, const void *block);

/**
 * privheap_validate - looks for damage
 * @heap: which heap
 * @block: check this block; NULL = check the heap
 *
 * Never crashes, never aborts, keeps errno.
 *
 * Return: whether all is well; false also if @block is no live block or @heap no live heap.
 */
PRIVHEAP_API bool privheap_validate(privheap_t *heap, const void *block);

/**
 * struct privheap_stats - figures of a heap; begin with PRIVHEAP_STATS_INIT
 * @size: of this structure; set by PRIVHEAP_STATS_INIT
 * @maximum: bytes reserved
 * @committed: bytes committed; never falls
 * @allocated: bytes in live blocks, as asked for
 * @blocks: live blocks
 * @high_water: bytes from the base that were ever handed out, pages that were freed again
 *	included: what the heap needs at its fullest, fragmentation and all; never falls
 * @metadata: bytes the library keeps for it outside of it; charged to the quotas, too
 */
struct privheap_stats {
	size_t size;
	size_t maximum;
	size_t committed;
	size_t allocated;
	size_t blocks;
	size_t high_water;
	size_t metadata;
};

#ifdef __cplusplus
#define PRIVHEAP_STATS_INIT	{ sizeof(struct privheap_stats), 0, 0, 0, 0, 0, 0 }
#else
#define PRIVHEAP_STATS_INIT	{ .size = sizeof(struct privheap_stats) }
#endif

/**
 * privheap_stats - reads the figures
 * @heap: which heap
 * @stats: out, except @stats->size
 *
 * It counts the blocks, which takes its time (about 1 ms for 200,000), and lets other threads go
 * on: blocks they allocate and free meanwhile are counted or not. privheap_lock keeps them away.
 *
 * Return: 0; -1 with EINVAL (heap, stats->size) or EDEADLK.
 */
PRIVHEAP_API int privheap_stats(privheap_t *heap, struct privheap_stats *stats)
	__attribute__((nonnull(2)));

enum privheap_item_kind {
	PRIVHEAP_ITEM_REGION,		/* the heap: bytes are committed, beyond can be */
	PRIVHEAP_ITEM_BLOCK,		/* live: bytes as asked for, beyond are occupied, too */
	PRIVHEAP_ITEM_FREE,		/* committed, and free for a block of so many bytes */
	PRIVHEAP_ITEM_UNCOMMITTED	/* the rest of the maximum */
};

/**
 * struct privheap_item - a part of a heap; begin with PRIVHEAP_ITEM_INIT
 * @size: of this structure; set by PRIVHEAP_ITEM_INIT
 * @start: its first address; NULL before the first step
 * @bytes: of it
 * @beyond: more bytes, see @kind; else 0
 * @kind: what it is
 */
struct privheap_item {
	size_t size;
	void *start;
	size_t bytes;
	size_t beyond;
	enum privheap_item_kind kind;
};

#ifdef __cplusplus
#define PRIVHEAP_ITEM_INIT	{ sizeof(struct privheap_item), nullptr, 0, 0, \
				  PRIVHEAP_ITEM_REGION }
#else
#define PRIVHEAP_ITEM_INIT	{ .size = sizeof(struct privheap_item) }
#endif

/**
 * privheap_walk - from one part of a heap to the next
 * @heap: which heap
 * @item: in: what the last call stored (start and kind), or start NULL to begin; out: what
 *	comes next by address: the region, then blocks and free parts, then what is not
 *	committed
 *
 *	struct privheap_item item = PRIVHEAP_ITEM_INIT;
 *
 *	while (privheap_walk(heap, &item) == 1)
 *		if (item.kind == PRIVHEAP_ITEM_BLOCK)
 *			printf("%p: %zu\n", item.start, item.bytes);
 *
 * Nothing is kept between calls: a walk may stop anywhere, and any number may go on at a time.
 * Other threads may use the heap meanwhile: a block that lives throughout the walk is met exactly
 * once; one that comes or goes may be met or not, one that is being resized shows the size
 * before or after. privheap_lock keeps them away.
 *
 * Return: 1; 0 after the last part; -1 with EINVAL (heap, item->size, nothing that a walk
 * stores) or EDEADLK; @item is then unchanged.
 */
PRIVHEAP_API int privheap_walk(privheap_t *heap, struct privheap_item *item)
	__attribute__((nonnull(2)));

/**
 * privheap_trim - gives pages kept for small blocks back to the heap, for blocks of any size
 * @heap: which heap
 *
 * Done by itself when an allocation would fail. What is committed stays committed until
 * privheap_destroy.
 *
 * Return: bytes of the largest free block that needs no commit; 0: there is none, or errno is
 * EINVAL (heap).
 */
PRIVHEAP_API size_t privheap_trim(privheap_t *heap);

/**
 * privheap_lock, privheap_unlock - keep all other threads away from a heap, and let them in
 * @heap: which heap
 *
 * While it is locked, other threads that lock, allocate, resize, free or trim wait; those that
 * only look do not. A thread may lock a heap it has locked; it unlocks as often. A thread that
 * ends leaves it locked. Nothing happens if attr.no_serialize was set. The same as HeapLock.
 *
 * Return: 0; -1 with EINVAL (heap), EDEADLK (privheap_lock) or EPERM (privheap_unlock: this
 * thread has not locked it).
 */
PRIVHEAP_API int privheap_lock(privheap_t *heap);
PRIVHEAP_API int privheap_unlock(privheap_t *heap);

/**
 * privheap_oom_handler - what a program wants called before an allocation fails
 * @heap: which heap
 * @bytes: that cannot be had
 * @argument: as given to privheap_set_oom_handler
 *
 * It runs in the thread that allocates, with no lock held: it may free, allocate, raise a quota.
 * An allocation that fails inside of it fails at once. It has to return; it is not called for
 * privheap_realloc_inplace, nor in signal handlers that interrupted this library.
 *
 * Return: true: try again (as often as it says so); false: fail.
 */
typedef bool privheap_oom_handler(privheap_t *heap, size_t bytes, void *argument);

/**
 * privheap_set_oom_handler - sets, replaces or removes a heap's handler
 * @heap: which heap; HeapAlloc and HeapReAlloc on it call the handler, too
 * @handler: NULL = none, as at first
 * @argument: for the handler; the library does not look at it
 *
 * Return: 0; -1 with EINVAL (heap) or EDEADLK.
 */
PRIVHEAP_API int privheap_set_oom_handler(privheap_t *heap, privheap_oom_handler *handler,
					  void *argument);

/* Scopes and ids of quotas, as in <linux/privheap.h>. */
#ifndef PRIVHEAP_QUOTA_PROCESS
#define PRIVHEAP_QUOTA_PROCESS	0U
#define PRIVHEAP_QUOTA_USER	1U
#define PRIVHEAP_QUOTA_SYSTEM	2U
#define PRIVHEAP_QUOTA_SELF	0xffffffffU
#endif

/**
 * struct privheap_quota_info - one quota; begin with PRIVHEAP_QUOTA_INFO_INIT
 * @size: of this structure; set by PRIVHEAP_QUOTA_INFO_INIT
 * @limit: bytes that may be committed; 0 = no limit
 * @used: bytes committed now
 * @peak: most bytes ever committed at once
 * @denied: how often a commit was refused
 * @heaps: heaps alive, those the library keeps for itself included
 * @heaps_limit: heaps allowed; 0 = no limit
 */
struct privheap_quota_info {
	size_t size;
	uint64_t limit;
	uint64_t used;
	uint64_t peak;
	uint64_t denied;
	uint64_t heaps;
	uint64_t heaps_limit;
};

#ifdef __cplusplus
#define PRIVHEAP_QUOTA_INFO_INIT	{ sizeof(struct privheap_quota_info), 0, 0, 0, 0, 0, 0 }
#else
#define PRIVHEAP_QUOTA_INFO_INIT	{ .size = sizeof(struct privheap_quota_info) }
#endif

/**
 * privheap_quota_get, privheap_quota_set - read a quota, set its limit
 * @scope: PRIVHEAP_QUOTA_PROCESS, _USER or _SYSTEM
 * @id: a process or user id; PRIVHEAP_QUOTA_SELF = the caller's; 0 for _SYSTEM
 * @info: out, except @info->size
 * @limit: bytes that may be committed; 0 = no limit; may be less than what is used
 *
 * They speak to the backend that PRIVHEAP_BACKEND names; on anonymous memory there is the
 * caller's own process only. A process may lower its own limit; everything else that sets, or
 * reads another's, needs CAP_SYS_RESOURCE.
 *
 * Return: 0; -1 with EINVAL, ESRCH (no such process), EPERM, ENOMEM, or what opening
 * /dev/privheap gave.
 */
PRIVHEAP_API int privheap_quota_get(uint32_t scope, uint32_t id, struct privheap_quota_info *info)
	__attribute__((nonnull(3)));
PRIVHEAP_API int privheap_quota_set(uint32_t scope, uint32_t id, uint64_t limit);

#ifdef __cplusplus
}
#endif

#endif
