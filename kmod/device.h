/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_DEVICE_H
#define PRIVHEAP_DEVICE_H

int privheap_device_init(void);
void privheap_device_exit(void);

#endif
