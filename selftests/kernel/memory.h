/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What tests of heaps and memory share, most of it for root: a disk and swap on it, control groups,
 * khugepaged, bytes that tell a page from every other, and the figures of a heap.
 */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include <sys/stat.h>
#include <sys/swap.h>

#include "device.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define ZRAM		"/dev/zram0"
#define ZRAM_SYS	"/sys/block/zram0"
#define CGROUPS		"/sys/fs/cgroup"
#define THP		"/sys/kernel/mm/transparent_hugepage"
#define KHUGEPAGED	THP "/khugepaged"

/* The number after key in a file of lines; after nothing if key is "". -1 = not there. */
static inline long number_in(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	char line[256];
	long n = -1;

	while (file && n < 0 && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)))
			n = strtol(line + strlen(key), NULL, 10);
	if (file)
		fclose(file);
	return n;
}

static inline bool disk_on(void)
{
	if (access(ZRAM_SYS, F_OK) && system("modprobe zram"))
		return false;
	return !write_file(ZRAM_SYS "/reset", "1") && !write_file(ZRAM_SYS "/disksize", "128M");
}

static inline bool swap_on(void)
{
	struct {
		char boot[1024];
		uint32_t version, last_page, bad_pages;
		char rest[PAGE - 1024 - 12 - 10], magic[10];
	} header = { .version = 1, .last_page = 128 * MIB / PAGE - 1, .magic = "SWAPSPACE2" };
	int fd = disk_on() ? open(ZRAM, O_WRONLY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && write(fd, &header, sizeof(header)) == sizeof(header) && !fsync(fd);

	close(fd);
	return ok && !swapon(ZRAM, 0);
}

static inline bool disk_off(void)
{
	return !write_file(ZRAM_SYS "/reset", "1");
}

static inline bool swap_off(void)
{
	return !swapoff(ZRAM) && disk_off();
}

/* A number for every word that tells a page, and a life, from every other. */
static inline uint64_t word(uint64_t at, uint64_t life)
{
	uint64_t state = at + life * GIB + 1;

	return next(&state);
}

static inline void fill(uint64_t base, size_t n, uint64_t life)
{
	for (size_t i = 0; i < n; i += 8)
		*(uint64_t *)(base + i) = word(i, life);
}

static inline size_t wrong_words(const void *data, size_t n, uint64_t life)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i += 8)
		bad += *(const uint64_t *)(data + i) != word(i, life);
	return bad;
}

static inline bool group_on(const char *dir)
{
	return !write_file(CGROUPS "/cgroup.subtree_control", "+memory") && !mkdir(dir, 0700);
}

/* The heap's figures, which must be in order; prints them and answers false if they are not. */
static inline bool in_order(int dev, uint64_t heap, const char *after)
{
	struct privheap_stat stat = heap_stat(dev, heap);

	if (stat.resident <= stat.committed && stat.committed <= stat.maximum)
		return true;
	fprintf(stderr, "# after %s: resident %llu, committed %llu, maximum %llu\n", after,
		(unsigned long long)stat.resident, (unsigned long long)stat.committed,
		(unsigned long long)stat.maximum);
	return false;
}

/* What is set for the time of a test, and what it was. */
struct knob {
	const char *path, *value;
	char before[64];
};

/* "always [never]" stands for never. */
static inline bool knob_turn(struct knob *knob)
{
	char text[128] = "", *from, *to;
	int fd = open(knob->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	close(fd);
	if (n <= 0)
		return false;
	from = strchr(text, '[');
	to = strchr(text, from ? ']' : '\n');
	from = from ? from + 1 : text;
	snprintf(knob->before, sizeof(knob->before), "%.*s",
		 to ? (int)(to - from) : (int)strlen(from), from);
	return !write_file(knob->path, knob->value);
}

static struct knob khugepaged_at_full_speed[] = {
	{ .path = KHUGEPAGED "/scan_sleep_millisecs", .value = "1" },
	{ .path = KHUGEPAGED "/alloc_sleep_millisecs", .value = "1" },
	{ .path = KHUGEPAGED "/pages_to_scan", .value = "100000" },
	{ .path = KHUGEPAGED "/max_ptes_none", .value = "511" },
	{ .path = THP "/enabled", .value = "always" },
	{ .path = THP "/shmem_enabled", .value = "always" },
};

#define KNOBS	(sizeof(khugepaged_at_full_speed) / sizeof(khugepaged_at_full_speed[0]))

static inline bool speed_up(void)
{
	for (size_t i = 0; i < KNOBS; i++)
		if (!knob_turn(&khugepaged_at_full_speed[i]))
			return false;
	return true;
}

static inline void slow_down(void)
{
	for (size_t i = 0; i < KNOBS; i++)
		write_file(khugepaged_at_full_speed[i].path, khugepaged_at_full_speed[i].before);
}

/*
 * Waits until khugepaged has been through this process twice: it has collapsed small pages of
 * anonymous memory, and then those of another piece of it.
 */
static inline bool khugepaged_has_passed(void)
{
	for (int pass = 0; pass < 2; pass++) {
		long before = number_in("/proc/vmstat", "thp_collapse_alloc ");
		char *area = mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		int i;

		if (area == MAP_FAILED)
			return false;
		madvise(area, 4 * MIB, MADV_NOHUGEPAGE);
		memset(area, 1, 4 * MIB);
		madvise(area, 4 * MIB, MADV_HUGEPAGE);
		for (i = 0; i < 6000; i++) {
			if (number_in("/proc/vmstat", "thp_collapse_alloc ") > before)
				break;
			usleep(10000);
		}
		munmap(area, 4 * MIB);
		if (i == 6000)
			return false;
	}
	return true;
}

#endif
