/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#define round_up(x, y)	((((x) - 1) | ((__typeof__(x))((y) - 1))) + 1)
