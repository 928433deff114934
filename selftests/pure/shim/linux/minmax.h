/* SPDX-License-Identifier: GPL-2.0 OR MIT */
#ifndef SHIM_MINMAX_H
#define SHIM_MINMAX_H

#define min(x, y) ({				\
	__typeof__(x) x_ = (x);			\
	__typeof__(y) y_ = (y);			\
	(void)(&x_ == &y_);			\
	x_ < y_ ? x_ : y_;			\
})

#endif
