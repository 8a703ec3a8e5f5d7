/*
 * handle.c - the handle: its two lanes opened and closed, and the requests that have one answer each. All of
 * these use the lane of the batches; the dumps have the other one.
 */
#include "internal.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one question, one answer ---- */

/* Sends one request; on 0 *m is the reply, which lies in the lane's slots until the next receive. */
static int ask(struct vipvs_lane *lane, const uint8_t *request, size_t len, uint32_t seq, struct vipvs_message *m)
{
	struct vipvs_cursor c;
	int r = vipvs_lane_send(lane, request, len);

	while (r == 0) {
		r = vipvs_lane_receive(lane, 0, &c);
		while (r == 0) {
			int more = vipvs_next_message(&c, m);
			if (more < 0)
				return more;
			if (more == 0)
				break;
			if (m->seq != seq)
				continue;
			if (m->type == NLMSG_ERROR || m->type == NLMSG_DONE)
				return m->error != 0 ? -(int)m->error : -EBADMSG;
			return 0;
		}
	}
	return r;
}

static int resolve_family(struct vipvs *v)
{
	uint8_t request[VIPVS_MESSAGE_MAX];
	uint32_t seq = v->ops.seq++;
	struct vipvs_message m;
	int r = ask(&v->ops, request, vipvs_encode_getfamily(IPVS_GENL_NAME, seq, request), seq, &m);

	return r < 0 ? r : vipvs_decode_family_id(m.body, m.body_len, &v->family);
}

int vipvs_get_service(struct vipvs *v, const struct vipvs_key *key, struct vipvs_service *out)
{
	uint8_t request[VIPVS_MESSAGE_MAX];
	uint32_t seq = v->ops.seq++;
	struct vipvs_message m;
	size_t len;
	int r;

	if (vipvs_check_key(key) != 0)
		return -EINVAL;
	len = vipvs_encode_keyed(IPVS_CMD_GET_SERVICE, key, v->family, seq, 0, request);
	r = ask(&v->ops, request, len, seq, &m);
	return r < 0 ? r : vipvs_decode_service(m.body, m.body_len, out);
}

int vipvs_get_timeouts(struct vipvs *v, struct vipvs_timeouts *out)
{
	uint8_t request[VIPVS_MESSAGE_MAX];
	uint32_t seq = v->ops.seq++;
	struct vipvs_message m;
	size_t len = vipvs_encode_bare(IPVS_CMD_GET_CONFIG, v->family, seq, 0, request);
	int r = ask(&v->ops, request, len, seq, &m);

	return r < 0 ? r : vipvs_decode_timeouts(m.body, m.body_len, out);
}

int vipvs_get_info(struct vipvs *v, struct vipvs_info *out)
{
	uint8_t request[VIPVS_MESSAGE_MAX];
	uint32_t seq = v->ops.seq++;
	struct vipvs_message m;
	size_t len = vipvs_encode_bare(IPVS_CMD_GET_INFO, v->family, seq, 0, request);
	int r = ask(&v->ops, request, len, seq, &m);

	return r < 0 ? r : vipvs_decode_info(m.body, m.body_len, out);
}

/* ---- the handle ---- */

struct vipvs *vipvs_open(uint32_t timeout_ms, uint32_t *error)
{
	struct vipvs *v = calloc(1, sizeof *v);
	struct vipvs_info info;
	int r;

	if (v == NULL) {
		*error = ENOMEM;
		return NULL;
	}
	v->timeout_ms = timeout_ms == 0 ? 1 : timeout_ms; /* SO_RCVTIMEO 0 would wait for ever */
	vipvs_lane_init(&v->ops, v->ops_slots);
	vipvs_lane_init(&v->dump, v->dump_slots);
	r = vipvs_lane_connect(&v->ops, NETLINK_GENERIC, v->timeout_ms);
	if (r == 0)
		r = vipvs_lane_connect(&v->dump, NETLINK_GENERIC, v->timeout_ms);
	if (r == 0)
		r = resolve_family(v);
	/* GETFAMILY is open to everyone; this finds out whether the IPVS commands are (GENL_ADMIN_PERM) */
	if (r == 0)
		r = vipvs_get_info(v, &info);
	if (r < 0) {
		*error = (uint32_t)-r;
		vipvs_close(v);
		return NULL;
	}
	vipvs_size_bursts(v);
	*error = 0;
	return v;
}

void vipvs_close(struct vipvs *v)
{
	if (v->ops.fd >= 0)
		close(v->ops.fd);
	if (v->dump.fd >= 0)
		close(v->dump.fd);
	free(v);
}

uint32_t vipvs_abi_version(void)
{
	return VIPVS_ABI;
}

void vipvs_abi_sizes(uint32_t sizes[VIPVS_SIZES])
{
	const uint32_t all[VIPVS_SIZES] = {
		sizeof(struct vipvs_op),       sizeof(struct vipvs_result),  sizeof(struct vipvs_service),
		sizeof(struct vipvs_dest),     sizeof(struct vipvs_daemon),  sizeof(struct vipvs_timeouts),
		sizeof(struct vipvs_info),     sizeof(struct vipvs_key),     sizeof(struct vipvs_chunk),
		sizeof(struct vipvs_announcement),
	};

	memcpy(sizes, all, sizeof all);
}
