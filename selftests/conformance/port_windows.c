// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Windows: try regions over one frame handler per thread. */
#include "port.h"

#include <stdlib.h>

struct port_thread {
	HANDLE handle;
	void (*body)(void *argument);
	void *argument;
};

static __thread struct port_try *innermost;

void port_try_enter(struct port_try *region, LONG (*filter)(PEXCEPTION_POINTERS info))
{
	region->outer = innermost;
	region->frames = ((NT_TIB *)NtCurrentTeb())->ExceptionList;
	region->filter = filter;
	region->caught = 0;
	region->closed = 0;
	innermost = region;
}

void port_try_leave(struct port_try *region)
{
	if (!region->closed)
		innermost = region->outer;
	region->closed = 1;
}

static LONG ask(struct port_try *region, PEXCEPTION_POINTERS info)
{
	struct port_try *saved = innermost;
	LONG verdict;

	innermost = region->outer;
	region->code = info->ExceptionRecord->ExceptionCode;
	verdict = region->filter(info);
	innermost = saved;
	return verdict;
}

__attribute__((used))
static EXCEPTION_DISPOSITION frame_handler(PEXCEPTION_RECORD record, void *frame, PCONTEXT context,
					   void *dispatcher)
{
	EXCEPTION_POINTERS info = { record, context };
	struct port_try *region;

	(void)frame;
	(void)dispatcher;
	if (record->ExceptionFlags & (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND))
		return ExceptionContinueSearch;
	for (region = innermost; region; region = region->outer) {
		LONG verdict = ask(region, &info);

		if (verdict < 0)
			return ExceptionContinueExecution;
		if (verdict > 0) {
			port_try_leave(region);
			innermost = region->outer;
			region->caught = 1;
			((NT_TIB *)NtCurrentTeb())->ExceptionList = region->frames;
			__builtin_longjmp(region->env, 1);
		}
	}
	return ExceptionContinueSearch;
}

__attribute__((noinline))
int port_main(int (*body)(void))
{
	volatile int status;	/* no tail call: this frame must be there */

	__asm__ volatile(".seh_handler frame_handler, @except\n");
	status = body();
	return status;
}

static __thread struct port_thread *current;

static int run_current(void)
{
	current->body(current->argument);
	return 0;
}

static DWORD WINAPI thread_main(void *thread)
{
	current = thread;
	return (DWORD)port_main(run_current);
}

struct port_thread *port_start(void (*body)(void *argument), void *argument)
{
	struct port_thread *thread = malloc(sizeof(*thread));

	if (!thread)
		abort();
	thread->body = body;
	thread->argument = argument;
	thread->handle = CreateThread(NULL, 0, thread_main, thread, 0, NULL);
	if (!thread->handle)
		abort();
	return thread;
}

void port_join(struct port_thread *thread)
{
	WaitForSingleObject(thread->handle, INFINITE);
	CloseHandle(thread->handle);
	free(thread);
}

void port_sleep(unsigned int milliseconds)
{
	Sleep(milliseconds);
}

void *port_unmapped(void)
{
	return VirtualAlloc(NULL, 65536, MEM_RESERVE, PAGE_NOACCESS);
}
