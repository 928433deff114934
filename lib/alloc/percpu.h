/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * Per-CPU slabs: allocating and freeing as restartable sequences (rseq(2)), the only assembly of
 * the library.
 *
 *	3: rseq area ◀── address of { start 1, length 2 - 1, abort 4 }
 *	1: which CPU?  below percpu_limit?  …  loads, decisions, harmless stores  …
 *	   one store: the commit
 *	2:
 *	4: behind a signature; the kernel continues here instead: jump to 3
 *
 * If a thread between 1 and 2 is preempted, migrated or gets a signal, the kernel moves it to 4
 * before anything else runs in its place. So between 1 and 2 no other thread is in a sequence on
 * the same CPU, and words that only sequences of one CPU write need no atomic operation. Stores
 * before the commit are harmless if it does not happen: the canary of a free block, the slack of a
 * free block.
 *
 * percpu_limit is how many CPUs have shards while the heap is in this mode and not frozen or
 * quiescent, else 0: one compare with the CPU's number. A thread that clears it calls
 * percpu_fence(): membarrier aborts every sequence that runs.
 *
 * glibc registers the area of every thread it makes; where it could not, the CPU's number there is
 * negative, above any limit. A child of vfork uses its parent's area without being registered:
 * percpu_vfork.c makes the number negative. A thread made without glibc has to have an area of its
 * own that is registered, or says that it is not.
 */
#ifndef PRIVHEAP_PERCPU_H
#define PRIVHEAP_PERCPU_H

#include "alloc/types.h"
#include "os/process.h"

/* The thread sanitizer sees no sequences: it would take their stores for races. */
#if defined(__SANITIZE_THREAD__)
#define PERCPU 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define PERCPU 0
#endif
#endif
#ifdef PERCPU
#elif defined(__x86_64__) && __has_include(<sys/rseq.h>)
#define PERCPU 1
#else
#define PERCPU 0
#endif

#if PERCPU
/* Of the area, from the thread pointer; set before the first heap is published. */
extern ptrdiff_t percpu_area __attribute__((visibility("hidden")));

#define PERCPU_BEGIN							\
	".pushsection __rseq_cs, \"aw\"\n"				\
	".balign 32\n"							\
	"9:\n"								\
	".long 0, 0\n"							\
	".quad 1f, 2f - 1f, 4f\n"					\
	".popsection\n"							\
	"3:\n\t"							\
	"leaq 9b(%%rip), %[t]\n\t"					\
	"movq %[t], %%fs:8(%[area])\n"					\
	"1:\n\t"

#define PERCPU_CPU							\
	"movl %%fs:4(%[area]), %k[t]\n\t"

#define PERCPU_LIMIT							\
	PERCPU_CPU							\
	"cmpl %c[limit](%[heap]), %k[t]\n\t"				\
	"jae %l[none]\n\t"

#define PERCPU_END							\
	"2:\n"								\
	".pushsection __rseq_failure, \"ax\"\n"				\
	".byte 0x0f, 0xb9, 0x3d\n"					\
	".long 0x53053053\n"						\
	"4:\n\t"							\
	"jmp 3b\n"							\
	".popsection\n"

/*
 * *p = a block of this CPU's current group, its slack noted and its canary written. False: none, or
 * above the limit. When free is empty all of local_free becomes free, by one store of both; but not
 * what is in remote_free, too, because it was freed twice.
 */
static inline bool percpu_alloc(struct heap *heap, size_t class, size_t n, void **p)
{
	uint64_t seen, t, slack, q;

	__asm__ volatile goto(
		PERCPU_BEGIN
		PERCPU_LIMIT
		"movq %c[shards](%[heap], %[t], 8), %[t]\n\t"
		"movq (%[t], %[class], 8), %[t]\n\t"
		"movq %c[free](%[t]), %[seen]\n\t"
		"testq %[seen], %[seen]\n\t"
		"jnz 5f\n\t"
		"movq %c[local_free](%[t]), %[seen]\n\t"
		"movq %c[remote_free](%[t]), %[p]\n\t"
		"andq %[seen], %[p]\n\t"
		"xorq %[p], %[seen]\n\t"
		"jz %l[none]\n\t"
		"movq %[seen], %%xmm0\n\t"
		"movq %[p], %%xmm1\n\t"
		"punpcklqdq %%xmm1, %%xmm0\n\t"
		"movdqa %%xmm0, %c[free](%[t])\n"
		"5:\n\t"
		"rep bsfq %[seen], %[p]\n\t"
		"movq %c[slacks](%[t]), %[q]\n\t"
		"movq %c[size](%[t]), %[slack]\n\t"
		"btrq %[p], %[seen]\n\t"
		"leaq (%[q], %[p], 2), %[q]\n\t"
		"imulq %[slack], %[p]\n\t"
		"addq %c[base](%[t]), %[p]\n\t"
		"subq %[n], %[slack]\n\t"
		"movw %w[slack], (%[q])\n\t"
		"jz 6f\n\t"
		/* q = bytes of the program among the 16 that are written: max(16, slack) - slack */
		"movl $16, %k[q]\n\t"
		"cmpq %[q], %[slack]\n\t"
		"cmovaq %[slack], %[q]\n\t"
		"subq %[slack], %[q]\n\t"
		"movq %[p], %[slack]\n\t"
		"subq %[q], %[slack]\n\t"
		"movdqa %c[canary](%[heap]), %%xmm0\n\t"
		"movdqu %%xmm0, (%[slack], %[n])\n"
		"6:\n\t"
		"movq %[seen], %c[free](%[t])\n"
		PERCPU_END
		: [p] "=&a" (*(uintptr_t *)p), [seen] "=&r" (seen), [t] "=&r" (t),
		  [slack] "=&r" (slack), [q] "=&r" (q)
		: [area] "r" (percpu_area), [heap] "r" (heap), [class] "r" (class), [n] "r" (n),
		  [limit] "i" (offsetof(struct heap, percpu_limit)),
		  [canary] "i" (offsetof(struct heap, canary)),
		  [shards] "i" (offsetof(struct heap, shards)),
		  [free] "i" (offsetof(struct group, free)),
		  [local_free] "i" (offsetof(struct group, local_free)),
		  [remote_free] "i" (offsetof(struct group, remote_free)),
		  [base] "i" (offsetof(struct group, base)),
		  [slacks] "i" (offsetof(struct group, slack)),
		  [size] "i" (offsetof(struct group, size))
		: "memory", "cc", "xmm0", "xmm1"
		: none);
	return true;
none:
	return false;
}

/*
 * Frees block i of a slab of this CPU. False: it is free already, the slab another CPU's, or above
 * the limit.
 */
static inline bool percpu_free(struct heap *heap, struct slab *slab, struct group *group, size_t i)
{
	uint64_t freed, t;

	__asm__ volatile goto(
		PERCPU_BEGIN
		PERCPU_LIMIT
		"cmpl %c[local](%[slab]), %k[t]\n\t"
		"jne %l[none]\n\t"
		"movq %c[local_free](%[group]), %[freed]\n\t"
		"movq %c[free](%[group]), %[t]\n\t"
		"orq %c[remote_free](%[group]), %[t]\n\t"
		"orq %[freed], %[t]\n\t"
		"btq %[i], %[t]\n\t"
		"jc %l[none]\n\t"
		"btsq %[i], %[freed]\n\t"
		"movq %[freed], %c[local_free](%[group])\n"
		PERCPU_END
		: [freed] "=&r" (freed), [t] "=&r" (t)
		: [area] "r" (percpu_area), [heap] "r" (heap), [slab] "r" (slab),
		  [group] "r" (group), [i] "r" (i),
		  [limit] "i" (offsetof(struct heap, percpu_limit)),
		  [local] "i" (offsetof(struct slab, local)),
		  [free] "i" (offsetof(struct group, free)),
		  [local_free] "i" (offsetof(struct group, local_free)),
		  [remote_free] "i" (offsetof(struct group, remote_free))
		: "memory", "cc"
		: none);
	return true;
none:
	return false;
}

/* The same from any CPU: the commit is an atomic operation on remote_free. */
static inline bool percpu_free_remote(struct heap *heap, struct group *group, size_t i)
{
	uint64_t old, t;

	__asm__ volatile goto(
		PERCPU_BEGIN
		PERCPU_LIMIT
		"movq %c[remote_free](%[group]), %[old]\n\t"
		"movq %c[local_free](%[group]), %[t]\n\t"
		"orq %c[free](%[group]), %[t]\n\t"
		"orq %[old], %[t]\n\t"
		"btq %[i], %[t]\n\t"
		"jc %l[none]\n\t"
		"movq %[old], %[t]\n\t"
		"btsq %[i], %[t]\n\t"
		"lock cmpxchgq %[t], %c[remote_free](%[group])\n"
		PERCPU_END
		"jnz 3b\n\t"
		: [old] "=&a" (old), [t] "=&r" (t)
		: [area] "r" (percpu_area), [heap] "r" (heap), [group] "r" (group), [i] "r" (i),
		  [limit] "i" (offsetof(struct heap, percpu_limit)),
		  [free] "i" (offsetof(struct group, free)),
		  [local_free] "i" (offsetof(struct group, local_free)),
		  [remote_free] "i" (offsetof(struct group, remote_free))
		: "memory", "cc"
		: none);
	return true;
none:
	return false;
}

/* *word |= bits, if this is that CPU. */
static inline bool percpu_or(uint32_t cpu, _Atomic uint64_t *word, uint64_t bits)
{
	uint64_t t;

	__asm__ volatile goto(
		PERCPU_BEGIN
		PERCPU_CPU
		"cmpl %[cpu], %k[t]\n\t"
		"jne %l[none]\n\t"
		"orq %[bits], (%[word])\n"
		PERCPU_END
		: [t] "=&r" (t)
		: [area] "r" (percpu_area), [cpu] "r" (cpu), [word] "r" (word), [bits] "r" (bits)
		: "memory", "cc"
		: none);
	return true;
none:
	return false;
}

/* The CPU that this thread runs on, or did a moment ago. */
static inline uint32_t percpu_cpu(void)
{
	const char *area = (const char *)__builtin_thread_pointer() + percpu_area;

	return *(const volatile uint32_t *)(area + 4);
}
#else
static inline bool percpu_alloc(struct heap *heap, size_t class, size_t n, void **p)
{
	(void)heap;
	(void)class;
	(void)n;
	(void)p;
	return false;
}

static inline bool percpu_free(struct heap *heap, struct slab *slab, struct group *group, size_t i)
{
	(void)heap;
	(void)slab;
	(void)group;
	(void)i;
	return false;
}

static inline bool percpu_free_remote(struct heap *heap, struct group *group, size_t i)
{
	(void)heap;
	(void)group;
	(void)i;
	return false;
}

static inline bool percpu_or(uint32_t cpu, _Atomic uint64_t *word, uint64_t bits)
{
	(void)cpu;
	(void)word;
	(void)bits;
	return false;
}

static inline uint32_t percpu_cpu(void)
{
	return 0;
}
#endif

/* True if heaps of this process can be per-CPU. Finds the area: before any of the above. */
bool percpu_possible(struct process *process);
/*
 * On return every sequence that ran on any CPU has committed or will start again. False: the kernel
 * refuses membarrier, now, and percpu_possible() is over.
 */
bool percpu_fence(void);
/* The same without membarrier: slow, for the last time. A line and abort if that is refused too. */
void percpu_last_fence(void);

#endif
