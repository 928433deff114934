/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef PRIVHEAP_BACKEND_DEFAULT_H
#define PRIVHEAP_BACKEND_DEFAULT_H

#include "os/backend.h"

/* The one that PRIVHEAP_BACKEND names: "device" (also when unset) or "anon"; else NULL. */
const struct backend *backend_default(void);

#endif
