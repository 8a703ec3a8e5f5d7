/* take.h - one datagram decoded as part of a dump, for the tests of captured and of hand-made answers. */
#ifndef TAKE_H
#define TAKE_H

#include "internal.h"

#define FAMILY 0x20
#define SEQ 1
#define RECORDS 16

/* Returns how many records it held; out has room for RECORDS. */
static inline uint32_t take(uint8_t cmd, const uint8_t *data, size_t len, void *out, struct vipvs_dump *d)
{
	struct vipvs_cursor c = {data, len};
	uint32_t count = 0;

	*d = (struct vipvs_dump){.family = FAMILY, .cmd = cmd, .seq = SEQ, .key_index = 7};
	vipvs_dump_take(d, &c, out, RECORDS, &count);
	return count;
}

#endif
