// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * SIGBUS in a heap: the kernel could not supply a page (quota, memory, swap), on a touch.
 *
 *	touch -> SIGBUS -> in a heap, in a try region, no lock of ours held?
 *			   yes: STATUS_IN_PAGE_ERROR; "go back" makes the access happen again
 *			   no:  the handler before ours
 *
 * The signal mask of the interrupted code is restored before anyone is asked: an except block may
 * go on for ever, and a filter may fault too.
 */
#define _GNU_SOURCE
#include "exception/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "exception/exception.h"
#include "exception/vectored.h"
#include "heap/heap.h"
#include "heap/registry.h"

static struct sigaction before;

static bool is_write(const ucontext_t *context)
{
#ifdef __x86_64__
	return context->uc_mcontext.gregs[REG_ERR] & 2;
#else
	(void)context;
	return false;
#endif
}

static bool is_ours(const siginfo_t *info, const ucontext_t *context)
{
	/* Sent by kill(2) there is no address in it. */
	if (info->si_code <= 0)
		return false;
	if (!exception_in_try(context) && !vectored_present())
		return false;
	return !heap_thread_holds_lock() && heap_containing(info->si_addr);
}

static void default_action(const siginfo_t *info)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	/* A fault happens again on return, and kills; one that was sent must be sent again. */
	sigaction(SIGBUS, &dfl, NULL);
	if (info->si_code <= 0)
		raise(SIGBUS);
}

static void call_before(int number, siginfo_t *info, void *context)
{
	struct sigaction handler = before;
	sigset_t mask = ((ucontext_t *)context)->uc_sigmask;

	if (handler.sa_handler == SIG_IGN && info->si_code <= 0)
		return;
	/* The kernel ignores SIG_IGN for a fault, too. */
	if (handler.sa_handler == SIG_DFL || handler.sa_handler == SIG_IGN) {
		default_action(info);
		return;
	}
	sigorset(&mask, &mask, &handler.sa_mask);
	if (!(handler.sa_flags & SA_NODEFER))
		sigaddset(&mask, SIGBUS);
	if (handler.sa_flags & SA_RESETHAND)
		before.sa_handler = SIG_DFL;
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (handler.sa_flags & SA_SIGINFO)
		handler.sa_sigaction(number, info, context);
	else
		handler.sa_handler(number);
}

static void raise_in_page_error(const siginfo_t *info, ucontext_t *context)
{
	EXCEPTION_RECORD record = {
		.ExceptionCode = STATUS_IN_PAGE_ERROR,
		.NumberParameters = 3,
		.ExceptionInformation = { is_write(context), (ULONG_PTR)info->si_addr,
					  STATUS_NO_MEMORY },
	};

#ifdef __x86_64__
	record.ExceptionAddress = (PVOID)context->uc_mcontext.gregs[REG_RIP];
#endif
	pthread_sigmask(SIG_SETMASK, &context->uc_sigmask, NULL);
	exception_raise(&record, context);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	if (is_ours(info, context))
		raise_in_page_error(info, context);
	else
		call_before(number, info, context);
	errno = saved;
}

static void install(void)
{
	struct sigaction action = {
		.sa_sigaction = on_sigbus,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART,
	};

	sigemptyset(&action.sa_mask);
	/* First only read: a SIGBUS may come before the second call has stored it. */
	sigaction(SIGBUS, NULL, &before);
	sigaction(SIGBUS, &action, &before);
}

void sigbus_install(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, install);
}
