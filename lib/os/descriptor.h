/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * The library's one descriptor of /dev/privheap.
 *
 * A program may close it unawares (closefrom, close_range, dup2), and then the number is a file of
 * its own. So before each use, and before closing it, the descriptor is looked at: only what is
 * still the file that was opened here is used or closed. When it is gone, the next that needs one
 * opens the device again. That is another descriptor to the kernel: heaps made through the former
 * are unknown to it. Openings are numbered, to tell them apart.
 */
#ifndef PRIVHEAP_DESCRIPTOR_H
#define PRIVHEAP_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/* The descriptor, opened if need be, and the number of its opening; or a negative errno. */
int descriptor_open(uint32_t *opening);
/* What the last attempt to open it has failed with, a negative errno; 0: it has not. */
int descriptor_refused(void);
/* The descriptor of that opening; -1 if it is gone. */
int descriptor_of(uint32_t opening);
/* Is what has this number now still the descriptor? */
bool descriptor_is_ours(int fd);

#endif
