/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_MALLOC_FORK_H
#define PRIVHEAP_MALLOC_FORK_H

/* Registers what happens at fork. */
void malloc_fork_init(void);

#endif
