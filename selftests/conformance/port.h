/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What the checks need beside the Heap API, on both sides: try regions, threads, time.
 *
 * Natively HEAP_TRY and its like are the library's. For Windows gcc has no __try, so here
 * is the same by gcc's own means: the filter is a nested function, a frame handler in main (and
 * in each thread) asks the filters from the inside out, and leaves by __builtin_longjmp.
 */
#ifndef CONFORMANCE_PORT_H
#define CONFORMANCE_PORT_H

#ifdef _WIN32

#include <windows.h>

#ifndef STATUS_HEAP_CORRUPTION
#define STATUS_HEAP_CORRUPTION		((DWORD)0xC0000374)
#endif

/* Newer than this compiler's headers. */
#define HeapOptimizeResources		((HEAP_INFORMATION_CLASS)3)
#define HEAP_OPTIMIZE_RESOURCES_CURRENT_VERSION	1
typedef struct _HEAP_OPTIMIZE_RESOURCES_INFORMATION {
	DWORD Version;
	DWORD Flags;
} HEAP_OPTIMIZE_RESOURCES_INFORMATION;

struct port_try {
	void *env[5];
	struct port_try *outer;
	void *frames;		/* Wine's own try regions, which a jump past them must close */
	LONG (*filter)(PEXCEPTION_POINTERS info);
	DWORD code;		/* what was raised; set before the filter is asked */
	int caught, closed;
};

void port_try_enter(struct port_try *region, LONG (*filter)(PEXCEPTION_POINTERS info));
void port_try_leave(struct port_try *region);

#undef GetExceptionCode
#undef GetExceptionInformation
#define GetExceptionCode()		(port_try_region.code)
#define GetExceptionInformation()	(port_try_info)

#define HEAP_TRY							\
	{								\
		auto LONG port_try_filter(PEXCEPTION_POINTERS);		\
		struct port_try port_try_region				\
			__attribute__((cleanup(port_try_leave)));	\
		port_try_enter(&port_try_region, port_try_filter);	\
		if (__builtin_setjmp(port_try_region.env) == 0)

#define HEAP_EXCEPT(verdict)						\
		LONG port_try_filter(PEXCEPTION_POINTERS port_try_info)	\
		{							\
			(void)port_try_info;				\
			return (LONG)(verdict);				\
		}							\
		if (port_try_region.caught)

#define HEAP_END_TRY							\
	}

#else

#include <heapapi.h>

#endif

struct port_thread;

/* Once, around everything that uses try regions. Returns what body does. */
int port_main(int (*body)(void));
struct port_thread *port_start(void (*body)(void *argument), void *argument);
void port_join(struct port_thread *thread);
void port_sleep(unsigned int milliseconds);
/* The bytes of a page of memory that is nobody's: not mapped, never freed. */
void *port_unmapped(void);

#endif
