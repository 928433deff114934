// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * dlopen and dlclose: of the library, which stays, and of a plugin with a heap of its own. This
 * program is not linked with the library. LIBRARY and PLUGIN are paths; the plugin is in here, and
 * loaded from memory.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <dlfcn.h>
#include <sys/mman.h>

#include "heapapi.h"
#include "privheap.h"

__asm__(".section .rodata\nplugin_begin: .incbin \"" PLUGIN "\"\nplugin_end: .byte 0\n.text");
extern const char plugin_begin[], plugin_end[];

static void *open_plugin(void)
{
	size_t size = (size_t)(plugin_end - plugin_begin);
	int file = memfd_create("plugin", 0);
	void *plugin = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (write(file, plugin_begin, size) == (ssize_t)size)
		plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin)
		fprintf(stderr, "# %s\n", dlerror());
	close(file);
	return plugin;
}

/* The library's functions, each time anew. */
#define CALL(name)	((__typeof__(&name))dlsym(dlopen(LIBRARY, RTLD_NOW), #name))

static uint64_t heaps_alive(void)
{
	struct privheap_quota_info info = PRIVHEAP_QUOTA_INFO_INIT;

	if (CALL(privheap_quota_get)(PRIVHEAP_QUOTA_PROCESS, PRIVHEAP_QUOTA_SELF, &info))
		return UINT64_MAX;
	return info.heaps;
}

TEST(heaps_outlive_dlclose_of_the_library)
{
	void *library = dlopen(LIBRARY, RTLD_NOW);
	char *p;
	HANDLE heap;

	ASSERT_NE(NULL, library) TH_LOG("%s", dlerror());
	heap = ((__typeof__(&HeapCreate))dlsym(library, "HeapCreate"))(0, 0, 0);
	ASSERT_NE(NULL, heap);
	p = ((__typeof__(&HeapAlloc))dlsym(library, "HeapAlloc"))(heap, 0, 100);
	ASSERT_NE(NULL, p);
	memset(p, 0x5A, 100);
	EXPECT_EQ(0, dlclose(library));
	EXPECT_NE(NULL, dlopen(LIBRARY, RTLD_NOW | RTLD_NOLOAD));
	EXPECT_TRUE(all_bytes(p, 0x5A, 100));
	EXPECT_EQ(100, CALL(HeapSize)(heap, 0, p));
	EXPECT_TRUE(CALL(HeapFree)(heap, 0, p));
	EXPECT_TRUE(CALL(HeapDestroy)(heap));
}

TEST(a_plugin_ends_its_heap)
{
	void *plugin;
	HANDLE heap;
	uint64_t alive;
	int i;

	plugin = open_plugin();
	ASSERT_NE(NULL, plugin);
	dlclose(plugin);
	alive = heaps_alive();
	for (i = 0; i < 50; i++) {
		plugin = open_plugin();
		ASSERT_NE(NULL, plugin);
		heap = *(HANDLE *)dlsym(plugin, "plugin_heap");
		EXPECT_NE(NULL, ((void *(*)(SIZE_T))dlsym(plugin, "plugin_alloc"))(100000));
		EXPECT_EQ(alive + 1, heaps_alive());
		dlclose(plugin);
		EXPECT_EQ(alive, heaps_alive());
		EXPECT_FALSE(CALL(HeapValidate)(heap, 0, NULL));
		EXPECT_FALSE(CALL(HeapDestroy)(heap));
	}
}

TEST(a_heap_that_a_plugin_forgets_lives_on)
{
	void *plugin = open_plugin();
	HANDLE heap;
	char *p;

	ASSERT_NE(NULL, plugin);
	*(int *)dlsym(plugin, "plugin_tidy") = 0;
	heap = *(HANDLE *)dlsym(plugin, "plugin_heap");
	p = ((void *(*)(SIZE_T))dlsym(plugin, "plugin_alloc"))(1000);
	ASSERT_NE(NULL, p);
	EXPECT_EQ(0, dlclose(plugin));
	EXPECT_TRUE(all_bytes(p, 0, 1000));
	EXPECT_TRUE(CALL(HeapFree)(heap, 0, p));
	EXPECT_TRUE(CALL(HeapDestroy)(heap));
}

TEST_HARNESS_MAIN
