// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/privheap: from a system call to the function that does the work.
 *
 *	ioctl(fd, cmd, arg) -> right mm? -> table -> copy in -> call -> copy out -> finish
 *	                                                                   `-> or undo the call
 *
 * The structure's size is part of the command number: a longer one of the same number and
 * direction is taken if its tail is 0, so the interface can grow.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "context.h"
#include "device.h"
#include "heap.h"
#include "operations.h"
#include "quota.h"
#include "sysfs.h"

/* What user space gives begins each of them; what it does not see follows. */
union argument {
	struct privheap_create create;
	struct {
		struct privheap_commit commit;
		struct privheap_span added;
	};
	struct privheap_destroy destroy;
	struct privheap_stat stat;
	struct privheap_quota quota;
};

static int do_create(struct privheap_context *context, union argument *arg)
{
	return privheap_operations_create(context, &arg->create);
}

static void undo_create(struct privheap_context *context, union argument *arg)
{
	privheap_operations_destroy(context, arg->create.heap);
}

static int do_commit(struct privheap_context *context, union argument *arg)
{
	return privheap_operations_commit(context, &arg->commit, &arg->added);
}

static void undo_commit(struct privheap_context *context, union argument *arg)
{
	privheap_operations_uncommit(context, arg->commit.heap, &arg->added);
}

/* Only now: mapped pages could not be told from pages in use, and the call not be undone. */
static void finish_commit(struct privheap_context *context, union argument *arg)
{
	if (arg->commit.flags & PRIVHEAP_COMMIT_POPULATE)
		privheap_operations_map(context, arg->commit.heap, &arg->added);
}

static int do_destroy(struct privheap_context *context, union argument *arg)
{
	if (arg->destroy.flags || arg->destroy.reserved)
		return -EINVAL;
	return privheap_operations_destroy(context, arg->destroy.heap);
}

static int do_stat(struct privheap_context *context, union argument *arg)
{
	return privheap_heap_stat(context, &arg->stat);
}

static int do_quota_get(struct privheap_context *context, union argument *arg)
{
	return privheap_quota_read(&context->ledgers, &arg->quota);
}

static int do_quota_set(struct privheap_context *context, union argument *arg)
{
	return privheap_quota_write(&context->ledgers, &arg->quota);
}

/* undo: when the result could not be written; finish: when it was. */
static const struct command {
	unsigned int cmd;
	int (*call)(struct privheap_context *context, union argument *arg);
	void (*undo)(struct privheap_context *context, union argument *arg);
	void (*finish)(struct privheap_context *context, union argument *arg);
} commands[] = {
	[_IOC_NR(PRIVHEAP_CREATE)] = { PRIVHEAP_CREATE, do_create, undo_create },
	[_IOC_NR(PRIVHEAP_COMMIT)] = { PRIVHEAP_COMMIT, do_commit, undo_commit, finish_commit },
	[_IOC_NR(PRIVHEAP_DESTROY)] = { PRIVHEAP_DESTROY, do_destroy },
	[_IOC_NR(PRIVHEAP_STAT)] = { PRIVHEAP_STAT, do_stat },
	[_IOC_NR(PRIVHEAP_QUOTA_GET)] = { PRIVHEAP_QUOTA_GET, do_quota_get },
	[_IOC_NR(PRIVHEAP_QUOTA_SET)] = { PRIVHEAP_QUOTA_SET, do_quota_set },
};

/* The command of this number, type and direction, and at least its size. */
static const struct command *find_command(unsigned int cmd)
{
	const struct command *command;

	if (_IOC_NR(cmd) >= ARRAY_SIZE(commands))
		return NULL;
	command = &commands[_IOC_NR(cmd)];
	if (_IOC_TYPE(cmd) != _IOC_TYPE(command->cmd) || _IOC_DIR(cmd) != _IOC_DIR(command->cmd) ||
	    _IOC_SIZE(cmd) < _IOC_SIZE(command->cmd))
		return NULL;
	return command;
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long address)
{
	struct privheap_context *context = file->private_data;
	const struct command *command;
	void __user *user = (void __user *)address;
	union argument arg;
	size_t size;
	int err;

	if (current->mm != context->mm)
		return -EPERM;
	command = find_command(cmd);
	if (!command)
		return -ENOTTY;
	size = _IOC_SIZE(command->cmd);
	err = copy_struct_from_user(&arg, size, user, _IOC_SIZE(cmd));
	if (err)
		return err;
	/* Most results that cannot be written are found out before anything happened. */
	if ((_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, &arg, size))
		return -EFAULT;
	err = command->call(context, &arg);
	if (err)
		return err;
	if ((_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, &arg, size)) {
		if (command->undo)
			command->undo(context, &arg);
		return -EFAULT;
	}
	if (command->finish)
		command->finish(context, &arg);
	return 0;
}

static int device_open(struct inode *inode, struct file *file)
{
	struct privheap_context *context = privheap_context_new();

	if (IS_ERR(context))
		return PTR_ERR(context);
	file->private_data = context;
	return nonseekable_open(inode, file);
}

static int device_release(struct inode *inode, struct file *file)
{
	privheap_context_put(file->private_data);
	return 0;
}

/* The figures of the descriptor's process, and a line for each heap made through it. */
static void device_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct privheap_context *context = file->private_data;
	struct privheap_ledger *process = context->ledgers.level[0];
	struct privheap_stat heap = { };
	unsigned long used, peak;
	int owners;

	privheap_ledger_read(process, &used, &peak);
	seq_printf(m, "privheap-limit:\t%lu\n", privheap_ledger_lowest(process));
	seq_printf(m, "privheap-committed:\t%lu\n", used);
	seq_printf(m, "privheap-peak:\t%lu\n", peak);
	seq_printf(m, "privheap-denied:\t%lu\n", atomic_long_read(&process->denied));
	seq_printf(m, "privheap-heaps:\t%lu\n", atomic_long_read(&process->heaps));

	/* No lock is held. What does not fit is asked for once more with more room. */
	while (!seq_has_overflowed(m) && privheap_heap_next(context, &heap, &owners)) {
		seq_printf(m, "privheap-heap:\t%llu base 0x%llx maximum %llu committed %llu resident %llu name %s\n",
			   heap.heap, heap.base, heap.maximum, heap.committed, heap.resident,
			   heap.name);
		cond_resched();
	}
}

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.open = device_open,
	.release = device_release,
	.unlocked_ioctl = device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = device_show_fdinfo,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "privheap",
	.fops = &device_fops,
	.groups = privheap_sysfs_groups,
	.mode = 0666,	/* what a process may take is the quotas' business */
};

/**
 * privheap_device_init() - make the device appear
 *
 * Context: module load, last.
 * Return: 0 or a negative errno.
 */
int privheap_device_init(void)
{
	return misc_register(&device);
}

/**
 * privheap_device_exit() - undo privheap_device_init()
 *
 * Context: module unload, first.
 */
void privheap_device_exit(void)
{
	misc_deregister(&device);
}
