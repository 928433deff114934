// SPDX-License-Identifier: GPL-2.0 OR MIT
/* privheap.hpp: a heap as a std::pmr::memory_resource. */
#include "memory_resource.h"

#include <list>
#include <map>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "privheap.hpp"

#define CHECK(condition) do { if (!(condition)) return __LINE__; } while (0)

static privheap_attr attributes(std::size_t maximum)
{
	privheap_attr attr = PRIVHEAP_ATTR_INIT;

	attr.name = "pmr";
	attr.maximum = maximum;
	return attr;
}

static std::size_t blocks(privheap_t *heap)
{
	struct privheap_stats stats = PRIVHEAP_STATS_INIT;

	return privheap_stats(heap, &stats) ? SIZE_MAX : stats.blocks;
}

int check_resource_of_its_own(void)
{
	privheap_t *heap;

	{
		privheap_resource resource(attributes(1 << 20));

		heap = resource.heap();
		CHECK(privheap_usable_size(heap, resource.allocate(100)) == 100);
		CHECK(blocks(heap) == 1);
	}
	CHECK(privheap_destroy(heap) == -1);
	return 0;
}

int check_resource_on_a_heap(void)
{
	privheap_t *heap = privheap_create(nullptr);

	{
		privheap_resource resource(heap);
		void *p = resource.allocate(100), *q = resource.allocate(200);

		CHECK(blocks(heap) == 2);
		resource.deallocate(p, 100);
		CHECK(blocks(heap) == 1 && privheap_usable_size(heap, q) == 200);
	}
	CHECK(blocks(heap) == 1);
	CHECK(privheap_destroy(heap) == 0);
	return 0;
}

int check_resource_holds_containers(void)
{
	privheap_resource resource(attributes(64 << 20));

	{
		std::pmr::map<int, std::pmr::string> names(&resource);
		std::pmr::vector<std::pmr::list<int>> lists(100, &resource);

		for (int i = 0; i < 10000; i++) {
			names[i] = std::pmr::string(std::size_t(i % 200), 'x');
			lists[std::size_t(i) % 100].push_back(i);
		}
		CHECK(names[199].size() == 199 && lists[99].size() == 100);
		CHECK(names[199].get_allocator().resource() == &resource);
		CHECK(blocks(resource.heap()) > 20000);
		CHECK(privheap_validate(resource.heap(), nullptr));
	}
	CHECK(blocks(resource.heap()) == 0);
	return 0;
}

int check_resource_reaches_its_maximum(void)
{
	privheap_resource resource(attributes(1 << 20));
	std::pmr::vector<int> numbers(&resource);
	bool refused = false;

	numbers.assign(100000, 7);
	try {
		numbers.resize(1000000);
	} catch (const std::bad_alloc &) {
		refused = true;
	}
	CHECK(refused && numbers.size() == 100000 && numbers[99999] == 7);
	return 0;
}

int check_resource_keeps_alignments(void)
{
	privheap_resource resource(attributes(16 << 20));

	for (std::size_t align = 1; align <= 65536; align *= 2) {
		for (std::size_t bytes = 0; bytes < 5000; bytes = bytes * 3 + 1) {
			void *p = resource.allocate(bytes, align);

			CHECK(reinterpret_cast<std::uintptr_t>(p) % align == 0);
			resource.deallocate(p, bytes, align);
		}
	}
	CHECK(blocks(resource.heap()) == 0);
	return 0;
}

int check_resource_equality(void)
{
	privheap_resource one(attributes(1 << 20)), two(attributes(1 << 20));
	privheap_resource same(one.heap());

	CHECK(one == one && one == same && same == one);
	CHECK(one != two && one != *std::pmr::new_delete_resource());
	same.deallocate(one.allocate(100), 100);
	CHECK(blocks(one.heap()) == 0);
	return 0;
}

int check_resource_that_cannot_be(void)
{
	privheap_attr attr = attributes(4096);

	attr.initial = 8192;
	try {
		privheap_resource resource(attr);
	} catch (const std::system_error &error) {
		CHECK(error.code() == std::errc::invalid_argument);
		return 0;
	}
	return __LINE__;
}

int check_resource_of_eight_threads(void)
{
	privheap_resource resource(attributes(256 << 20));
	std::vector<std::thread> threads;

	for (int t = 0; t < 8; t++) {
		threads.emplace_back([&resource] {
			std::pmr::map<int, std::pmr::string> words(&resource);

			for (int i = 0; i < 5000; i++)
				words[i % 700] = std::pmr::string(std::size_t(i % 100), 'y');
		});
	}
	for (auto &thread : threads)
		thread.join();
	CHECK(blocks(resource.heap()) == 0 && privheap_validate(resource.heap(), nullptr));
	return 0;
}

static int in_child(privheap_resource &resource)
{
	try {
		resource.deallocate(resource.allocate(100), 100);
	} catch (const std::bad_alloc &) {
		resource.~privheap_resource();
		return 0;
	}
	return 1;
}

int check_resource_after_fork(void)
{
	privheap_resource resource(attributes(1 << 20));
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(in_child(resource));
	waitpid(child, &status, 0);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(resource.allocate(100));
	return 0;
}
