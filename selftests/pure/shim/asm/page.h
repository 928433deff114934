/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#define PAGE_SIZE	4096UL
