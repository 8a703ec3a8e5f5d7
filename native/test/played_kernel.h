/*
 * played_kernel.h - a kernel for socket_test: the linker wraps the system calls of the library, and this answers
 * them as its knobs say.
 */
#ifndef PLAYED_KERNEL_H
#define PLAYED_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUEUE 4096

struct answer {
	uint8_t data[512];
	size_t len;
	uint32_t sender;
	bool truncated;
	int error; /* instead of data, recvmmsg() fails with it once */
};

struct kernel {
	struct answer queue[QUEUE];
	uint32_t head, tail;
	uint32_t sends, messages, acks_wanted, sockets;
	uint32_t family_error, info_error;
	int send_error;         /* the next send fails */
	bool mute;              /* no ACKs */
	bool eintr;             /* every second receive is interrupted */
	uint32_t fail_every;    /* operations whose port is a multiple of it fail with EEXIST */
	int inject;             /* this errno comes before the answers of the next send */
	uint32_t dump_records;  /* in each dump */
	uint32_t dump_cut;      /* after so many records of a dump, dump_error comes instead */
	int dump_error;
	uint32_t dump_truncate; /* that record's datagram is cut */
	uint32_t dump_fail_nth; /* which dump, counted from 1 */
	uint32_t dumps;
};

/* All zero: a kernel that does what it is asked to. */
extern struct kernel kernel;

/* A new answer at the end of the queue, for the next receive. */
struct answer *answer(void);
void put_header(struct answer *a, uint16_t type, uint16_t flags, uint32_t seq);
void put_bytes(struct answer *a, const void *data, size_t len);
void put_error(uint32_t seq, uint32_t error);

#endif
