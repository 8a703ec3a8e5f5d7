/*
 * decode.c - the attributes of one IPVS reply -> a record. Bytes come from the kernel, but are read as if they did
 * not: unknown attributes are passed over, a known one that is too short is an error. Needs no socket: the golden
 * tests and the fuzzer call it directly.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <string.h>
#include <sys/socket.h>

/* Checks a family and the address that belongs to it; IPv4 keeps nothing behind its four bytes. */
static bool settle_addr(uint32_t af, uint8_t addr[16], size_t len)
{
	if (af == AF_INET6)
		return len == 16;
	if (af != AF_INET || len < 4)
		return false;
	memset(addr + 4, 0, 12);
	return true;
}

static int decode_counters(const struct vipvs_attr *nested, struct vipvs_counters *out)
{
	struct vipvs_cursor c = {nested->data, nested->len};
	struct vipvs_attr a;
	bool bad = false;
	int r;

	while ((r = vipvs_attr_next(&c, &a)) > 0) {
		switch (a.type) {
		case IPVS_STATS_ATTR_CONNS:
			out->connections = vipvs_attr_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_INPKTS:
			out->in_packets = vipvs_attr_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_OUTPKTS:
			out->out_packets = vipvs_attr_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_INBYTES:
			out->in_bytes = vipvs_attr_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_OUTBYTES:
			out->out_bytes = vipvs_attr_u64(&a, &bad);
			break;
		default:
			break;
		}
	}
	return r < 0 || bad ? -EBADMSG : 0;
}

struct service_state {
	size_t addr_len;
	bool has_protocol;
	bool has_port;
	bool bad;
};

static void service_attr(const struct vipvs_attr *a, struct vipvs_service *out, struct service_state *s)
{
	struct ip_vs_flags flags = {0};

	switch (a->type) {
	case IPVS_SVC_ATTR_AF:
		out->key.af = vipvs_attr_u16(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_PROTOCOL:
		out->key.protocol = vipvs_attr_u16(a, &s->bad);
		s->has_protocol = true;
		break;
	case IPVS_SVC_ATTR_ADDR:
		s->addr_len = vipvs_attr_addr(a, out->key.addr);
		break;
	case IPVS_SVC_ATTR_PORT:
		out->key.port = ntohs(vipvs_attr_u16(a, &s->bad));
		s->has_port = true;
		break;
	case IPVS_SVC_ATTR_FWMARK:
		out->key.fwmark = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_SCHED_NAME:
		vipvs_attr_string(a, out->scheduler, VIPVS_SCHED_LEN);
		break;
	case IPVS_SVC_ATTR_PE_NAME:
		vipvs_attr_string(a, out->pe, VIPVS_PE_LEN);
		break;
	case IPVS_SVC_ATTR_FLAGS:
		vipvs_attr_get(a, &flags, sizeof flags, &s->bad);
		out->flags = flags.flags;
		break;
	case IPVS_SVC_ATTR_TIMEOUT:
		out->timeout = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_NETMASK:
		out->netmask = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_STATS64:
		if (decode_counters(a, &out->counters) < 0)
			s->bad = true;
		break;
	default:
		break;
	}
}

int vipvs_decode_service(const uint8_t *body, size_t len, struct vipvs_service *out)
{
	struct service_state s = {0};
	struct vipvs_cursor c;
	struct vipvs_attr a;
	int r = vipvs_attr_find(body, len, IPVS_CMD_ATTR_SERVICE, &a);

	if (r <= 0)
		return -EBADMSG;
	memset(out, 0, sizeof *out);
	c = (struct vipvs_cursor){a.data, a.len};
	while ((r = vipvs_attr_next(&c, &a)) > 0)
		service_attr(&a, out, &s);
	if (r < 0 || s.bad || (out->key.af != AF_INET && out->key.af != AF_INET6))
		return -EBADMSG;
	if (out->key.af == AF_INET)
		out->netmask = ntohl(out->netmask);
	if (out->key.fwmark != 0)
		return 0;
	return s.has_protocol && s.has_port && settle_addr(out->key.af, out->key.addr, s.addr_len) ? 0 : -EBADMSG;
}

struct dest_state {
	size_t addr_len;
	bool has_port;
	bool bad;
};

static void dest_attr(const struct vipvs_attr *a, struct vipvs_dest *out, struct dest_state *s)
{
	switch (a->type) {
	case IPVS_DEST_ATTR_ADDR:
		s->addr_len = vipvs_attr_addr(a, out->addr);
		break;
	case IPVS_DEST_ATTR_PORT:
		out->port = ntohs(vipvs_attr_u16(a, &s->bad));
		s->has_port = true;
		break;
	case IPVS_DEST_ATTR_ADDR_FAMILY:
		out->af = vipvs_attr_u16(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_FWD_METHOD:
		out->forward = vipvs_attr_u32(a, &s->bad) & IP_VS_CONN_F_FWD_MASK;
		break;
	case IPVS_DEST_ATTR_WEIGHT:
		out->weight = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_U_THRESH:
		out->upper_threshold = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_L_THRESH:
		out->lower_threshold = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_ACTIVE_CONNS:
		out->active = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_INACT_CONNS:
		out->inactive = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_PERSIST_CONNS:
		out->persistent = vipvs_attr_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_TUN_TYPE:
		out->tunnel_type = vipvs_attr_u8(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_TUN_PORT:
		out->tunnel_port = ntohs(vipvs_attr_u16(a, &s->bad));
		break;
	case IPVS_DEST_ATTR_TUN_FLAGS:
		out->tunnel_flags = vipvs_attr_u16(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_STATS64:
		if (decode_counters(a, &out->counters) < 0)
			s->bad = true;
		break;
	default:
		break;
	}
}

int vipvs_decode_dest(const uint8_t *body, size_t len, struct vipvs_dest *out)
{
	struct dest_state s = {0};
	struct vipvs_cursor c;
	struct vipvs_attr a;
	int r = vipvs_attr_find(body, len, IPVS_CMD_ATTR_DEST, &a);

	if (r <= 0)
		return -EBADMSG;
	memset(out, 0, sizeof *out);
	c = (struct vipvs_cursor){a.data, a.len};
	while ((r = vipvs_attr_next(&c, &a)) > 0)
		dest_attr(&a, out, &s);
	if (r < 0 || s.bad || !s.has_port)
		return -EBADMSG;
	return settle_addr(out->af, out->addr, s.addr_len) ? 0 : -EBADMSG;
}

static void daemon_attr(const struct vipvs_attr *a, struct vipvs_daemon *out, bool *bad)
{
	switch (a->type) {
	case IPVS_DAEMON_ATTR_STATE:
		out->state = vipvs_attr_u32(a, bad);
		break;
	case IPVS_DAEMON_ATTR_MCAST_IFN:
		vipvs_attr_string(a, out->interface, VIPVS_IFN_LEN);
		break;
	case IPVS_DAEMON_ATTR_SYNC_ID:
		out->sync_id = vipvs_attr_u32(a, bad);
		break;
	case IPVS_DAEMON_ATTR_SYNC_MAXLEN:
		out->max_len = vipvs_attr_u16(a, bad);
		break;
	case IPVS_DAEMON_ATTR_MCAST_GROUP:
		vipvs_attr_get(a, out->mcast_group, 4, bad);
		out->mcast_af = AF_INET;
		break;
	case IPVS_DAEMON_ATTR_MCAST_GROUP6:
		vipvs_attr_get(a, out->mcast_group, 16, bad);
		out->mcast_af = AF_INET6;
		break;
	case IPVS_DAEMON_ATTR_MCAST_PORT:
		out->mcast_port = vipvs_attr_u16(a, bad);
		break;
	case IPVS_DAEMON_ATTR_MCAST_TTL:
		out->mcast_ttl = vipvs_attr_u8(a, bad);
		break;
	default:
		break;
	}
}

int vipvs_decode_daemon(const uint8_t *body, size_t len, struct vipvs_daemon *out)
{
	struct vipvs_cursor c;
	struct vipvs_attr a;
	bool bad = false;
	int r = vipvs_attr_find(body, len, IPVS_CMD_ATTR_DAEMON, &a);

	if (r <= 0)
		return -EBADMSG;
	memset(out, 0, sizeof *out);
	c = (struct vipvs_cursor){a.data, a.len};
	while ((r = vipvs_attr_next(&c, &a)) > 0)
		daemon_attr(&a, out, &bad);
	return r < 0 || bad || out->state == 0 ? -EBADMSG : 0;
}

int vipvs_decode_timeouts(const uint8_t *body, size_t len, struct vipvs_timeouts *out)
{
	struct vipvs_cursor c = {body, len};
	struct vipvs_attr a;
	bool bad = false;
	int r;

	memset(out, 0, sizeof *out);
	while ((r = vipvs_attr_next(&c, &a)) > 0) {
		if (a.type == IPVS_CMD_ATTR_TIMEOUT_TCP)
			out->tcp = vipvs_attr_u32(&a, &bad);
		else if (a.type == IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)
			out->tcp_fin = vipvs_attr_u32(&a, &bad);
		else if (a.type == IPVS_CMD_ATTR_TIMEOUT_UDP)
			out->udp = vipvs_attr_u32(&a, &bad);
	}
	return r < 0 || bad ? -EBADMSG : 0;
}

int vipvs_decode_info(const uint8_t *body, size_t len, struct vipvs_info *out)
{
	struct vipvs_cursor c = {body, len};
	struct vipvs_attr a;
	bool bad = false;
	int r;

	memset(out, 0, sizeof *out);
	while ((r = vipvs_attr_next(&c, &a)) > 0) {
		if (a.type == IPVS_INFO_ATTR_VERSION)
			out->version = vipvs_attr_u32(&a, &bad);
		else if (a.type == IPVS_INFO_ATTR_CONN_TAB_SIZE)
			out->connection_table_size = vipvs_attr_u32(&a, &bad);
	}
	return r < 0 || bad || out->version == 0 ? -EBADMSG : 0;
}

int vipvs_decode_family_id(const uint8_t *body, size_t len, uint16_t *out)
{
	struct vipvs_attr a;
	bool bad = false;

	if (vipvs_attr_find(body, len, CTRL_ATTR_FAMILY_ID, &a) <= 0)
		return -EBADMSG;
	*out = vipvs_attr_u16(&a, &bad);
	return bad ? -EBADMSG : 0;
}
