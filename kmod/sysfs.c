// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/class/misc/privheap/: the system ledger, one figure a file.
 *
 *	limit       bytes that may be committed; 0 = no limit
 *	committed   bytes committed
 *	peak        most bytes ever committed at once
 *	denied      how often this limit refused
 *	heaps       heaps alive
 *
 * The two sums in bytes are exact for CAP_SYS_RESOURCE only, as the reader has it when it reads.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "quota.h"
#include "sysfs.h"

static ssize_t limit_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%lu\n", privheap_ledger_limit(privheap_quota_system()));
}
static DEVICE_ATTR_RO(limit);

static ssize_t emit(char *buf, const atomic_long_t *counter)
{
	return sysfs_emit(buf, "%ld\n", atomic_long_read(counter));
}

static ssize_t committed_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	unsigned long used, peak;

	privheap_quota_totals(&used, &peak);
	return sysfs_emit(buf, "%lu\n", used);
}
static DEVICE_ATTR_RO(committed);

static ssize_t peak_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	unsigned long used, peak;

	privheap_quota_totals(&used, &peak);
	return sysfs_emit(buf, "%lu\n", peak);
}
static DEVICE_ATTR_RO(peak);

static ssize_t denied_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return emit(buf, &privheap_quota_system()->denied);
}
static DEVICE_ATTR_RO(denied);

static ssize_t heaps_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return emit(buf, &privheap_quota_system()->heaps);
}
static DEVICE_ATTR_RO(heaps);

static struct attribute *privheap_sysfs_attrs[] = {
	&dev_attr_limit.attr,
	&dev_attr_committed.attr,
	&dev_attr_peak.attr,
	&dev_attr_denied.attr,
	&dev_attr_heaps.attr,
	NULL,
};

static const struct attribute_group privheap_sysfs_group = {
	.attrs = privheap_sysfs_attrs,
};

const struct attribute_group *privheap_sysfs_groups[] = { &privheap_sysfs_group, NULL };
