/*
 * dump_fuzz.c - any bytes as a datagram of each kind of dump and as each small answer. The sanitizers watch the
 * memory; this checks that decoding ends and that a record never claims what it can't hold.
 */
#include "internal.h"

#include <linux/ip_vs.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS 8u
#define FAMILY 0x20 /* of the corpus */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void dump(uint8_t cmd, const uint8_t *data, size_t size, void *out)
{
	struct vipvs_dump d = {.family = FAMILY, .cmd = cmd, .seq = 1};
	struct vipvs_cursor c = {data, size};

	/* each round takes a message or ends: more rounds than bytes would be a loop */
	for (size_t round = 0; !d.done && d.error == 0 && c.left > 0; round++) {
		uint32_t count = 0;
		size_t before = c.left;

		vipvs_dump_take(&d, &c, out, RECORDS, &count);
		if (count > RECORDS || (c.left >= before && d.error == 0) || round > size)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vipvs_service services[RECORDS];
	struct vipvs_dest dests[RECORDS];
	struct vipvs_daemon daemons[RECORDS];
	struct vipvs_timeouts timeouts;
	struct vipvs_info info;
	uint16_t id;

	dump(IPVS_CMD_NEW_SERVICE, data, size, services);
	dump(IPVS_CMD_NEW_DEST, data, size, dests);
	dump(IPVS_CMD_NEW_DAEMON, data, size, daemons);
	if (vipvs_decode_service(data, size, services) == 0 &&
	    (services[0].scheduler[VIPVS_SCHED_LEN - 1] != '\0' || services[0].pe[VIPVS_PE_LEN - 1] != '\0' ||
	     services[0].key.port > 65535))
		abort();
	if (vipvs_decode_dest(data, size, dests) == 0 && dests[0].port > 65535)
		abort();
	if (vipvs_decode_daemon(data, size, daemons) == 0 && daemons[0].interface[VIPVS_IFN_LEN - 1] != '\0')
		abort();
	(void)vipvs_decode_timeouts(data, size, &timeouts);
	(void)vipvs_decode_info(data, size, &info);
	(void)vipvs_decode_family_id(data, size, &id);
	return 0;
}
