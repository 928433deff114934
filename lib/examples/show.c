// SPDX-License-Identifier: GPL-2.0 OR MIT
#define _GNU_SOURCE
#include "show.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

/* /proc/PID/fdinfo/FD of the device, opened; NULL = there is none. */
static FILE *open_fdinfo(pid_t pid)
{
	char path[64], target[64], process[16] = "self";
	struct dirent *entry;
	FILE *found = NULL;
	DIR *fds;

	if (pid)
		snprintf(process, sizeof(process), "%d", pid);
	snprintf(path, sizeof(path), "/proc/%s/fd", process);
	fds = opendir(path);
	while (fds && !found && (entry = readdir(fds)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%.12s", process, entry->d_name);
		ssize_t n = readlink(path, target, sizeof(target) - 1);

		target[n > 0 ? n : 0] = '\0';
		if (strcmp(target, "/dev/privheap"))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/fdinfo/%.12s", process, entry->d_name);
		found = fopen(path, "r");
	}
	if (fds)
		closedir(fds);
	return found;
}

bool show_device(void)
{
	FILE *file = open_fdinfo(0);

	if (file)
		fclose(file);
	return file;
}

size_t show_figure(pid_t pid, const char *name)
{
	FILE *file = open_fdinfo(pid);
	char line[256], format[64];
	size_t value = 0;
	bool found = false;

	HOLDS(file, "/dev/privheap is open in process %d", pid);
	snprintf(format, sizeof(format), "privheap-%s: %%zu", name);
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, format, &value) == 1;
	fclose(file);
	HOLDS(found, "fdinfo has privheap-%s", name);
	return value;
}

struct show_heap show_heap(const void *base)
{
	FILE *file = open_fdinfo(0);
	struct show_heap heap = { 0 };
	bool found = false;
	char line[256];
	void *at;

	HOLDS(file, "/dev/privheap is open");
	while (!found && fgets(line, sizeof(line), file)) {
		int n = sscanf(line, "privheap-heap: %*u base %p maximum %zu committed %zu "
			       "resident %zu", &at, &heap.maximum, &heap.committed,
			       &heap.resident);

		found = n == 4 && at == base;
	}
	fclose(file);
	HOLDS(found, "fdinfo has the heap at %p", base);
	printf("  fdinfo  %s", line);
	return heap;
}

size_t show_mapping(const void *base)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	bool inside = false;
	size_t rss = 0;
	char line[512];

	HOLDS(file, "smaps can be read");
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
			inside = start == (unsigned long)base;
			if (inside)
				printf("  smaps   %s", line);
		} else if (inside && sscanf(line, "Rss: %zu kB", &rss) == 1) {
			break;
		}
	}
	fclose(file);
	printf("  smaps   Rss: %zu KiB\n", rss);
	return rss << 10;
}
