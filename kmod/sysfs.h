/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_SYSFS_H
#define PRIVHEAP_SYSFS_H

struct attribute_group;

extern const struct attribute_group *privheap_sysfs_groups[];

#endif
