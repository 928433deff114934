// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * dlopen and dlclose: of the library, which stays, and of plugins with a heap of their own. This
 * program is not linked with the library. The plugins are in here, and loaded from memory: PLUGIN is
 * linked with the shared library, PLUGIN_STATIC with the archive.
 */
#include "kselftest_harness.h"
#include "common.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include "heapapi.h"
#include "privheap.h"

#define LIBRARY	"libprivheap.so.0"

__asm__(".section .rodata\nplugin_begin: .incbin \"" PLUGIN "\"\nplugin_end: .byte 0\n.text");
extern const char plugin_begin[], plugin_end[];
__asm__(".section .rodata\nstatic_begin: .incbin \"" PLUGIN_STATIC "\"\nstatic_end: .byte 0\n.text");
extern const char static_begin[], static_end[];

static void *open_memory(const char *begin, const char *end)
{
	size_t size = (size_t)(end - begin);
	int file = memfd_create("plugin", 0);
	void *plugin = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (write(file, begin, size) == (ssize_t)size)
		plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin)
		fprintf(stderr, "# %s\n", dlerror());
	close(file);
	return plugin;
}

static void *open_plugin(void)
{
	return open_memory(plugin_begin, plugin_end);
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

#ifndef __SANITIZE_ADDRESS__	/* whose runtime would have to be in the program */
static void *(*small_block)(void);
static pthread_barrier_t steps;

static void get_interrupted(void)
{
	cpu_set_t set;

	for (int i = 0; i < 100; i++) {
		CPU_ZERO(&set);
		CPU_SET(i & 1, &set);
		sched_setaffinity(0, sizeof(set), &set);
		usleep(100);
	}
}

static void *allocate_and_go_on(void *none)
{
	small_block();
	pthread_barrier_wait(&steps);	/* both have */
	pthread_barrier_wait(&steps);	/* it is closed */
	get_interrupted();
	return none;
}

/* The kernel still looks at the last sequence of every thread. */
TEST(L6_a_plugin_that_is_the_library_is_closed)
{
	void *plugin = open_memory(static_begin, static_end);
	pthread_t thread;

	ASSERT_NE(NULL, plugin);
	small_block = (void *(*)(void))dlsym(plugin, "plugin_small");
	ASSERT_NE(NULL, small_block);
	ASSERT_EQ(0, pthread_barrier_init(&steps, NULL, 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, allocate_and_go_on, NULL));
	EXPECT_NE(NULL, small_block());
	pthread_barrier_wait(&steps);
	EXPECT_NE(NULL, small_block());
	EXPECT_EQ(0, dlclose(plugin));
	pthread_barrier_wait(&steps);
	get_interrupted();
	EXPECT_EQ(0, pthread_join(thread, NULL));
}

/* And opened again it is the one that was there. */
TEST(L6_again_and_again)
{
	for (int i = 0; i < 20; i++) {
		void *plugin = open_memory(static_begin, static_end);

		ASSERT_NE(NULL, plugin);
		EXPECT_NE(NULL, ((void *(*)(void))dlsym(plugin, "plugin_small"))());
		EXPECT_EQ(0, dlclose(plugin));
		get_interrupted();
	}
}
#endif

TEST_HARNESS_MAIN
