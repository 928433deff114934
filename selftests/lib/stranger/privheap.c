// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <privheap.h>
#include <stdio.h>

int main(void)
{
	bool ok = privheap_destroy(privheap_create(NULL)) == 0;
	return printf("1..1\n%s 1 stranger\n", ok ? "ok" : "not ok") < 0 || !ok;
}
