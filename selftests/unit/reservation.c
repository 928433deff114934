// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * What growable heaps and metadata reserve, for every size of RAM and every limit of addresses:
 * HOSTILE F12. The machine is simulated; what comes out is only arithmetic.
 */
#include "os/reservation.h"
#include "unit.h"

#define GIB(n)		((size_t)(n) << 30)
#define TIB(n)		((size_t)(n) << 40)
#define ADDRESSES	TIB(128)

static const size_t memories[] = {
	GIB(1) / 4, GIB(1), GIB(2) - MIB(77), GIB(16), GIB(17) + 4096, GIB(24), GIB(64), GIB(100),
	GIB(512), TIB(1), TIB(1) + GIB(500), TIB(3), TIB(6), TIB(6) + 1, TIB(24),
};

#define EACH_MEMORY(i)	size_t i = 0; i < sizeof(memories) / sizeof(memories[0]); i++

TEST(L9_first_heap_can_hold_all_there_is)
{
	for (EACH_MEMORY(i)) {
		struct room room = { .memory = memories[i], .left = ADDRESSES };
		size_t bytes = room_for_heap(&room), wanted = memories[i];

		if (wanted > TIB(8))
			wanted = TIB(8);
		EXPECT_LE(wanted, bytes);
		EXPECT_GE(wanted + MIB(64), bytes);
		EXPECT_EQ(0, bytes % KIB(64));
	}
}

TEST(L18_ten_thousand_heaps_leave_half_whatever_the_ram)
{
	for (EACH_MEMORY(i)) {
		struct room room = { .memory = memories[i], .left = ADDRESSES };
		size_t sum = room_for_metadata(&room), bytes = 0;

		for (room.heaps = 0; room.heaps < 16384; room.heaps++) {
			bytes = room_for_heap(&room);
			sum += bytes;
		}
		EXPECT_LE(sum, ADDRESSES / 2) TH_LOG("memory %zu: %zu", memories[i], sum);
		EXPECT_LE(MIB(64), bytes);
	}
}

/* Small heaps end, large ones stay: still the k-th oldest is no larger than the k-th made. */
TEST(L18_half_is_left_in_whatever_order_they_come_and_go)
{
	static size_t alive[12000];
	struct room room = { .memory = TIB(6), .left = ADDRESSES };
	uint64_t random = 42;
	size_t sum = 0;

	for (int round = 0; round < 200000; round++) {
		size_t at = unit_random(&random) % 12000;

		sum -= alive[at];
		room.heaps -= alive[at] != 0;
		alive[at] = 0;
		if (unit_random(&random) % 16) {
			alive[at] = room_for_heap(&room);
			sum += alive[at];
			room.heaps++;
		}
		ASSERT_LE(sum, ADDRESSES / 2);
	}
}

TEST(L9_under_a_limit_half_is_left_and_no_size_is_special)
{
	size_t before = 0;

	for (size_t left = MIB(32); left < GIB(40); left += MIB(13)) {
		struct room room = { .memory = GIB(24), .left = left };
		size_t metadata = room_for_metadata(&room), bytes;

		room.left -= metadata;
		bytes = room_for_heap(&room);
		ASSERT_LE(metadata + bytes, left / 2 + KIB(128)) TH_LOG("left %zu", left);
		/* As much as there may be; and more where more is left. */
		ASSERT_LE(left < GIB(24) ? left / 3 : GIB(8), bytes) TH_LOG("left %zu", left);
		ASSERT_LE(before, bytes) TH_LOG("left %zu", left);
		before = bytes;
	}
}

TEST(L9_under_a_limit_later_heaps_have_room_too)
{
	struct room room = { .memory = GIB(24), .left = MIB(2000) };

	room.left -= room_for_metadata(&room);
	for (; room.heaps < 12; room.heaps++) {
		size_t bytes = room_for_heap(&room);

		EXPECT_LE(MIB(40), bytes) TH_LOG("heap %zu: %zu", room.heaps, bytes);
		room.left -= bytes;
	}
}

/* What blocks of 16 bytes need, the worst case, must fit beside as many of them as there is memory for. */
TEST(L9_metadata_suffices_for_all_memory)
{
	for (EACH_MEMORY(i)) {
		struct room room = { .memory = memories[i], .left = ADDRESSES };

		EXPECT_LE(memories[i] / 16 * 3, room_for_metadata(&room));
	}
}

TEST(L9_smaller_ends)
{
	size_t bytes = TIB(8), steps = 0;

	for (; bytes >= ROOM_LEAST; bytes = room_smaller(bytes), steps++)
		ASSERT_GT(100, steps);
}

TEST_HARNESS_MAIN
