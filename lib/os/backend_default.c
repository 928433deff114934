// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * Which backend a heap gets that does not ask for one. Read once: a program that changes its
 * environment later must not end up with heaps of two kinds.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include "os/backend_anon.h"
#include "os/backend_default.h"
#include "os/backend_device.h"

static const struct backend *backend_choose(void)
{
	static const struct backend *const known[] = { &backend_device, &backend_anon };
	const char *name = secure_getenv("PRIVHEAP_BACKEND");

	if (!name)
		return &backend_device;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(name, known[i]->name) == 0)
			return known[i];
	return NULL;
}

const struct backend *backend_default(void)
{
	static _Atomic(const struct backend *) chosen;
	static _Atomic int ready;

	/* Two threads may both choose; they choose the same. */
	if (!ready) {
		chosen = backend_choose();
		ready = 1;
	}
	return chosen;
}
