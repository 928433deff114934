// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Linux: the library has the try regions. */
#define _GNU_SOURCE
#include "port.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

struct port_thread {
	pthread_t id;
	void (*body)(void *argument);
	void *argument;
};

/* What the checks do on purpose, and the library's stack copies, are not for the sanitizer. */
#ifdef __SANITIZE_ADDRESS__
__attribute__((used))
const char *__asan_default_options(void)
{
	return "detect_stack_use_after_return=0:handle_sigbus=0:handle_segv=0:handle_abort=0:"
	       "detect_leaks=0";
}
#endif

/* The checks hand over bad pointers on purpose, and go on. */
void port_begin(void)
{
	setenv("PRIVHEAP_ON_CORRUPTION", "return", 1);
}

static void *thread_main(void *argument)
{
	struct port_thread *thread = argument;

	thread->body(thread->argument);
	return NULL;
}

struct port_thread *port_start(void (*body)(void *argument), void *argument)
{
	struct port_thread *thread = malloc(sizeof(*thread));

	if (!thread)
		abort();
	thread->body = body;
	thread->argument = argument;
	if (pthread_create(&thread->id, NULL, thread_main, thread))
		abort();
	return thread;
}

void port_join(struct port_thread *thread)
{
	pthread_join(thread->id, NULL);
	free(thread);
}

void port_sleep(unsigned int milliseconds)
{
	struct timespec time = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	nanosleep(&time, NULL);
}

void *port_unmapped(void)
{
	return mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
