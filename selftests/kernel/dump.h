/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Core dumps of processes with heaps: a process notes what of its heaps must be in the dump and
 * dies; what the dump has of them is compared. In the first word of every page that is filled
 * stands its address.
 */
#ifndef KERNEL_DUMP_H
#define KERNEL_DUMP_H

#include <elf.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "device.h"

#define BESIDE	(64 * MIB)	/* what a dump has of anything but heaps, at most */
#define PIECES	16

/**
 * struct piece - bytes of a heap
 * @from: address
 * @bytes: how many
 * @filled: of these, from the first
 */
struct piece {
	uint64_t from, bytes, filled;
};

/**
 * struct notes - of a process that will dump core; shared with it
 * @heaps: how many, one beside the other in @reserved
 * @pieces: that must be in the dump, and nothing else of @reserved
 * @reserved: address ranges
 * @piece: see @pieces
 * @filled: for a thread to count
 * @other: another process
 */
struct notes {
	unsigned int heaps, pieces;
	struct piece reserved[PIECES], piece[PIECES];
	volatile uint64_t filled;
	volatile pid_t other;
};

/**
 * struct death - how a process ends
 * @prepare: makes its heaps, for which it has the descriptor; 0 or what went wrong
 * @dir: where it is then
 * @user: as whom
 * @limit: on the dump; 0 = none
 * @notes: shared
 */
struct death {
	int (*prepare)(int dev, struct notes *notes);
	const char *dir;
	uid_t user;
	rlim_t limit;
	struct notes *notes;
};

static inline void fill_page(uint64_t page)
{
	*(uint64_t *)page = page;
}

static inline void fill_pages(uint64_t from, uint64_t bytes)
{
	for (uint64_t page = from; page < from + bytes; page += PAGE)
		fill_page(page);
}

static inline void note(struct notes *notes, uint64_t from, uint64_t bytes, uint64_t filled)
{
	notes->piece[notes->pieces++] = (struct piece) { from, bytes, filled };
}

/* 0, or an errno. */
static inline int make(int dev, struct notes *notes, uint64_t initial, uint64_t maximum,
		       uint32_t flags, struct privheap_create *heap)
{
	int err = heap_create(dev, initial, maximum, flags, heap);

	if (!err)
		notes->reserved[notes->heaps++] = (struct piece) { .from = heap->base,
								   .bytes = maximum };
	return err;
}

static inline uint64_t committed(int dev, const struct privheap_create *heap)
{
	return heap_stat(dev, heap->heap).committed;
}

/* Committed at once, by a call, by touches in a row, by one that is far out; not; all there is. */
static inline int make_heaps(int dev, struct notes *notes)
{
	struct privheap_create heap;

	if (make(dev, notes, MIB, 16 * GIB, 0, &heap))
		return 1;
	fill_pages(heap.base, MIB);
	note(notes, heap.base, MIB, MIB);

	if (make(dev, notes, 0, GIB, 0, &heap) ||
	    heap_commit(dev, heap.heap, 3 * MIB + PAGE, 0))
		return 2;
	fill_pages(heap.base, 64 * KIB);
	note(notes, heap.base, 3 * MIB + PAGE, 64 * KIB);

	if (make(dev, notes, 0, 16 * GIB, 0, &heap))
		return 3;
	fill_pages(heap.base, 5 * MIB);
	note(notes, heap.base, committed(dev, &heap), 5 * MIB);

	if (make(dev, notes, 0, 16 * GIB, 0, &heap))
		return 4;
	fill_page(heap.base);
	fill_page(heap.base + 9 * MIB);
	note(notes, heap.base, committed(dev, &heap), PAGE);

	if (make(dev, notes, 0, 16 * GIB, 0, &heap) ||
	    make(dev, notes, 64 * KIB, 64 * KIB, 0, &heap))
		return 5;
	fill_pages(heap.base, 64 * KIB);
	note(notes, heap.base, 64 * KIB, 64 * KIB);
	return 0;
}

/* What the process has said of a heap, or of a part of it, stays said. */
static inline int make_heaps_kept_out(int dev, struct notes *notes)
{
	struct privheap_create heap;

	if (make(dev, notes, MIB, 16 * GIB, 0, &heap) ||
	    madvise(at(heap.base), 16 * GIB, MADV_DONTDUMP))
		return 1;
	fill_pages(heap.base, MIB);

	if (make(dev, notes, MIB, GIB, PRIVHEAP_CREATE_SECRET, &heap))
		return 2;
	fill_pages(heap.base, MIB);

	if (make(dev, notes, 4 * MIB, 16 * GIB, 0, &heap))
		return 3;
	fill_pages(heap.base, 4 * MIB);
	if (madvise(at(heap.base + MIB), 64 * KIB, MADV_DONTDUMP) ||
	    mprotect(at(heap.base + 2 * MIB), 64 * KIB, PROT_READ) ||
	    munmap(at(heap.base + 3 * MIB), 64 * KIB))
		return 4;
	note(notes, heap.base, MIB, MIB);
	note(notes, heap.base + MIB + 64 * KIB, 2 * MIB - 64 * KIB, 2 * MIB - 64 * KIB);
	note(notes, heap.base + 3 * MIB + 64 * KIB, MIB - 64 * KIB, MIB - 64 * KIB);
	return 0;
}

/* In a forked child: what it returns is what went wrong. */
static inline int die(const struct death *death)
{
	struct rlimit limit = { death->limit ?: RLIM_INFINITY, death->limit ?: RLIM_INFINITY };
	int dev, err;

	if (death->user && setresuid(death->user, death->user, death->user))
		return 101;
	if (prctl(PR_SET_DUMPABLE, 1) || setrlimit(RLIMIT_CORE, &limit) || chdir(death->dir))
		return 102;
	dev = device_open();
	if (dev < 0)
		return 103;
	err = death->prepare(dev, death->notes);
	if (err)
		return err;
	abort();
}

/* The process's end, as waitpid(2) tells of it. */
static inline int end_of(const struct death *death)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid)
		_exit(die(death));
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static inline struct notes *notes_new(void)
{
	return mmap(NULL, sizeof(struct notes), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* A core file */

struct core {
	int fd;
	uint64_t size;
	unsigned int loads;
	Elf64_Phdr *load;
};

static inline bool core_open(struct core *core, const char *path)
{
	Elf64_Ehdr elf;
	struct stat st;

	*core = (struct core) { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (fstat(core->fd, &st) || pread(core->fd, &elf, sizeof(elf), 0) != sizeof(elf) ||
	    memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_type != ET_CORE)
		return false;
	core->size = st.st_size;
	core->loads = elf.e_phnum;
	core->load = calloc(elf.e_phnum, sizeof(elf));
	return pread(core->fd, core->load, elf.e_phnum * sizeof(*core->load), elf.e_phoff) ==
	       elf.e_phnum * sizeof(*core->load);
}

static inline void core_close(struct core *core)
{
	close(core->fd);
	free(core->load);
}

/* Bytes of a range that are in the dump. */
static inline uint64_t core_bytes(const struct core *core, uint64_t from, uint64_t bytes)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < core->loads; i++) {
		const Elf64_Phdr *load = &core->load[i];
		uint64_t end = load->p_vaddr + load->p_filesz;

		if (load->p_type != PT_LOAD || end <= from || load->p_vaddr >= from + bytes)
			continue;
		n += (end < from + bytes ? end : from + bytes) -
		     (load->p_vaddr > from ? load->p_vaddr : from);
	}
	return n;
}

/* The word at an address; ~0 if it is not in the dump. */
static inline uint64_t core_word(const struct core *core, uint64_t address)
{
	uint64_t word;

	for (unsigned int i = 0; i < core->loads; i++) {
		const Elf64_Phdr *load = &core->load[i];

		if (load->p_type == PT_LOAD && load->p_vaddr <= address &&
		    address < load->p_vaddr + load->p_filesz &&
		    pread(core->fd, &word, 8, load->p_offset + address - load->p_vaddr) == 8)
			return word;
	}
	return ~0UL;
}

/* Is that piece in the dump: every page that was filled, and zeroes after them? */
static inline bool core_has(const struct core *core, const struct piece *piece)
{
	uint64_t page;

	if (core_bytes(core, piece->from, piece->bytes) != piece->bytes)
		return false;
	for (page = piece->from; page < piece->from + piece->filled; page += PAGE)
		if (core_word(core, page) != page)
			return false;
	return page == piece->from + piece->bytes || core_word(core, page) == 0;
}

/* What of a dump is not as noted; "" = nothing. */
static inline const char *compare(const char *path, const struct notes *notes)
{
	static char why[160];
	uint64_t in_heaps = 0, must = 0;
	struct core core;

	why[0] = '\0';
	if (!core_open(&core, path)) {
		snprintf(why, sizeof(why), "%s is no core file", path);
		return why;
	}
	for (unsigned int i = 0; i < notes->heaps; i++)
		in_heaps += core_bytes(&core, notes->reserved[i].from, notes->reserved[i].bytes);
	for (unsigned int i = 0; i < notes->pieces; i++) {
		must += notes->piece[i].bytes;
		if (!core_has(&core, &notes->piece[i]))
			snprintf(why, sizeof(why), "piece %u is not there, or other bytes", i);
	}
	if (in_heaps != must || core.size > must + BESIDE)
		snprintf(why, sizeof(why), "%llu KiB of heaps for %llu committed, %llu KiB in all",
			 (unsigned long long)in_heaps / KIB, (unsigned long long)must / KIB,
			 (unsigned long long)core.size / KIB);
	core_close(&core);
	return why;
}

/* A directory that is everybody's, and notes. */
FIXTURE(dump)
{
	char dir[32], core[64];
	struct notes *notes;
};

FIXTURE_SETUP(dump)
{
	strcpy(self->dir, "/tmp/dump-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, chmod(self->dir, 0777));
	snprintf(self->core, sizeof(self->core), "%s/core", self->dir);
	self->notes = notes_new();
	ASSERT_NE(MAP_FAILED, self->notes);
}

FIXTURE_TEARDOWN(dump)
{
	unlink(self->core);
	EXPECT_EQ(0, rmdir(self->dir));
}

#endif
