/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The sizes that blocks of slabs come in.
 *
 *   16 32 48 … 128 | 144 … 256 | 288 … 512 | 576 … 1024 | 1280 … 2048 | … | 28672 32768
 *     steps of 16        8 sizes per doubling            |     4 sizes per doubling
 *
 * At most 1/9 of a block is lost to rounding up to 1 KiB, at most 1/5 above.
 */
#ifndef PRIVHEAP_CLASSES_H
#define PRIVHEAP_CLASSES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define CLASSES_8(x, base, step) \
	x((base) + (step)) x((base) + 2 * (step)) x((base) + 3 * (step)) x((base) + 4 * (step)) \
	x((base) + 5 * (step)) x((base) + 6 * (step)) x((base) + 7 * (step)) x((base) + 8 * (step))
#define CLASSES_4(x, base) \
	x((base) * 5 / 4) x((base) * 6 / 4) x((base) * 7 / 4) x((base) * 2)

#define CLASSES_ALL(x) \
	CLASSES_8(x, 0, 16) CLASSES_8(x, 128, 16) CLASSES_8(x, 256, 32) CLASSES_8(x, 512, 64) \
	CLASSES_4(x, 1024) CLASSES_4(x, 2048) CLASSES_4(x, 4096) CLASSES_4(x, 8192) \
	CLASSES_4(x, 16384)

#define CLASS_SIZE(size) (size),
static const uint32_t class_sizes[] = { CLASSES_ALL(CLASS_SIZE) };

/*
 * offset / size == offset * reciprocal >> 32 for every offset in a slab: the reciprocal is too
 * large by less than 1, so the product by less than offset < 2^16, and 2^16 * size < 2^32.
 */
#define CLASS_RECIPROCAL(size) ((uint32_t)(((1ULL << 32) + (size) - 1) / (size))),
static const uint32_t class_reciprocals[] = { CLASSES_ALL(CLASS_RECIPROCAL) };

#define CLASSES		(sizeof(class_sizes) / sizeof(class_sizes[0]))
#define CLASS_MAX	((size_t)32768)

static_assert(CLASSES == 52, "four times 8, five times 4");
static_assert(CLASSES <= UINT8_MAX, "slabs keep their class in a byte");

/* The class of n, in bits: which doubling, and where in it. Pre: 0 < n <= CLASS_MAX. */
#define CLASS_TOP(n)		(31 - __builtin_clz((n) - 1))
#define CLASS_OF_SMALL(n) \
	((n) <= 128 ? ((n) - 1) / 16 : \
	 8 + (CLASS_TOP(n) - 7) * 8 + (((n) - 1) >> (CLASS_TOP(n) - 3) & 7))

/* By sixteenths up to 1 KiB: sizes that come at random would be mispredicted branches. */
#define CLASS_SMALL		1024
#define CLASS_ENTRY(k)		(uint8_t)(CLASS_OF_SMALL((k) * 16U))
#define CLASS_ENTRIES_8(k) \
	CLASS_ENTRY(k), CLASS_ENTRY((k) + 1), CLASS_ENTRY((k) + 2), CLASS_ENTRY((k) + 3), \
	CLASS_ENTRY((k) + 4), CLASS_ENTRY((k) + 5), CLASS_ENTRY((k) + 6), CLASS_ENTRY((k) + 7)

static const uint8_t class_table[] = {
	0, CLASS_ENTRIES_8(1), CLASS_ENTRIES_8(9), CLASS_ENTRIES_8(17), CLASS_ENTRIES_8(25),
	CLASS_ENTRIES_8(33), CLASS_ENTRIES_8(41), CLASS_ENTRIES_8(49), CLASS_ENTRIES_8(57),
};

static_assert(sizeof(class_table) == CLASS_SMALL / 16 + 1, "one entry per sixteenth");

/* The smallest class that holds n bytes. Pre: n <= CLASS_MAX. */
static inline unsigned int class_of(size_t n)
{
	unsigned int last = (unsigned int)n - 1, top;

	if (n <= CLASS_SMALL)
		return class_table[(n + 15) / 16];
	top = 31 - (unsigned int)__builtin_clz(last);
	return 32 + (top - 10) * 4 + ((last >> (top - 2)) & 3);
}

#endif
