// SPDX-License-Identifier: GPL-2.0 OR MIT
#include <heapapi.h>
#include <cstdio>

int main()
{
	BOOL ok = HeapFree(GetProcessHeap(), 0, HeapAlloc(GetProcessHeap(), 0, 100));
	return std::printf("1..1\n%s 1 stranger\n", ok ? "ok" : "not ok") < 0 || !ok;
}
