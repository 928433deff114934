// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * In the archive only: a plugin that is linked with it stays in memory when it is closed.
 *
 * Each thread's rseq area names the last sequence that the thread entered, and the kernel looks
 * there when it interrupts the thread next, however long after; if that is unmapped by then the
 * process is killed. No thread can clear the areas of the others. SIGBUS has its handler in here,
 * too. The shared libraries are linked with -z nodelete; an archive cannot ask for that.
 *
 * In a constructor, where the dynamic linker's lock is this thread's already: on first use another
 * thread might hold it and wait for this one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

/* musl unmaps nothing that is closed. */
#ifdef __GLIBC__
/*
 * A C library may have them or not. dlopen itself by name: in a static program ld has words about
 * it.
 */
#pragma weak dlsym
#pragma weak dladdr1

__attribute__((constructor)) static void pin(void)
{
	void *(*open)(const char *name, int flags);
	struct link_map *map = NULL;
	Dl_info info;

	if (!dlsym || !dladdr1 || !dladdr1((void *)pin, &info, (void **)&map, RTLD_DL_LINKMAP))
		return;
	/* The program itself, which has no name, is never closed. */
	if (!map || !map->l_name || !map->l_name[0])
		return;
	open = (void *(*)(const char *, int))dlsym(RTLD_DEFAULT, "dlopen");
	if (open)
		open(map->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}
#endif
