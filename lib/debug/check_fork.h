/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_CHECK_FORK_H
#define PRIVHEAP_CHECK_FORK_H

/* There is a heap that a tool was told about: a child of fork has to tell it that it is gone. */
void check_fork_install(void);

#endif
