/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_SIGBUS_H
#define PRIVHEAP_SIGBUS_H

/* Turns SIGBUS in a heap into an exception from now on. Once per process; later calls: nothing. */
void sigbus_install(void);

#endif
