/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_DEBUGFS_H
#define PRIVHEAP_DEBUGFS_H

void privheap_debugfs_init(void);
void privheap_debugfs_exit(void);

#endif
