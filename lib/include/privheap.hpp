/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Private heaps for C++17: a heap as a std::pmr::memory_resource. Header only; link -lprivheap.
 *
 *	privheap_attr attr = PRIVHEAP_ATTR_INIT;
 *
 *	attr.name = "index";
 *	attr.maximum = 64 << 20;
 *	privheap_resource index(attr);		a heap of its own
 *	std::pmr::map<std::pmr::string, int> words(&index);
 *
 *	words["a"] = 1;					at 64 MiB: std::bad_alloc
 *
 * Destroying the resource destroys its heap in one call, however many blocks are alive. So a
 * container that is never destroyed itself, but whose heap is, costs nothing to drop.
 *
 * Any thread may use a resource at any time, unless attr.no_serialize was set. In a child of
 * fork(2) allocating from one of the parent's throws std::bad_alloc; destroying it does nothing.
 */
#ifndef PRIVHEAP_HPP
#define PRIVHEAP_HPP

#if __cplusplus < 201703L
#error "privheap.hpp needs C++17: -std=c++17"
#else

#include <cerrno>
#include <cstddef>
#include <memory_resource>
#include <new>
#include <system_error>

#include "privheap.h"

class privheap_resource : public std::pmr::memory_resource {
public:
	/* On a heap of its own. Throws std::system_error: errno of privheap_create. */
	explicit privheap_resource(const privheap_attr &attr)
		: heap_(privheap_create(&attr)), owned_(true)
	{
		if (!heap_)
			throw std::system_error(errno, std::generic_category(), "privheap_create");
	}

	/* On a heap of the program's, which it destroys: not before this. */
	explicit privheap_resource(privheap_t *heap) noexcept : heap_(heap), owned_(false)
	{
	}

	privheap_resource(const privheap_resource &) = delete;
	privheap_resource &operator=(const privheap_resource &) = delete;

	~privheap_resource() override
	{
		if (owned_)
			privheap_destroy(heap_);
	}

	/* For privheap_stats, privheap_walk and the like. */
	privheap_t *heap() const noexcept
	{
		return heap_;
	}

private:
	void *do_allocate(std::size_t bytes, std::size_t align) override
	{
		void *p = privheap_aligned_alloc(heap_, align, bytes);

		if (!p)
			throw std::bad_alloc();
		return p;
	}

	void do_deallocate(void *p, std::size_t, std::size_t) override
	{
		privheap_free(heap_, p);
	}

	/* What one has allocated another on the same heap can free. */
	bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
	{
		auto *that = dynamic_cast<const privheap_resource *>(&other);

		return that && that->heap_ == heap_;
	}

	privheap_t *heap_;
	bool owned_;
};

#endif

#endif
