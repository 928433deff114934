// SPDX-License-Identifier: GPL-2.0
/*
 * Core dumps: of a heap what is committed, and no more.
 *
 *	base            base + committed                               base + maximum
 *	 |=====================|. . . . . . . . . . . . . . . . . . . . . . . .|
 *	 in the dump            not: no byte in a file, none through a pipe
 *
 * The kernel decides VMA by VMA what goes into a dump, and a heap's VMA is its reservation: 16 GiB
 * of zeroes for a hundred bytes. But between what it decided and the writing it calls the
 * ->core_dump of the process's binary format. So a process that makes a heap gets a format of
 * ours, which does what the one before does, once the sizes are cut to the commit:
 *
 *	do_coredump() -> dump_vma_snapshot() -> core_dump() here -> elf_core_dump()
 *
 * The format belongs to the mm: fork copies it, exec makes a new one. It is not taken back from an
 * mm that lives, as a dump or a fork that had just read it would go on with what is gone; each such
 * mm holds the module instead.
 */
#include <linux/binfmts.h>
#include <linux/coredump.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>

#include "dump.h"
#include "file.h"

#ifdef CONFIG_COREDUMP

/* Our format in place of another one, which is built in. */
struct format {
	struct linux_binfmt ours;
	struct linux_binfmt *theirs;
};

static struct format formats[4];	/* 64-bit and 32-bit ELF; elsewhere FDPIC, flat */
static DEFINE_MUTEX(formats_lock);

/*
 * Bytes of a heap's VMA for the dump: those of them that are committed. The VMA itself, and the
 * heap with it, may be gone by now, but the file is held. A VMA that another mm got by MADV_DOFORK
 * shows nothing; it alone has VM_WIPEONFORK (vma.c), which madvise(2) gives to private memory only.
 */
static unsigned long bytes_to_dump(const struct core_vma_metadata *vma)
{
	unsigned long from = vma->pgoff << PAGE_SHIFT;
	unsigned long committed = i_size_read(file_inode(vma->file));

	if (committed <= from || (vma->flags & VM_WIPEONFORK))
		return 0;
	return min(vma->dump_size, committed - from);
}

static int core_dump(struct coredump_params *cprm)
{
	struct format *format = container_of(current->mm->binfmt, struct format, ours);
	int i;

	for (i = 0; i < cprm->vma_count; i++) {
		struct core_vma_metadata *vma = &cprm->vma_meta[i];
		unsigned long bytes = vma->dump_size;

		if (!vma->file || !privheap_file_is_heap(vma->file))
			continue;
		vma->dump_size = bytes_to_dump(vma);
		cprm->vma_data_size -= bytes - vma->dump_size;
	}
	return format->theirs->core_dump(cprm);
}

/* The format that replaces another, made if there is none yet; NULL if no more can be had. */
static struct format *format_for(struct linux_binfmt *theirs)
{
	struct format *format;

	for (format = formats; format < formats + ARRAY_SIZE(formats); format++) {
		if (format->theirs == theirs)
			return format;
		if (format->theirs)
			continue;
		format->theirs = theirs;
		format->ours.module = THIS_MODULE;
		format->ours.core_dump = core_dump;
		format->ours.min_coredump = theirs->min_coredump;
		return format;
	}
	return NULL;
}

/**
 * privheap_dump_install() - make core dumps of the calling process leave out what is not committed
 *
 * Of its children's, too; until they call exec. Where the format comes from a module, which would
 * have to be held, dumps stay as they are.
 *
 * Context: process, may sleep; while a descriptor of the device is in use, which holds the module.
 */
void privheap_dump_install(void)
{
	struct linux_binfmt *theirs = READ_ONCE(current->mm->binfmt);
	struct format *format;

	if (!theirs || !theirs->core_dump || theirs->core_dump == core_dump || theirs->module)
		return;
	mutex_lock(&formats_lock);
	format = format_for(theirs);
	smp_wmb();	/* a dump that finds it in the mm finds it filled in */
	if (format && current->mm->binfmt == theirs)
		set_binfmt(&format->ours);
	mutex_unlock(&formats_lock);
}

#else

void privheap_dump_install(void)
{
}

#endif
