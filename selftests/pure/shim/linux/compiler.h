/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#define READ_ONCE(x)	(*(const volatile __typeof__(x) *)&(x))
