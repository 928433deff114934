/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Ranges from /dev/privheap, see backend_device.c. */
#ifndef PRIVHEAP_BACKEND_DEVICE_H
#define PRIVHEAP_BACKEND_DEVICE_H

#include "os/backend.h"

extern const struct backend backend_device;

#endif
