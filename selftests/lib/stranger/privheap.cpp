// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <privheap.h>
#include <cstdio>

int main()
{
	bool ok = privheap_destroy(privheap_create(nullptr)) == 0;
	return std::printf("1..1\n%s 1 stranger\n", ok ? "ok" : "not ok") < 0 || !ok;
}
