/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Ranges of anonymous memory, see backend_anon.c. */
#ifndef PRIVHEAP_BACKEND_ANON_H
#define PRIVHEAP_BACKEND_ANON_H

#include "os/backend.h"

extern const struct backend backend_anon;

#endif
