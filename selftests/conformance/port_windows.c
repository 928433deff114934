// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Windows: heap_try.h has the try regions. */
#include "port.h"

#include <stdlib.h>

struct port_thread {
	HANDLE handle;
	void (*body)(void *argument);
	void *argument;
};

void port_begin(void)
{
}

static DWORD WINAPI thread_main(void *argument)
{
	struct port_thread *thread = argument;

	thread->body(thread->argument);
	return 0;
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
