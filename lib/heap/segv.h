/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The line on stderr when a guard page is touched:
 *
 *	touch -> SIGSEGV -> in a guard page or a freed large block of a checked heap?
 *			    yes: which, one line, abort      no: the handler before ours
 */
#ifndef PRIVHEAP_SEGV_H
#define PRIVHEAP_SEGV_H

/* From now on touches are explained. Once per process; later calls: nothing. */
void segv_install(void);

#endif
