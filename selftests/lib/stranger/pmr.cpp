// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <privheap.hpp>
#include <cstdio>
#include <string>

int main()
{
	privheap_attr attr = PRIVHEAP_ATTR_INIT;
	privheap_resource heap(attr);
	bool ok = std::pmr::string(1000, 'x', &heap).size() == 1000;
	return std::printf("1..1\n%s 1 stranger\n", ok ? "ok" : "not ok") < 0 || !ok;
}
