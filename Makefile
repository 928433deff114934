# SPDX-License-Identifier: GPL-2.0 OR MIT
#
# privheap: private heaps for Linux processes. `make help` lists what can be made.
#
# The work is done in the rooms: kmod/ by the kernel's build, lib/ and selftests/ by their own
# Makefiles. Everything made lies below build/.

# The library can be made where the tree's path has spaces; the rest cannot.
B := $(CURDIR)/build
SPACE := $(filter-out 1,$(words $(CURDIR)))

# The kernel that the module is built for: the running one, or KDIR, or with KERNEL=6.1 or 6.12
# Debian's stock kernel of that series, which is fetched, or with KERNEL=7.3 or debug one that is
# built from Debian's source.
KDIR ?= /lib/modules/$(shell uname -r)/build
ifdef KERNEL
override KDIR := $(B)/cache/kernels/$(KERNEL)/kdir
endif
# Known only after a fetched kernel is there: expanded when a recipe runs.
RELEASE = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(KDIR)/include/generated/utsrelease.h)
TREE = $(B)/kmod/$(RELEASE)

PREFIX ?= /usr/local
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
MANDIR ?= $(PREFIX)/share/man

INSTALL_DATA := install -D -m 644 -t

MAKEFLAGS += --no-print-directory

.PHONY: all module lib examples man install demo test conformance kunit lint vmtest shell load fuzz
.PHONY: coverage tsan bench bench-kernel clean help kernel
.PHONY: packages-demo packages-test packages-conformance packages-bench

##all		the library, and the module for the running kernel
all: lib module

##module	the module; for another kernel KDIR=... or KERNEL=6.1 or KERNEL=6.12
module: $(if $(KERNEL),kernel)
	$(if $(SPACE),@echo "the module cannot be made in $(CURDIR): a path with spaces"; exit 1)
	@test -e $(KDIR)/include/generated/utsrelease.h || { \
		echo "no module: no kernel headers in $(KDIR): install linux-headers-$$(uname -r), or" \
			"set KDIR, or KERNEL=6.1 or 6.12; make lib makes the library alone"; exit 1; }
	@mkdir -p $(TREE)/kmod $(TREE)/uapi
	@find $(TREE) -xtype l -delete
	@ln -sf $(CURDIR)/Kbuild $(TREE)
	@ln -sf $(CURDIR)/kmod/Kbuild $(CURDIR)/kmod/*.[ch] $(TREE)/kmod
	@ln -sf $(CURDIR)/uapi/*.h $(TREE)/uapi
	$(MAKE) -C $(KDIR) M=$(TREE) modules

kernel: packages-demo
	@selftests/vm/kernel $(KERNEL) $(B)/cache/kernels

packages-demo packages-test packages-conformance packages-bench: packages-%:
	@selftests/vm/packages $*

##lib		the library, shared and static, and the malloc for LD_PRELOAD
lib:
	@$(MAKE) -C lib O=../build/lib

examples: lib
	@$(MAKE) -C lib/examples O=../../build/examples

##man		the manual pages, with scdoc
man:
	@$(MAKE) -C lib/man O=../../build/man

##install	library, headers, manual pages (with scdoc); knows DESTDIR, PREFIX, INCLUDEDIR, LIBDIR, MANDIR
install: lib
	$(INSTALL_DATA) $(DESTDIR)$(INCLUDEDIR) lib/include/*.h lib/include/*.hpp
	$(INSTALL_DATA) $(DESTDIR)$(INCLUDEDIR)/linux uapi/privheap.h
	$(INSTALL_DATA) $(DESTDIR)$(LIBDIR) build/lib/libprivheap.so.0 build/lib/libprivheap.a \
		build/lib/libprivheap-malloc.so
	ln -sf libprivheap.so.0 $(DESTDIR)$(LIBDIR)/libprivheap.so
	@if command -v scdoc >/dev/null; then \
		$(MAKE) -C lib/man install O=../../build/man DESTDIR=$(DESTDIR) MANDIR=$(MANDIR); \
	else \
		echo "install: without scdoc there are no manual pages"; \
	fi
	@[ -n "$(DESTDIR)" ] || ldconfig || echo "install: ldconfig has to be run"

##demo		boots Debian's 6.1 with the module and plays the scenes of lib/examples
demo:
	@selftests/demo/guest run 6.1

##test		everything: judge, lint, KUnit, library natively, sanitised, against Wine, three guests
test: packages-test packages-conformance
	@$(MAKE) -C selftests test

##conformance	the Win32 API, check by check, natively and under Wine; what differs is explained
conformance: packages-conformance packages-test
	@$(MAKE) -C selftests $@

##kunit		the module's arithmetic under User Mode Linux; builds that once, in three minutes
##lint		sparse, checkpatch, kernel-doc, W=1, shellcheck, the manual pages
kunit lint: packages-test
	@$(MAKE) -C selftests $@

##vmtest	one guest's tests; KERNEL=6.1 or 6.12 or 7.3, or LANE=debug; knows ROUNDS, SEED, CROWD_SECONDS
vmtest: packages-test
	@$(MAKE) -C selftests vm-$(or $(LANE),$(KERNEL),6.1)

##shell		a prompt in the guest, module loaded, examples in PATH; KERNEL=6.1 or 6.12
shell:
	@selftests/demo/guest shell $(or $(KERNEL),6.1)

##load		plays the scenes on this machine; loads the module into its kernel (as root)
load: all examples
	@selftests/demo/load $(TREE)/kmod/privheap.ko

##fuzz		the heap against its model, with libFuzzer; knows FUZZ_SECONDS
fuzz: packages-test
	@$(MAKE) -C selftests fuzz

##coverage	which lines of the library the tests run, natively and in a guest; on request only
##tsan		the library's threads under ThreadSanitizer; on request only
coverage tsan: packages-test
	@$(MAKE) -C selftests $@

##bench		the allocator beside its peers, in two minutes; into build/bench; knows ROUNDS
bench: packages-bench
	@$(MAKE) -C selftests bench

##bench-kernel	what a page costs, and a block on both backends, in guest instructions; KERNEL=6.1 or 6.12
bench-kernel: packages-demo
	@$(MAKE) -C selftests bench-$(or $(KERNEL),6.1)

##clean		removes build/, with what was fetched
clean:
	rm -rf build

##help		this list
help:
	@sed -n 's/^##//p' Makefile
