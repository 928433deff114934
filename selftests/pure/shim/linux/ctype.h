/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef SHIM_CTYPE_H
#define SHIM_CTYPE_H

/* The kernel's take a char; isprint knows Latin-1 there, so only isascii decides on the rest. */
#define isascii(c)	((unsigned char)(c) < 0x80)
#define isprint(c)	((unsigned char)(c) >= 0x20 && (unsigned char)(c) != 0x7f)

#endif
