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
 *    program lets one thread in at a time. HEAP_NO_SERIALIZE in a single call changes nothing.
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
 *    that was this library, allocation and creation may fail with 8, HeapDestroy with 31, and a
 *    block that is freed may stay until HeapDestroy. Handlers save errno and the last error.
 *  - Flag bits that a function does not name are ignored, except by HeapCreate.
 *  - The last error, and errno, keep their values in calls that succeed.
 *
 * All pages are below https://learn.microsoft.com/windows/win32/api/heapapi/
 */
#ifndef HEAPAPI_H
#define HEAPAPI_H

#include <stddef.h>
#include <stdint.h>
#include "heap_exception.h"

typedef int BOOL;
typedef void *HANDLE, *LPVOID;
typedef const void *LPCVOID;
typedef size_t SIZE_T;

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
#define HEAP_CREATE_ALIGN_16		0x00010000
#define HEAP_CREATE_ENABLE_EXECUTE	0x00040000

#define ERROR_SUCCESS			0
#define NO_ERROR			0
#define ERROR_INVALID_HANDLE		6
#define ERROR_NOT_ENOUGH_MEMORY		8
#define ERROR_GEN_FAILURE		31
#define ERROR_INVALID_PARAMETER		87
#define ERROR_INSUFFICIENT_BUFFER	122
#define ERROR_NO_MORE_ITEMS		259
#define ERROR_NOACCESS			998

#ifdef __cplusplus
extern "C" {
#endif

/**
 * HeapCreate - makes a private heap
 * @options: 0, or of HEAP_NO_SERIALIZE, HEAP_GENERATE_EXCEPTIONS (every failed allocation on the
 *	heap raises), HEAP_CREATE_ENABLE_EXECUTE (its pages may be executed; without it they never
 *	can), HEAP_TAIL_CHECKING_ENABLED, HEAP_FREE_CHECKING_ENABLED (see below); accepted and
 *	always in force here: HEAP_CREATE_ALIGN_16
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
 * 87 (unknown option, initial > maximum; errno EINVAL) or 8 (errno ENOMEM: memory or address
 * space; EDQUOT: a quota; ENOENT, ENODEV, EACCES, EPERM: /dev/privheap cannot be opened, which a
 * line on stderr explains once).
 * Page: nf-heapapi-heapcreate
 */
PRIVHEAP_API HANDLE WINAPI HeapCreate(DWORD options, SIZE_T initial, SIZE_T maximum);

/**
 * HeapDestroy - ends a heap: its blocks, live ones too, its pages, its addresses
 * @heap: not the process heap. No other thread may be using it, or memory in it
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
