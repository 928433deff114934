/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_BACKEND_DEVICE_H
#define PRIVHEAP_BACKEND_DEVICE_H

/* Closes the descriptor that a forked child inherited: it is the parent's. */
void backend_device_in_child(void);

#endif
