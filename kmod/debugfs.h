/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_DEBUGFS_H
#define PRIVHEAP_DEBUGFS_H

#include <linux/kconfig.h>

#if IS_ENABLED(CONFIG_PRIVHEAP_DEBUGFS)
void privheap_debugfs_init(void);
void privheap_debugfs_exit(void);
#else
static inline void privheap_debugfs_init(void)
{
}

static inline void privheap_debugfs_exit(void)
{
}
#endif

#endif
