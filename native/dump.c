/*
 * dump.c - the chunked dumps, on a lane of their own: one runs at a time, and resumes where the caller's room
 * ended. One that fails or is abandoned costs the lane its socket, so that nothing of it reaches the next.
 */
#include "internal.h"

#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <unistd.h>

/* An abandoned dump would answer the next one with EBUSY: a fresh socket is the one sure way to end it. */
static int dump_reset(struct vipvs *v)
{
	v->dumping = false;
	if (v->dump.fd >= 0)
		close(v->dump.fd);
	return vipvs_lane_connect(&v->dump, NETLINK_GENERIC, v->timeout_ms);
}

void vipvs_dump_stop(struct vipvs *v)
{
	if (v->dumping)
		(void)dump_reset(v); /* a failure leaves fd -1: the next dump reports EBADF or connects */
}

static int dump_start(struct vipvs *v, uint8_t get, uint8_t reply, const struct vipvs_key *key, uint32_t index)
{
	uint8_t request[VIPVS_MESSAGE_MAX];
	uint32_t seq = v->dump.seq++;
	size_t len;
	int r = v->dump.fd < 0 ? vipvs_lane_connect(&v->dump, NETLINK_GENERIC, v->timeout_ms) : 0;

	if (r < 0)
		return r;
	if (key != NULL && vipvs_check_key(key) != 0)
		return -EINVAL;
	len = key != NULL ? vipvs_encode_keyed(get, key, v->family, seq, NLM_F_DUMP, request) :
			    vipvs_encode_bare(get, v->family, seq, NLM_F_DUMP, request);
	v->current = (struct vipvs_dump){.family = v->family, .cmd = reply, .seq = seq, .key_index = index};
	v->cursor = (struct vipvs_cursor){NULL, 0};
	v->dumping = true;
	return vipvs_lane_send(&v->dump, request, len);
}

/* Reads the running dump until the capacity is reached or it has ended. */
static void dump_read(struct vipvs *v, void *out, uint32_t capacity, uint32_t *count)
{
	while (!v->current.done && v->current.error == 0 && *count < capacity) {
		if (v->cursor.left == 0) {
			int r = vipvs_lane_receive(&v->dump, 0, &v->cursor);
			if (r < 0) {
				v->current.error = (uint32_t)-r;
				return;
			}
		}
		vipvs_dump_take(&v->current, &v->cursor, out, capacity, count);
	}
}

/* Fills in the chunk and ends the dump where it failed or is over. */
static int dump_finish(struct vipvs *v, int r, struct vipvs_chunk *chunk)
{
	if (r < 0)
		v->current.error = (uint32_t)-r;
	chunk->error = v->current.error;
	if (chunk->error != 0) {
		chunk->more = 0;
		r = dump_reset(v);
		return r < 0 ? r : -(int)chunk->error;
	}
	return 0;
}

static int dump_plain(struct vipvs *v, uint8_t get, uint8_t reply, void *out, uint32_t capacity,
		      struct vipvs_chunk *chunk)
{
	int r = 0;

	*chunk = (struct vipvs_chunk){0};
	if (capacity == 0)
		return -EINVAL;
	if (v->dumping && v->current.cmd != reply)
		return -EBUSY;
	if (!v->dumping)
		r = dump_start(v, get, reply, NULL, 0);
	if (r == 0)
		dump_read(v, out, capacity, &chunk->count);
	chunk->more = !v->current.done;
	v->dumping = chunk->more != 0;
	return dump_finish(v, r, chunk);
}

int vipvs_dump_services(struct vipvs *v, struct vipvs_service *out, uint32_t capacity,
			struct vipvs_chunk *chunk)
{
	return dump_plain(v, IPVS_CMD_GET_SERVICE, IPVS_CMD_NEW_SERVICE, out, capacity, chunk);
}

int vipvs_dump_daemons(struct vipvs *v, struct vipvs_daemon *out, uint32_t capacity, struct vipvs_chunk *chunk)
{
	return dump_plain(v, IPVS_CMD_GET_DAEMON, IPVS_CMD_NEW_DAEMON, out, capacity, chunk);
}

int vipvs_dump_dests(struct vipvs *v, const struct vipvs_key *keys, uint32_t key_count,
		     struct vipvs_dest *out, uint32_t capacity, struct vipvs_chunk *chunk)
{
	uint32_t index;
	int r = 0;

	*chunk = (struct vipvs_chunk){0};
	if (capacity == 0)
		return -EINVAL;
	if (v->dumping && v->current.cmd != IPVS_CMD_NEW_DEST)
		return -EBUSY;
	index = v->dumping ? v->current.key_index : 0;
	while (r == 0 && index < key_count) {
		if (!v->dumping || v->current.done)
			r = dump_start(v, IPVS_CMD_GET_DEST, IPVS_CMD_NEW_DEST, &keys[index], index);
		if (r == 0)
			dump_read(v, out, capacity, &chunk->count);
		if (r < 0 || !v->current.done || v->current.error != 0)
			break;
		index++;
	}
	chunk->next_key = index;
	chunk->more = index < key_count;
	v->dumping = chunk->more != 0;
	return dump_finish(v, r, chunk);
}
