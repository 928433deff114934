// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * HOSTILE.md C, the rest: arguments from other ABIs, arguments that change or stall during the
 * call, what the answers must not contain, and how the device may be opened. By number.
 */
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "device.h"

/* ioctl by the 32-bit entry, as a 32-bit program would; the argument lies below 4 GiB. */
static int call_compat(int dev, unsigned int cmd, void *arg)
{
	int ret;

	asm volatile("int $0x80" : "=a"(ret)
		     : "a"(54), "b"(dev), "c"(cmd), "d"((unsigned int)(uintptr_t)arg)
		     : "memory", "r8", "r9", "r10", "r11");
	return -ret;
}

#define X32_IOCTL	(0x40000000 + 514)

TEST_F(heap, C4_calls_of_a_32_bit_program)
{
	struct privheap_create *create = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct privheap_stat *stat = (void *)(create + 1);
	struct privheap_destroy *destroy = (void *)(stat + 1);

	ASSERT_NE(MAP_FAILED, create);
	*create = (struct privheap_create) { .initial = 64 * KIB, .maximum = MIB, .name = "32" };
	ASSERT_EQ(0, call_compat(self->dev, PRIVHEAP_CREATE, create));
	EXPECT_EQ(0, touch(create->base + MIB - 1));
	stat->heap = create->heap;
	EXPECT_EQ(0, call_compat(self->dev, PRIVHEAP_STAT, stat));
	EXPECT_EQ(MIB, stat->maximum);
	EXPECT_STREQ("32", stat->name);
	EXPECT_EQ(ENOTTY, call_compat(self->dev, PRIVHEAP_STAT + 32, stat));
	destroy->heap = create->heap;
	EXPECT_EQ(0, call_compat(self->dev, PRIVHEAP_DESTROY, destroy));
	EXPECT_EQ(ENOENT, call_compat(self->dev, PRIVHEAP_DESTROY, destroy));
}

TEST_F(heap, C4_calls_of_an_x32_program)
{
	struct privheap_stat stat = { .heap = self->heap.heap };
	long ret = syscall(X32_IOCTL, self->dev, PRIVHEAP_STAT, &stat);

	/* Debian has x32 off unless asked for at boot. */
	EXPECT_EQ(ret ? 0 : 16 * MIB, stat.maximum);
	EXPECT_TRUE(!ret || errno == ENOSYS);
}

/* Does the text hold 0xffff8880..., ffffffff81...: sixteen digits that begin so? */
static bool holds_kernel_address(const char *text)
{
	for (const char *p = text; (p = strstr(p, "ffff")); p++)
		if (strspn(p, "0123456789abcdef") >= 16)
			return true;
	return false;
}

TEST_F(heap, C8_no_kernel_address_in_any_text)
{
	char fdinfo[64];
	const char *paths[] = {
		fdinfo, "/proc/self/maps", "/proc/self/smaps",
		"/sys/class/misc/privheap/limit", "/sys/class/misc/privheap/committed",
		"/sys/class/misc/privheap/uevent", "/sys/kernel/debug/privheap/heaps",
	};
	static char text[256 * 1024];

	snprintf(fdinfo, sizeof(fdinfo), "/proc/self/fdinfo/%d", self->dev);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		/* vsyscall is where it is in every process of every kernel. */
		FILE *file = fopen(paths[i], "r");
		size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
		char *vsyscall;

		if (file)
			fclose(file);
		text[n] = 0;
		while ((vsyscall = strstr(text, "ffffffffff60")))
			memset(vsyscall, ' ', 12);
		EXPECT_FALSE(holds_kernel_address(text)) TH_LOG("%s", paths[i]);
	}
}

TEST_F(heap, C8_no_kernel_address_in_any_result)
{
	struct privheap_stat stat = heap_stat(self->dev, self->heap.heap);
	struct privheap_quota own = quota(self->dev, PRIVHEAP_QUOTA_PROCESS);
	const uint64_t results[] = {
		self->heap.heap, self->heap.base, self->heap.committed, stat.base, stat.maximum,
		stat.committed, stat.resident, own.limit, own.used, own.peak, own.denied,
	};

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		EXPECT_EQ(0, results[i] >> 47);
	}
}

struct flipper {
	volatile bool stop;
	volatile struct privheap_create *arg;
};

static void *flip(void *arg)
{
	struct flipper *flipper = arg;

	while (!flipper->stop) {
		flipper->arg->maximum ^= 1ULL << 63;
		flipper->arg->flags ^= 0x80;
		flipper->arg->initial ^= 1ULL << 40;
	}
	return NULL;
}

TEST_F_TIMEOUT(heap, C10_the_argument_changes_during_the_call, 300)
{
	struct privheap_create arg = { .maximum = 64 * KIB };
	struct flipper flipper = { .arg = &arg };
	unsigned long made = 0, refused = 0;
	pthread_t thread;

	ASSERT_EQ(0, pthread_create(&thread, NULL, flip, &flipper));
	for (int i = 0; i < 100000; i++) {
		int err = call(self->dev, PRIVHEAP_CREATE, &arg);

		/* Either it was good when it was read, or it was not. */
		ASSERT_TRUE(!err || err == EINVAL || err == EDQUOT)
			TH_LOG("errno %d", err);
		refused += !!err;
		if (!err) {
			made++;
			ASSERT_EQ(0, heap_destroy(self->dev, arg.heap));
		}
	}
	flipper.stop = true;
	pthread_join(thread, NULL);
	EXPECT_LT(0, refused);
	EXPECT_EQ(100000, made + refused);
	EXPECT_EQ(1, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).heaps);
	EXPECT_EQ(64 * KIB, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
}

struct stalled {
	int dev, error;
	struct privheap_create *arg;
	volatile bool done;
};

static void *create_stalled(void *arg)
{
	struct stalled *stalled = arg;

	stalled->error = call(stalled->dev, PRIVHEAP_CREATE, stalled->arg);
	stalled->done = true;
	return NULL;
}

/* A page whose first touch waits until it is filled by way of the descriptor. */
static int stalling_page(struct privheap_create **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | (geteuid() ? UFFD_USER_MODE_ONLY : 0));

	*page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (uintptr_t)*page;
	reg.range.len = PAGE;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg))
		return -1;
	return fd;
}

TEST_F(heap, C11_nothing_waits_for_a_stalled_argument)
{
	struct stalled stalled = { .dev = self->dev };
	static char filling[PAGE] __attribute__((aligned(4096)));
	struct privheap_create *arg = (void *)filling, heap;
	struct uffdio_copy copy = { .src = (uintptr_t)filling, .len = PAGE };
	int fd = stalling_page(&stalled.arg);
	pthread_t thread;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, create_stalled, &stalled));
	usleep(100000);
	/* Without privilege a page does not stall the kernel: the call fails instead. */
	EXPECT_EQ(geteuid() != 0, stalled.done);
	EXPECT_EQ(0, heap_create(self->dev, MIB, MIB, 0, &heap));
	EXPECT_EQ(0, touch(self->heap.base + MIB));
	EXPECT_EQ(0, heap_commit(self->dev, heap.heap, MIB, PRIVHEAP_COMMIT_POPULATE));
	EXPECT_EQ(0, heap_destroy(self->dev, heap.heap));
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, quota(self->dev, PRIVHEAP_QUOTA_PROCESS).used);
	if (!geteuid()) {
		EXPECT_FALSE(stalled.done);
		arg->maximum = MIB;
		copy.dst = (uintptr_t)stalled.arg;
		ASSERT_EQ(0, ioctl(fd, UFFDIO_COPY, &copy));
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(geteuid() ? EFAULT : 0, stalled.error);
}

TEST_F(heap, C14_open_modes)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK,
				     O_RDWR | O_APPEND, O_RDWR | O_TRUNC };
	struct privheap_create heap;

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		int dev = open("/dev/privheap", modes[i] | O_CLOEXEC);

		ASSERT_GE(dev, 0);
		EXPECT_EQ(0, heap_create(dev, 0, MIB, 0, &heap));
		EXPECT_EQ(0, heap_destroy(dev, heap.heap));
		close(dev);
	}
}

TEST_F(heap, C14_path_descriptor)
{
	int dev = open("/dev/privheap", O_PATH);
	struct privheap_create heap;

	ASSERT_GE(dev, 0);
	EXPECT_EQ(EBADF, heap_create(dev, 0, MIB, 0, &heap));
}

TEST_F(heap, C14_no_descriptor_to_be_had)
{
	struct rlimit none = { 0, 0 };

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-1, device_open());
	EXPECT_EQ(EMFILE, errno);
	/* What is open works on, and heaps need no descriptor of their own. */
	EXPECT_EQ(0, heap_destroy(self->dev, self->heap.heap));
	EXPECT_EQ(0, heap_create(self->dev, MIB, MIB, 0, &self->heap));
}

TEST_HARNESS_MAIN
