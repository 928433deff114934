/* SPDX-License-Identifier: GPL-2.0 */
#ifndef PRIVHEAP_DUMP_H
#define PRIVHEAP_DUMP_H

void privheap_dump_install(void);

#endif
