/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The bytes after a block's requested size: up to 16 of a pattern only this process knows.
 *
 *   p            p + n                    p + size
 *   |== program ==|CANARY CANARY C|..........|	slack >= 16
 *   |== program ==========|CANARY|			slack < 16: the pattern's end
 *
 * Both are 16 bytes at p + n + min(slack, 16) - 16, masked where they are the program's.
 */
#ifndef PRIVHEAP_CANARY_H
#define PRIVHEAP_CANARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where canaries are, AddressSanitizer may have been told that there is no access (annotate.h). */
#define CANARY_ACCESS	__attribute__((no_sanitize("address")))

/* From offset k on: 16 - k bytes of zeros, then k of ones. */
static const uint8_t canary_masks[32] = {
	[16] = 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
};

/* Where the 16 bytes are; *mask = which of them are the canary's. */
static inline char *canary_at(const void *p, size_t size, size_t slack, uint64_t mask[2])
{
	size_t length = slack < 16 ? slack : 16;

	__builtin_memcpy(mask, canary_masks + length, 16);
	return (char *)p + size - slack + length - 16;
}

/* On a block whose contents are undefined yet: the program's bytes may be overwritten. */
CANARY_ACCESS
static inline void canary_put_new(void *p, size_t size, size_t slack, const uint64_t pattern[2])
{
	size_t length = slack < 16 ? slack : 16;

	memcpy((char *)p + size - slack + length - 16, pattern, 16);
}

CANARY_ACCESS
static inline void canary_put(void *p, size_t size, size_t slack, const uint64_t pattern[2])
{
	uint64_t word[2], mask[2];
	char *at = canary_at(p, size, slack, mask);

	memcpy(word, at, 16);
	word[0] = (word[0] & ~mask[0]) | (pattern[0] & mask[0]);
	word[1] = (word[1] & ~mask[1]) | (pattern[1] & mask[1]);
	memcpy(at, word, 16);
}

/*
 * Reads bytes of the program that another thread may be writing, and drops them: not a race that
 * matters.
 */
__attribute__((no_sanitize("thread", "address")))
static inline bool canary_intact(const void *p, size_t size, size_t slack,
				 const uint64_t pattern[2])
{
	uint64_t word[2], mask[2];
	const char *at = canary_at(p, size, slack, mask);

	__builtin_memcpy(word, at, 16);
	return (((word[0] ^ pattern[0]) & mask[0]) | ((word[1] ^ pattern[1]) & mask[1])) == 0;
}

#ifdef __SSE2__
#include <emmintrin.h>

/* The same in fewer instructions, for a slack that is not 0. */
static inline bool canary_intact_fast(const void *p, size_t size, size_t slack,
				      const uint64_t pattern[2])
{
	size_t reach = slack > 16 ? slack : 16;
	__m128i seen = _mm_loadu_si128((const __m128i *)((const char *)p + size - reach));
	__m128i same = _mm_cmpeq_epi8(seen, _mm_load_si128((const __m128i *)pattern));
	unsigned int differ = (unsigned int)_mm_movemask_epi8(same) ^ 0xffff;

	/* The first reach - slack bytes are the program's. */
	return differ >> (reach - slack) == 0;
}
#endif

#endif
