/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The Heap API of Win32, for Linux: same names, same signatures, same behaviour. Where this
 * library knows better or can do better, the text says "here".
 *
 *	HANDLE heap = HeapCreate(0, 1 << 20, 64 << 20);	one MiB here now, 64 reserved
 *	char *p = (char *)HeapAlloc(heap, HEAP_ZERO_MEMORY, 100);
 *
 *	HeapFree(heap, 0, p);
 *	HeapDestroy(heap);				everything is given back, p too
 *
 * What holds for every function
 *  - Sizes are bytes. Handles belong to the process that made them; a child of fork(2) has none
 *    of its parent's.
 *  - Any thread may call at any time, unless the heap was made with HEAP_NO_SERIALIZE; then the
 *    program lets one thread in at a time. HEAP_NO_SERIALIZE in a single call only means that
 *    it does not wait for a thread that has locked the heap (HeapLock).
 *  - A handle that is no live heap of this process: the function fails with last error 6,
 *    ERROR_INVALID_HANDLE, also with HEAP_GENERATE_EXCEPTIONS. It never crashes.
 *  - A pointer that HeapFree or HeapReAlloc cannot accept (freed, interior, of another heap, on
 *    the stack, wild), or a block written past its end, is corruption: one line on stderr, then
 *    abort(3). With PRIVHEAP_ON_CORRUPTION=return in the environment: FALSE or NULL and last
 *    error 87, ERROR_INVALID_PARAMETER, and the heap stays usable.
 *  - PRIVHEAP_CHECK=full in the environment makes every heap as if with both options of checking
 *    (HeapCreate). Under memcheck, and in programs built with AddressSanitizer, every heap is so
 *    unless PRIVHEAP_CHECK=off, and the tool is told what is whose.
 *  - Blocks may be freed, and heaps used, until the process ends: in atexit(3) handlers and
 *    destructors, after dlclose(3) of the library. A heap ends with HeapDestroy, not with the
 *    thread or the plugin that made it.
 *  - In a signal handler every function may be called, and none waits for what it interrupted: if
 *    that was this library, allocation and creation may fail with 8, HeapDestroy with 31, what
 *    else would have to wait fails with 1131, ERROR_POSSIBLE_DEADLOCK (errno EDEADLK), and a block
 *    that is freed may stay until HeapDestroy. Handlers save errno and the last error.
 *  - Flag bits that a function does not name are ignored, except by HeapCreate.
 *  - The last error, and errno, keep their values in calls that succeed.
 *
 * All pages are below https://learn.microsoft.com/windows/win32/api/heapapi/
 */
#ifndef HEAPAPI_H
#define HEAPAPI_H

#include "heap_exception.h"
#include <stddef.h>
#include <stdint.h>

typedef int BOOL;
typedef uint8_t BYTE;
typedef uint16_t WORD;
typedef void *HANDLE, **PHANDLE, *LPVOID;
typedef const void *LPCVOID;
typedef size_t SIZE_T, *PSIZE_T;

#ifndef TRUE
#define TRUE	1
#define FALSE	0
#endif

#define HEAP_NO_SERIALIZE		0x00000001
#define HEAP_GROWABLE			0x00000002
#define HEAP_GENERATE_EXCEPTIONS	0x00000004
#define HEAP_ZERO_MEMORY		0x00000008
#define HEAP_REALLOC_IN_PLACE_ONLY	0x00000010
#define HEAP_TAIL_CHECKING_ENABLED	0x00000020
#define HEAP_FREE_CHECKING_ENABLED	0x00000040
#define HEAP_DISABLE_COALESCE_ON_FREE	0x00000080
#define HEAP_CREATE_SEGMENT_HEAP	0x00000100
#define HEAP_CREATE_HARDENED		0x00000200
#define HEAP_CREATE_ALIGN_16		0x00010000
#define HEAP_CREATE_ENABLE_TRACING	0x00020000
#define HEAP_CREATE_ENABLE_EXECUTE	0x00040000
#define HEAP_MAXIMUM_TAG		0x0FFF
#define HEAP_PSEUDO_TAG_FLAG		0x8000
#define HEAP_TAG_SHIFT			18

#define ERROR_SUCCESS			0
#define NO_ERROR			0
#define ERROR_INVALID_HANDLE		6
#define ERROR_NOT_ENOUGH_MEMORY		8
#define ERROR_GEN_FAILURE		31
#define ERROR_INVALID_PARAMETER		87
#define ERROR_INSUFFICIENT_BUFFER	122
#define ERROR_NO_MORE_ITEMS		259
#define ERROR_NOT_OWNER			288
#define ERROR_NOACCESS			998
#define ERROR_POSSIBLE_DEADLOCK		1131

#ifdef __cplusplus
extern "C" {
#endif

/**
 * HeapCreate - makes a private heap
 * @options: 0, or of HEAP_NO_SERIALIZE, HEAP_GENERATE_EXCEPTIONS (every failed allocation on the
 *	heap raises), HEAP_CREATE_ENABLE_EXECUTE (its pages may be executed; without it they never
 *	can), HEAP_ZERO_MEMORY (every block of the heap is zeroed, and what HeapReAlloc adds to one),
 *	HEAP_TAIL_CHECKING_ENABLED, HEAP_FREE_CHECKING_ENABLED (see below); accepted and
 *	always in force here: HEAP_CREATE_ALIGN_16; accepted, without effect: HEAP_GROWABLE (a @maximum
 *	of 0 makes a heap growable), HEAP_REALLOC_IN_PLACE_ONLY, HEAP_DISABLE_COALESCE_ON_FREE,
 *	HEAP_CREATE_SEGMENT_HEAP, HEAP_CREATE_HARDENED, HEAP_CREATE_ENABLE_TRACING,
 *	HEAP_PSEUDO_TAG_FLAG and a tag (up to HEAP_MAXIMUM_TAG << HEAP_TAG_SHIFT)
 * @initial: bytes committed and made resident now; rounded up to pages; 0 = one page
 * @maximum: bytes reserved, what the heap can ever hold; rounded up to pages; 0 = growable:
 *	bounded by quota and memory only
 *
 * If it succeeds, the initial bytes are there. More are committed as allocations need them.
 *
 * The checks are for finding bugs; such a heap is slow, and holds less. Without them a bad
 * pointer, and bytes past the end of a block where its size left some unused, are still found.
 * HEAP_TAIL_CHECKING_ENABLED: at least 16 bytes behind each block are checked when it is freed,
 * resized or validated, and up to 16 before it if it is smaller than a few pages; behind large
 * blocks is a page that cannot be touched. HEAP_FREE_CHECKING_ENABLED: freed blocks are filled
 * with 0xFEEEFEEE (large ones cannot be touched), handed out again late, and must not have changed
 * by then: if they have, HeapAlloc or HeapReAlloc finds corruption. With either, new blocks of
 * less than 1 MiB are filled with 0xBAADF00D. All this gives way before a request fails.
 * A touch of what cannot be touched is corruption too, but cannot return: with
 * PRIVHEAP_ON_CORRUPTION=return it is a SIGSEGV.
 *
 * Return: a handle, a multiple of 64 KiB, freed by HeapDestroy; or NULL with last error
 * 87 (unknown option, initial > maximum, PRIVHEAP_BACKEND; errno EINVAL) or 8 (errno ENOMEM: memory
 * or address space; EDQUOT: a quota; EACCES: memory to be written and executed is forbidden; ENOENT,
 * ENODEV, EACCES, EPERM, EMFILE, ENFILE: /dev/privheap cannot be opened). A line on stderr explains
 * the latter three, and a backend that there is not, once for each cause.
 * Page: nf-heapapi-heapcreate
 */
PRIVHEAP_API HANDLE WINAPI HeapCreate(DWORD options, SIZE_T initial, SIZE_T maximum);

/**
 * HeapDestroy - ends a heap: its blocks, live ones too, its pages, its addresses
 * @heap: not the process heap. No other thread may be using memory in it, or allocating or freeing
 *
 * Others may look at it meanwhile (HeapLock, HeapSize, HeapValidate, HeapWalk, HeapSummary,
 * HeapCompact, Heap...Information): they are told that it is gone, or see it as it was, and the last
 * of them gives its pages back; who waits for it in HeapLock or HeapAlloc gets 6.
 *
 * A heap's first block can have the address that is its handle: given that block, this ends the
 * heap.
 *
 * Return: TRUE; FALSE with last error 6 (no live heap: NULL, destroyed before, inherited over
 * fork; the process heap) or 31 (errno EPERM: a part is sealed by mseal(2); EDEADLK: in a signal
 * handler; the heap lives on).
 * Page: nf-heapapi-heapdestroy
 */
PRIVHEAP_API BOOL WINAPI HeapDestroy(HANDLE heap);

/**
 * HeapAlloc - a block
 * @heap: which heap
 * @flags: 0, or of HEAP_ZERO_MEMORY (all bytes are 0), HEAP_GENERATE_EXCEPTIONS
 * @bytes: how many; 0 = a distinct block of size 0. Up to what is left of the maximum, also on
 *	a heap with a maximum (here; Windows stops near 1 MiB)
 *
 * Return: the block, 16-byte aligned, freed by HeapFree or HeapDestroy; or NULL with last error
 * 8 (errno ENOMEM or EDQUOT) or 6. With HEAP_GENERATE_EXCEPTIONS, here or at HeapCreate,
 * STATUS_NO_MEMORY is raised instead of 8; NULL then only if a handler answers
 * EXCEPTION_CONTINUE_EXECUTION. On a checked heap corruption may be found.
 * Page: nf-heapapi-heapalloc
 */
PRIVHEAP_API LPVOID WINAPI HeapAlloc(HANDLE heap, DWORD flags, SIZE_T bytes)
	__attribute__((alloc_size(3)));

/**
 * HeapReAlloc - resizes a block
 * @heap: which heap
 * @flags: 0, or of HEAP_ZERO_MEMORY (bytes that are new are 0), HEAP_GENERATE_EXCEPTIONS,
 *	HEAP_REALLOC_IN_PLACE_ONLY (fail rather than move)
 * @block: of this heap
 * @bytes: the new size; 0 keeps the block, with size 0
 *
 * Contents are kept up to the smaller size. If it fails the block is what it was.
 *
 * Return: the block, perhaps at another address, where the old one is then gone; or NULL with
 * last error 0 (@block NULL), 8 (as HeapAlloc; raised as there; cannot grow in place), 6.
 * A bad @block is corruption.
 * Page: nf-heapapi-heaprealloc
 */
PRIVHEAP_API LPVOID WINAPI HeapReAlloc(HANDLE heap, DWORD flags, LPVOID block, SIZE_T bytes)
	__attribute__((alloc_size(4)));

/**
 * HeapFree - frees a block
 * @heap: which heap
 * @flags: ignored
 * @block: of this heap; NULL = nothing to do, TRUE, whatever @heap is
 *
 * Return: TRUE; FALSE with last error 6. A bad @block is corruption.
 * Page: nf-heapapi-heapfree
 */
PRIVHEAP_API BOOL WINAPI HeapFree(HANDLE heap, DWORD flags, LPVOID block);

/**
 * HeapSize - the size that was asked for, exactly
 * @heap: which heap
 * @flags: ignored
 * @block: any address
 *
 * Return: bytes; (SIZE_T)-1 with last error 87 if @block is no live block of the heap (never
 * treated as corruption), or 6.
 * Page: nf-heapapi-heapsize
 */
PRIVHEAP_API SIZE_T WINAPI HeapSize(HANDLE heap, DWORD flags, LPCVOID block);

/**
 * HeapValidate - looks for damage
 * @heap: which heap
 * @flags: ignored
 * @block: check this block; NULL = check the heap
 *
 * Never crashes, never aborts, never changes the last error.
 *
 * Return: TRUE if all is well; FALSE if not, or if @block is no live block of the heap, or
 * @heap no live heap.
 * Page: nf-heapapi-heapvalidate
 */
PRIVHEAP_API BOOL WINAPI HeapValidate(HANDLE heap, DWORD flags, LPCVOID block);

/**
 * GetProcessHeap - the growable heap every process has; made on first use, never destroyed
 *
 * Return: its handle; NULL with last error 8 and errno as HeapCreate.
 * Page: nf-heapapi-getprocessheap
 */
PRIVHEAP_API HANDLE WINAPI GetProcessHeap(void);

/**
 * GetProcessHeaps - all heaps of the process
 * @count: how many handles fit into @heaps; 0 = only count
 * @heaps: out: handles, the process heap's first, then in the order they were made; may be NULL
 *	if @count is 0
 *
 * The process heap is made if there is none yet. Other threads may end the heaps that are listed
 * here: see HeapDestroy. It waits for no thread that is inside a heap.
 *
 * Return: how many heaps there are, also if more than @count: then the first @count are stored;
 * 0 with last error 87 (@heaps NULL), 8 (as GetProcessHeap) or 1131.
 * Page: nf-heapapi-getprocessheaps
 */
PRIVHEAP_API DWORD WINAPI GetProcessHeaps(DWORD count, PHANDLE heaps);

/**
 * HeapLock - keeps all other threads away from a heap
 * @heap: which heap
 *
 * While it is locked, HeapLock, HeapAlloc, HeapReAlloc, HeapFree and HeapCompact of other threads
 * wait, unless they are called with HEAP_NO_SERIALIZE. Functions that only look do not. A thread
 * may lock a heap it has locked; it unlocks as often. A lock is the program's: an exception that
 * passes it by leaves it locked, and so does a thread that ends. HeapDestroy does not mind.
 * On a heap made with HEAP_NO_SERIALIZE it does nothing.
 *
 * Return: TRUE; FALSE with last error 6 or 1131.
 * Page: nf-heapapi-heaplock
 */
PRIVHEAP_API BOOL WINAPI HeapLock(HANDLE heap);

/**
 * HeapUnlock - undoes one HeapLock
 * @heap: which heap
 *
 * Return: TRUE; FALSE with last error 6, or 288, ERROR_NOT_OWNER (errno EPERM): this thread has
 * not locked it. On a heap made with HEAP_NO_SERIALIZE always TRUE.
 * Page: nf-heapapi-heapunlock
 */
PRIVHEAP_API BOOL WINAPI HeapUnlock(HANDLE heap);

/* .wFlags of PROCESS_HEAP_ENTRY. 0: free. The last two are never set here. */
#define PROCESS_HEAP_REGION		0x0001
#define PROCESS_HEAP_UNCOMMITTED_RANGE	0x0002
#define PROCESS_HEAP_ENTRY_BUSY		0x0004
#define PROCESS_HEAP_ENTRY_MOVEABLE	0x0010
#define PROCESS_HEAP_ENTRY_DDESHARE	0x0020

struct process_heap_block {
	HANDLE hMem;
	DWORD dwReserved[3];
};

struct process_heap_region {
	DWORD dwCommittedSize;
	DWORD dwUnCommittedSize;
	LPVOID lpFirstBlock;
	LPVOID lpLastBlock;
};

/**
 * struct _PROCESS_HEAP_ENTRY - one step of HeapWalk
 * @lpData: where it begins; NULL before the first step
 * @cbData: bytes; of a block as many as were requested; of a region as many as are reserved
 * @cbOverhead: bytes that a block occupies beyond @cbData; 255 = that many or more
 * @iRegionIndex: 0 here: a heap is one range
 * @wFlags: PROCESS_HEAP_REGION, _UNCOMMITTED_RANGE, _ENTRY_BUSY (a live block) or 0 (free)
 * @Block: zeros here
 * @Region: of a region: bytes committed, bytes not, its first address, the first beyond it
 *
 * Sizes from 4 GiB - 1 on are 4 GiB - 1.
 */
typedef struct _PROCESS_HEAP_ENTRY {
	PVOID lpData;
	DWORD cbData;
	BYTE cbOverhead;
	BYTE iRegionIndex;
	WORD wFlags;
	__extension__ union {
		struct process_heap_block Block;
		struct process_heap_region Region;
	};
} PROCESS_HEAP_ENTRY, *LPPROCESS_HEAP_ENTRY, *PPROCESS_HEAP_ENTRY;

/**
 * HeapWalk - from one part of a heap to the next
 * @heap: which heap
 * @entry: in: what the last call stored (its lpData and wFlags), or lpData NULL to begin; out:
 *	what comes next by address: the region, then blocks and free parts, then what is
 *	not committed
 *
 * Nothing is kept between calls: a walk may stop anywhere, and any number may go on at a time.
 * Other threads may use the heap meanwhile: a block that lives throughout the walk is met exactly
 * once; one that comes or goes may be met or not, one that is being resized shows the size before or
 * after. HeapLock keeps them away.
 *
 * Return: TRUE; FALSE with last error 259, ERROR_NO_MORE_ITEMS (errno ENOENT), after the last
 * part, 87 (@entry NULL, or nothing that a walk stores), 6 or 1131; @entry is then unchanged.
 * Page: nf-heapapi-heapwalk
 */
PRIVHEAP_API BOOL WINAPI HeapWalk(HANDLE heap, LPPROCESS_HEAP_ENTRY entry);

/**
 * struct _HEAP_SUMMARY - figures of a heap, in bytes
 * @cb: in: sizeof(HEAP_SUMMARY)
 * @cbAllocated: requested sizes of all live blocks
 * @cbCommitted: committed
 * @cbReserved: reserved: the maximum; of a growable heap 64 MiB or more, as it grows
 * @cbMaxReserve: the maximum; of a growable heap, what it can grow to
 */
typedef struct _HEAP_SUMMARY {
	DWORD cb;
	SIZE_T cbAllocated;
	SIZE_T cbCommitted;
	SIZE_T cbReserved;
	SIZE_T cbMaxReserve;
} HEAP_SUMMARY, *PHEAP_SUMMARY, *LPHEAP_SUMMARY;

/**
 * HeapSummary - reads the figures
 * @heap: which heap
 * @flags: ignored
 * @summary: out, except @summary->cb
 *
 * It counts the blocks, which takes its time (about 1 ms for 200,000), and lets other threads
 * go on: blocks they allocate and free meanwhile are counted or not. HeapLock keeps them away.
 *
 * Return: TRUE; FALSE with last error 87 (@summary NULL, cb), 6 or 1131.
 * Page: nf-heapapi-heapsummary
 */
PRIVHEAP_API BOOL WINAPI HeapSummary(HANDLE heap, DWORD flags, LPHEAP_SUMMARY summary);

/**
 * HeapCompact - joins what is free
 * @heap: which heap
 * @flags: ignored
 *
 * Here free blocks are joined as they are freed; this also takes apart groups of equal blocks
 * that are all free. Nothing is decommitted.
 *
 * Return: bytes of the largest free block that needs no commit; 0 with last error 0 (there is
 * none) or 6.
 * Page: nf-heapapi-heapcompact
 */
PRIVHEAP_API SIZE_T WINAPI HeapCompact(HANDLE heap, DWORD flags);

typedef enum _HEAP_INFORMATION_CLASS {
	HeapCompatibilityInformation = 0,
	HeapEnableTerminationOnCorruption = 1,
	HeapOptimizeResources = 3
} HEAP_INFORMATION_CLASS;

/* Values of HeapCompatibilityInformation, a ULONG. */
#define HEAP_COMPATIBILITY_STANDARD	0
#define HEAP_COMPATIBILITY_LFH		2

#define HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION	1

/**
 * struct _HEAP_OPTIMIZE_RESOURCES_INFORMATION - argument of HeapOptimizeResources
 * @Version: HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION
 * @Flags: 0
 */
typedef struct _HEAP_OPTIMIZE_RESOURCES_INFORMATION {
	DWORD Version;
	DWORD Flags;
} HEAP_OPTIMIZE_RESOURCES_INFORMATION, *PHEAP_OPTIMIZE_RESOURCES_INFORMATION;

/**
 * HeapSetInformation - asks something of a heap, or of all
 * @heap: which heap; NULL = all, where the class allows it
 * @information_class: what
 * @information: its argument
 * @length: bytes of @information
 *
 * HeapCompatibilityInformation, a ULONG: 2 (low fragmentation), which then stays; 0 (standard)
 * while it is 0. Every heap here is what 2 asks for; it is remembered and nothing else.
 *
 * HeapEnableTerminationOnCorruption, NULL and 0: corruption ends the process from now on,
 * whatever PRIVHEAP_ON_CORRUPTION or privheap_attr say. For all heaps, whatever @heap is, and
 * for ever.
 *
 * HeapOptimizeResources, a HEAP_OPTIMIZE_RESOURCES_INFORMATION: as HeapCompact; with @heap NULL on
 * every heap that is neither locked nor busy this moment nor made with HEAP_NO_SERIALIZE.
 *
 * Return: TRUE; FALSE with last error
 * 6 (no live heap; NULL for HeapCompatibilityInformation),
 * 31 (ERROR_GEN_FAILURE: HeapCompatibilityInformation is 2 already, or neither 0 nor 2),
 * 87 (class, argument; HeapCompatibilityInformation of a heap made with HEAP_NO_SERIALIZE),
 * 122 (ERROR_INSUFFICIENT_BUFFER: @length, of HeapCompatibilityInformation),
 * 998 (ERROR_NOACCESS: @information NULL, of HeapCompatibilityInformation).
 * Page: nf-heapapi-heapsetinformation
 */
PRIVHEAP_API BOOL WINAPI HeapSetInformation(HANDLE heap, HEAP_INFORMATION_CLASS information_class,
					    PVOID information, SIZE_T length);

/**
 * HeapQueryInformation - what was asked of a heap
 * @heap: which heap
 * @information_class: HeapCompatibilityInformation
 * @information: out: a ULONG: 0, or 2 if that was set
 * @length: bytes of @information
 * @needed: out: 4, also if @length is less; NULL = do not tell
 *
 * Return: TRUE; FALSE with last error 87 (class), 122 (@length), 998 (@heap or @information
 * NULL) or 6.
 * Page: nf-heapapi-heapqueryinformation
 */
PRIVHEAP_API BOOL WINAPI HeapQueryInformation(HANDLE heap,
					      HEAP_INFORMATION_CLASS information_class,
					      PVOID information, SIZE_T length, PSIZE_T needed);

/**
 * GetLastError - why the last call of this thread that failed did so; 0 at thread start
 * Page: https://learn.microsoft.com/windows/win32/api/errhandlingapi/nf-errhandlingapi-getlasterror
 */
PRIVHEAP_API DWORD WINAPI GetLastError(void);

/**
 * SetLastError - sets what GetLastError returns in this thread
 * @code: any
 * Page: https://learn.microsoft.com/windows/win32/api/errhandlingapi/nf-errhandlingapi-setlasterror
 */
PRIVHEAP_API void WINAPI SetLastError(DWORD code);

#ifdef __cplusplus
}
#endif

#endif
