/*
 * decode.c - IPVS replies -> records. Bytes come from the kernel, but are read as if they did not: every length
 * is checked, u64 attributes are only 4-byte aligned (memcpy), unknown attributes are passed over, a known one
 * that is too short is an error. Needs no socket: the golden tests and the fuzzer call it directly.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

struct attr {
	uint16_t type;
	const uint8_t *data;
	size_t len;
};

/* 1: *a is the next attribute; 0: no more; -EBADMSG. A tail shorter than a header is padding. */
static int next_attr(struct vipvs_cursor *c, struct attr *a)
{
	struct nlattr header;
	size_t step;

	if (c->left < NLA_HDRLEN)
		return 0;
	memcpy(&header, c->at, sizeof header);
	if (header.nla_len < NLA_HDRLEN || header.nla_len > c->left)
		return -EBADMSG;
	a->type = header.nla_type & NLA_TYPE_MASK;
	a->data = c->at + NLA_HDRLEN;
	a->len = header.nla_len - NLA_HDRLEN;
	step = NLA_ALIGN(header.nla_len);
	if (step > c->left)
		step = c->left;
	c->at += step;
	c->left -= step;
	return 1;
}

/* The readers keep a verdict: the first attribute that is too short makes the whole record bad. */
static void get(const struct attr *a, void *out, size_t size, bool *bad)
{
	if (a->len < size)
		*bad = true;
	else
		memcpy(out, a->data, size);
}

static uint32_t get_u8(const struct attr *a, bool *bad)
{
	uint8_t v = 0;
	get(a, &v, sizeof v, bad);
	return v;
}

static uint16_t get_u16(const struct attr *a, bool *bad)
{
	uint16_t v = 0;
	get(a, &v, sizeof v, bad);
	return v;
}

static uint32_t get_u32(const struct attr *a, bool *bad)
{
	uint32_t v = 0;
	get(a, &v, sizeof v, bad);
	return v;
}

static uint64_t get_u64(const struct attr *a, bool *bad)
{
	uint64_t v = 0;
	get(a, &v, sizeof v, bad);
	return v;
}

static void get_string(const struct attr *a, char *out, size_t room)
{
	size_t len = strnlen((const char *)a->data, a->len);

	if (len > room - 1)
		len = room - 1;
	memcpy(out, a->data, len);
	memset(out + len, 0, room - len);
}

/* Returns how many bytes there were: the family may come later than the address. */
static size_t get_addr(const struct attr *a, uint8_t out[16])
{
	size_t len = a->len < 16 ? a->len : 16;

	memcpy(out, a->data, len);
	return len;
}

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

static int decode_counters(const struct attr *nested, struct vipvs_counters *out)
{
	struct vipvs_cursor c = {nested->data, nested->len};
	struct attr a;
	bool bad = false;
	int r;

	while ((r = next_attr(&c, &a)) > 0) {
		switch (a.type) {
		case IPVS_STATS_ATTR_CONNS:
			out->connections = get_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_INPKTS:
			out->in_packets = get_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_OUTPKTS:
			out->out_packets = get_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_INBYTES:
			out->in_bytes = get_u64(&a, &bad);
			break;
		case IPVS_STATS_ATTR_OUTBYTES:
			out->out_bytes = get_u64(&a, &bad);
			break;
		default:
			break;
		}
	}
	return r < 0 || bad ? -EBADMSG : 0;
}

/* Finds one top-level attribute, e.g. the nested SERVICE. 1, 0 or -EBADMSG. */
static int find_attr(const uint8_t *body, size_t len, uint16_t type, struct attr *out)
{
	struct vipvs_cursor c = {body, len};
	int r;

	while ((r = next_attr(&c, out)) > 0)
		if (out->type == type)
			return 1;
	return r;
}

struct service_state {
	size_t addr_len;
	bool has_protocol;
	bool has_port;
	bool bad;
};

static void service_attr(const struct attr *a, struct vipvs_service *out, struct service_state *s)
{
	struct ip_vs_flags flags = {0};

	switch (a->type) {
	case IPVS_SVC_ATTR_AF:
		out->key.af = get_u16(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_PROTOCOL:
		out->key.protocol = get_u16(a, &s->bad);
		s->has_protocol = true;
		break;
	case IPVS_SVC_ATTR_ADDR:
		s->addr_len = get_addr(a, out->key.addr);
		break;
	case IPVS_SVC_ATTR_PORT:
		out->key.port = ntohs(get_u16(a, &s->bad));
		s->has_port = true;
		break;
	case IPVS_SVC_ATTR_FWMARK:
		out->key.fwmark = get_u32(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_SCHED_NAME:
		get_string(a, out->scheduler, VIPVS_SCHED_LEN);
		break;
	case IPVS_SVC_ATTR_PE_NAME:
		get_string(a, out->pe, VIPVS_PE_LEN);
		break;
	case IPVS_SVC_ATTR_FLAGS:
		get(a, &flags, sizeof flags, &s->bad);
		out->flags = flags.flags;
		break;
	case IPVS_SVC_ATTR_TIMEOUT:
		out->timeout = get_u32(a, &s->bad);
		break;
	case IPVS_SVC_ATTR_NETMASK:
		out->netmask = get_u32(a, &s->bad);
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
	struct attr a;
	int r = find_attr(body, len, IPVS_CMD_ATTR_SERVICE, &a);

	if (r <= 0)
		return -EBADMSG;
	memset(out, 0, sizeof *out);
	c = (struct vipvs_cursor){a.data, a.len};
	while ((r = next_attr(&c, &a)) > 0)
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

static void dest_attr(const struct attr *a, struct vipvs_dest *out, struct dest_state *s)
{
	switch (a->type) {
	case IPVS_DEST_ATTR_ADDR:
		s->addr_len = get_addr(a, out->addr);
		break;
	case IPVS_DEST_ATTR_PORT:
		out->port = ntohs(get_u16(a, &s->bad));
		s->has_port = true;
		break;
	case IPVS_DEST_ATTR_ADDR_FAMILY:
		out->af = get_u16(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_FWD_METHOD:
		out->forward = get_u32(a, &s->bad) & IP_VS_CONN_F_FWD_MASK;
		break;
	case IPVS_DEST_ATTR_WEIGHT:
		out->weight = get_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_U_THRESH:
		out->upper_threshold = get_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_L_THRESH:
		out->lower_threshold = get_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_ACTIVE_CONNS:
		out->active = get_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_INACT_CONNS:
		out->inactive = get_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_PERSIST_CONNS:
		out->persistent = get_u32(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_TUN_TYPE:
		out->tunnel_type = get_u8(a, &s->bad);
		break;
	case IPVS_DEST_ATTR_TUN_PORT:
		out->tunnel_port = ntohs(get_u16(a, &s->bad));
		break;
	case IPVS_DEST_ATTR_TUN_FLAGS:
		out->tunnel_flags = get_u16(a, &s->bad);
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
	struct attr a;
	int r = find_attr(body, len, IPVS_CMD_ATTR_DEST, &a);

	if (r <= 0)
		return -EBADMSG;
	memset(out, 0, sizeof *out);
	c = (struct vipvs_cursor){a.data, a.len};
	while ((r = next_attr(&c, &a)) > 0)
		dest_attr(&a, out, &s);
	if (r < 0 || s.bad || !s.has_port)
		return -EBADMSG;
	return settle_addr(out->af, out->addr, s.addr_len) ? 0 : -EBADMSG;
}

static void daemon_attr(const struct attr *a, struct vipvs_daemon *out, bool *bad)
{
	switch (a->type) {
	case IPVS_DAEMON_ATTR_STATE:
		out->state = get_u32(a, bad);
		break;
	case IPVS_DAEMON_ATTR_MCAST_IFN:
		get_string(a, out->interface, VIPVS_IFN_LEN);
		break;
	case IPVS_DAEMON_ATTR_SYNC_ID:
		out->sync_id = get_u32(a, bad);
		break;
	case IPVS_DAEMON_ATTR_SYNC_MAXLEN:
		out->max_len = get_u16(a, bad);
		break;
	case IPVS_DAEMON_ATTR_MCAST_GROUP:
		get(a, out->mcast_group, 4, bad);
		out->mcast_af = AF_INET;
		break;
	case IPVS_DAEMON_ATTR_MCAST_GROUP6:
		get(a, out->mcast_group, 16, bad);
		out->mcast_af = AF_INET6;
		break;
	case IPVS_DAEMON_ATTR_MCAST_PORT:
		out->mcast_port = get_u16(a, bad);
		break;
	case IPVS_DAEMON_ATTR_MCAST_TTL:
		out->mcast_ttl = get_u8(a, bad);
		break;
	default:
		break;
	}
}

int vipvs_decode_daemon(const uint8_t *body, size_t len, struct vipvs_daemon *out)
{
	struct vipvs_cursor c;
	struct attr a;
	bool bad = false;
	int r = find_attr(body, len, IPVS_CMD_ATTR_DAEMON, &a);

	if (r <= 0)
		return -EBADMSG;
	memset(out, 0, sizeof *out);
	c = (struct vipvs_cursor){a.data, a.len};
	while ((r = next_attr(&c, &a)) > 0)
		daemon_attr(&a, out, &bad);
	return r < 0 || bad || out->state == 0 ? -EBADMSG : 0;
}

int vipvs_decode_timeouts(const uint8_t *body, size_t len, struct vipvs_timeouts *out)
{
	struct vipvs_cursor c = {body, len};
	struct attr a;
	bool bad = false;
	int r;

	memset(out, 0, sizeof *out);
	while ((r = next_attr(&c, &a)) > 0) {
		if (a.type == IPVS_CMD_ATTR_TIMEOUT_TCP)
			out->tcp = get_u32(&a, &bad);
		else if (a.type == IPVS_CMD_ATTR_TIMEOUT_TCP_FIN)
			out->tcp_fin = get_u32(&a, &bad);
		else if (a.type == IPVS_CMD_ATTR_TIMEOUT_UDP)
			out->udp = get_u32(&a, &bad);
	}
	return r < 0 || bad ? -EBADMSG : 0;
}

int vipvs_decode_info(const uint8_t *body, size_t len, struct vipvs_info *out)
{
	struct vipvs_cursor c = {body, len};
	struct attr a;
	bool bad = false;
	int r;

	memset(out, 0, sizeof *out);
	while ((r = next_attr(&c, &a)) > 0) {
		if (a.type == IPVS_INFO_ATTR_VERSION)
			out->version = get_u32(&a, &bad);
		else if (a.type == IPVS_INFO_ATTR_CONN_TAB_SIZE)
			out->connection_table_size = get_u32(&a, &bad);
	}
	return r < 0 || bad || out->version == 0 ? -EBADMSG : 0;
}

int vipvs_decode_family_id(const uint8_t *body, size_t len, uint16_t *out)
{
	struct attr a;
	bool bad = false;

	if (find_attr(body, len, CTRL_ATTR_FAMILY_ID, &a) <= 0)
		return -EBADMSG;
	*out = get_u16(&a, &bad);
	return bad ? -EBADMSG : 0;
}

/* NLMSG_ERROR and NLMSG_DONE begin with a negative errno; a DONE may have none. */
static int control_error(const uint8_t *data, size_t len, uint16_t type, uint32_t *out)
{
	int32_t error = 0;

	if (len >= sizeof error)
		memcpy(&error, data, sizeof error);
	else if (type == NLMSG_ERROR)
		return -EBADMSG;
	*out = error < 0 ? 0u - (uint32_t)error : 0;
	return 1;
}

int vipvs_next_message(struct vipvs_cursor *c, struct vipvs_message *m)
{
	struct nlmsghdr header;
	struct genlmsghdr genl;
	const uint8_t *data;
	size_t step, len;

	if (c->left == 0)
		return 0;
	if (c->left < NLMSG_HDRLEN)
		return -EBADMSG;
	memcpy(&header, c->at, sizeof header);
	if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > c->left)
		return -EBADMSG;
	data = c->at + NLMSG_HDRLEN;
	len = header.nlmsg_len - NLMSG_HDRLEN;
	step = NLMSG_ALIGN((size_t)header.nlmsg_len);
	if (step > c->left)
		step = c->left;
	c->at += step;
	c->left -= step;
	*m = (struct vipvs_message){
		.type = header.nlmsg_type, .flags = header.nlmsg_flags, .seq = header.nlmsg_seq};
	if (m->type == NLMSG_ERROR || m->type == NLMSG_DONE)
		return control_error(data, len, m->type, &m->error);
	if (m->type < NLMSG_MIN_TYPE)
		return 1;
	if (len < GENL_HDRLEN)
		return -EBADMSG;
	memcpy(&genl, data, sizeof genl);
	m->cmd = genl.cmd;
	m->body = data + GENL_HDRLEN;
	m->body_len = len - GENL_HDRLEN;
	return 1;
}

static int take_record(const struct vipvs_dump *d, const struct vipvs_message *m, void *out, uint32_t index)
{
	switch (d->cmd) {
	case IPVS_CMD_NEW_SERVICE:
		return vipvs_decode_service(m->body, m->body_len, (struct vipvs_service *)out + index);
	case IPVS_CMD_NEW_DEST: {
		struct vipvs_dest *dest = (struct vipvs_dest *)out + index;
		int r = vipvs_decode_dest(m->body, m->body_len, dest);
		dest->key_index = d->key_index;
		return r;
	}
	default:
		return vipvs_decode_daemon(m->body, m->body_len, (struct vipvs_daemon *)out + index);
	}
}

void vipvs_dump_take(struct vipvs_dump *d, struct vipvs_cursor *c, void *out, uint32_t capacity,
		     uint32_t *count)
{
	while (!d->done && d->error == 0 && *count < capacity) {
		struct vipvs_message m;
		int r = vipvs_next_message(c, &m);

		if (r == 0)
			return;
		if (r < 0) {
			d->error = (uint32_t)-r;
			return;
		}
		if (m.seq != d->seq) /* an answer to something that timed out earlier */
			continue;
		if (m.flags & NLM_F_DUMP_INTR) {
			d->error = EINTR;
		} else if (m.type == NLMSG_DONE || m.type == NLMSG_ERROR) {
			d->error = m.error;
			d->done = true;
		} else if (m.type == NLMSG_OVERRUN) {
			d->error = ENOBUFS;
		} else if (m.type == d->family && m.cmd == d->cmd) {
			if (take_record(d, &m, out, *count) < 0)
				d->error = EBADMSG;
			else
				*count += 1;
		}
	}
}
