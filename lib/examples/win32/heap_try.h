/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * HEAP_TRY, HEAP_EXCEPT and HEAP_END_TRY of <heapapi.h> on Windows, for source that is built for
 * both:
 *
 *	#ifdef _WIN32
 *	#include <windows.h>
 *	#include "heap_try.h"
 *	#else
 *	#include <heapapi.h>
 *	#endif
 *
 * Microsoft's compiler has __try. gcc has not; for it heap_try.c is linked in, and the same rules
 * hold as in <heap_exception.h>.
 */
#ifndef HEAP_TRY_H
#define HEAP_TRY_H

#ifdef _MSC_VER

#define HEAP_TRY		__try
#define HEAP_EXCEPT(filter)	__except (filter)
#define HEAP_END_TRY

#else

/* A region is asked by its filter, a nested function, and left by __builtin_longjmp. */
struct heap_try {
	void *env[5];
	struct heap_try *outer;
	void *frames;		/* Wine's own try regions, which a jump past them must close */
	LONG (*filter)(PEXCEPTION_POINTERS info);
	DWORD code;		/* what was raised; set before the filter is asked */
	int caught, closed;
};

void heap_try_enter(struct heap_try *region, LONG (*filter)(PEXCEPTION_POINTERS info));
void heap_try_leave(struct heap_try *region);

#undef GetExceptionCode
#undef GetExceptionInformation
#define GetExceptionCode()		(heap_try_region.code)
#define GetExceptionInformation()	(heap_try_info)

#define HEAP_TRY							\
	{								\
		auto LONG heap_try_filter(PEXCEPTION_POINTERS);		\
		struct heap_try heap_try_region				\
			__attribute__((cleanup(heap_try_leave)));	\
		heap_try_enter(&heap_try_region, heap_try_filter);	\
		if (__builtin_setjmp(heap_try_region.env) == 0)

#define HEAP_EXCEPT(verdict)						\
		LONG heap_try_filter(PEXCEPTION_POINTERS heap_try_info)	\
		{							\
			(void)heap_try_info;				\
			return (LONG)(verdict);				\
		}							\
		if (heap_try_region.caught)

#define HEAP_END_TRY							\
	}

#endif

#endif
