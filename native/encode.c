/*
 * encode.c - records -> IPVS generic netlink messages. Attribute types and byte orders: linux/ip_vs.h and
 * ip_vs_genl_parse_service / _parse_dest / _new_daemon in net/netfilter/ipvs/ip_vs_ctl.c. Ports of servers,
 * tunnels and IPv4 masks travel in network order; everything else, the sync daemon's port too, in host order.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/* Not bounded by itself: the longest message is a constant, see VIPVS_MESSAGE_MAX. */
struct writer {
	uint8_t *start;
	uint8_t *at;
};

static struct writer begin(uint8_t *out, uint16_t type, uint16_t flags, uint32_t seq, uint8_t cmd,
			   uint8_t version)
{
	struct nlmsghdr header = {
		.nlmsg_type = type, .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags), .nlmsg_seq = seq};
	struct genlmsghdr genl = {.cmd = cmd, .version = version};

	memcpy(out, &header, NLMSG_HDRLEN);
	memcpy(out + NLMSG_HDRLEN, &genl, GENL_HDRLEN);
	return (struct writer){out, out + NLMSG_HDRLEN + GENL_HDRLEN};
}

static size_t end(struct writer *w)
{
	uint32_t length = (uint32_t)(w->at - w->start);

	memcpy(w->start, &length, sizeof length); /* nlmsg_len is the first field */
	return length;
}

static void put(struct writer *w, uint16_t type, const void *data, size_t len)
{
	struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + len), .nla_type = type};
	size_t padded = NLA_ALIGN(len);

	memcpy(w->at, &header, NLA_HDRLEN);
	memset(w->at + NLA_HDRLEN + len, 0, padded - len);
	memcpy(w->at + NLA_HDRLEN, data, len);
	w->at += NLA_HDRLEN + padded;
}

static void put_u8(struct writer *w, uint16_t type, uint32_t value)
{
	uint8_t v = (uint8_t)value;
	put(w, type, &v, sizeof v);
}

static void put_u16(struct writer *w, uint16_t type, uint32_t value)
{
	uint16_t v = (uint16_t)value;
	put(w, type, &v, sizeof v);
}

static void put_u32(struct writer *w, uint16_t type, uint32_t value)
{
	put(w, type, &value, sizeof value);
}

static void put_port(struct writer *w, uint16_t type, uint32_t port)
{
	put_u16(w, type, htons((uint16_t)port));
}

static void put_string(struct writer *w, uint16_t type, const char *text, size_t room)
{
	char copy[32] = {0}; /* NLA_NUL_STRING: the NUL goes along */
	size_t len = strnlen(text, room - 1);

	memcpy(copy, text, len);
	put(w, type, copy, len + 1);
}

/* Kernels send 16 bytes in both families; IPv4 uses the first four. */
static void put_addr(struct writer *w, uint16_t type, uint32_t af, const uint8_t addr[16])
{
	uint8_t full[16] = {0};

	memcpy(full, addr, af == AF_INET ? 4 : 16);
	put(w, type, full, sizeof full);
}

static uint8_t *nest(struct writer *w, uint16_t type)
{
	struct nlattr header = {.nla_type = type | NLA_F_NESTED};
	uint8_t *at = w->at;

	memcpy(at, &header, NLA_HDRLEN);
	w->at += NLA_HDRLEN;
	return at;
}

static void unnest(struct writer *w, uint8_t *at)
{
	uint16_t length = (uint16_t)(w->at - at);

	memcpy(at, &length, sizeof length); /* nla_len is the first field */
}

static void put_key(struct writer *w, const struct vipvs_key *key)
{
	put_u16(w, IPVS_SVC_ATTR_AF, key->af);
	if (key->fwmark != 0) {
		put_u32(w, IPVS_SVC_ATTR_FWMARK, key->fwmark);
		return;
	}
	put_u16(w, IPVS_SVC_ATTR_PROTOCOL, key->protocol);
	put_addr(w, IPVS_SVC_ATTR_ADDR, key->af, key->addr);
	put_port(w, IPVS_SVC_ATTR_PORT, key->port);
}

static void put_service(struct writer *w, const struct vipvs_op *op)
{
	struct ip_vs_flags flags = {.flags = op->u.service.flags, .mask = op->u.service.flags_mask};
	bool v4 = op->key.af == AF_INET;
	uint8_t *service = nest(w, IPVS_CMD_ATTR_SERVICE);

	put_key(w, &op->key);
	put_string(w, IPVS_SVC_ATTR_SCHED_NAME, op->u.service.scheduler, VIPVS_SCHED_LEN);
	if (op->u.service.pe[0] != '\0')
		put_string(w, IPVS_SVC_ATTR_PE_NAME, op->u.service.pe, VIPVS_PE_LEN);
	put(w, IPVS_SVC_ATTR_FLAGS, &flags, sizeof flags);
	put_u32(w, IPVS_SVC_ATTR_TIMEOUT, op->u.service.timeout);
	put_u32(w, IPVS_SVC_ATTR_NETMASK, v4 ? htonl(op->u.service.netmask) : op->u.service.netmask);
	unnest(w, service);
}

static void put_bare_service(struct writer *w, const struct vipvs_key *key)
{
	uint8_t *service = nest(w, IPVS_CMD_ATTR_SERVICE);

	put_key(w, key);
	unnest(w, service);
}

static void put_dest(struct writer *w, const struct vipvs_op *op, bool full)
{
	uint8_t *dest = nest(w, IPVS_CMD_ATTR_DEST);

	put_addr(w, IPVS_DEST_ATTR_ADDR, op->u.dest.af, op->u.dest.addr);
	put_port(w, IPVS_DEST_ATTR_PORT, op->u.dest.port);
	put_u16(w, IPVS_DEST_ATTR_ADDR_FAMILY, op->u.dest.af);
	if (full) {
		put_u32(w, IPVS_DEST_ATTR_FWD_METHOD, op->u.dest.forward);
		put_u32(w, IPVS_DEST_ATTR_WEIGHT, op->u.dest.weight);
		put_u32(w, IPVS_DEST_ATTR_U_THRESH, op->u.dest.upper_threshold);
		put_u32(w, IPVS_DEST_ATTR_L_THRESH, op->u.dest.lower_threshold);
		/* Always for tunnels: without the type a SET would keep an earlier gue or gre */
		if (op->u.dest.forward == IP_VS_CONN_F_TUNNEL) {
			put_u8(w, IPVS_DEST_ATTR_TUN_TYPE, op->u.dest.tunnel_type);
			put_port(w, IPVS_DEST_ATTR_TUN_PORT, op->u.dest.tunnel_port);
			put_u16(w, IPVS_DEST_ATTR_TUN_FLAGS, op->u.dest.tunnel_flags);
		}
	}
	unnest(w, dest);
}

static void put_daemon(struct writer *w, const struct vipvs_daemon *d, bool full)
{
	uint8_t *daemon = nest(w, IPVS_CMD_ATTR_DAEMON);

	put_u32(w, IPVS_DAEMON_ATTR_STATE, d->state);
	if (full) {
		put_string(w, IPVS_DAEMON_ATTR_MCAST_IFN, d->interface, VIPVS_IFN_LEN);
		put_u32(w, IPVS_DAEMON_ATTR_SYNC_ID, d->sync_id);
		if (d->max_len != 0)
			put_u16(w, IPVS_DAEMON_ATTR_SYNC_MAXLEN, d->max_len);
		if (d->mcast_af == AF_INET)
			put(w, IPVS_DAEMON_ATTR_MCAST_GROUP, d->mcast_group, 4);
		if (d->mcast_af == AF_INET6)
			put(w, IPVS_DAEMON_ATTR_MCAST_GROUP6, d->mcast_group, 16);
		if (d->mcast_port != 0)
			put_u16(w, IPVS_DAEMON_ATTR_MCAST_PORT, d->mcast_port);
		if (d->mcast_ttl != 0)
			put_u8(w, IPVS_DAEMON_ATTR_MCAST_TTL, d->mcast_ttl);
	}
	unnest(w, daemon);
}

static void put_timeouts(struct writer *w, const struct vipvs_timeouts *t)
{
	if (t->tcp != 0)
		put_u32(w, IPVS_CMD_ATTR_TIMEOUT_TCP, t->tcp);
	if (t->tcp_fin != 0)
		put_u32(w, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, t->tcp_fin);
	if (t->udp != 0)
		put_u32(w, IPVS_CMD_ATTR_TIMEOUT_UDP, t->udp);
}

static uint8_t command_of(uint32_t kind)
{
	switch (kind) {
	case VIPVS_NEW_SERVICE:
		return IPVS_CMD_NEW_SERVICE;
	case VIPVS_SET_SERVICE:
		return IPVS_CMD_SET_SERVICE;
	case VIPVS_DEL_SERVICE:
		return IPVS_CMD_DEL_SERVICE;
	case VIPVS_NEW_DEST:
		return IPVS_CMD_NEW_DEST;
	case VIPVS_SET_DEST:
		return IPVS_CMD_SET_DEST;
	case VIPVS_DEL_DEST:
		return IPVS_CMD_DEL_DEST;
	case VIPVS_ZERO:
		return IPVS_CMD_ZERO;
	case VIPVS_NEW_DAEMON:
		return IPVS_CMD_NEW_DAEMON;
	case VIPVS_DEL_DAEMON:
		return IPVS_CMD_DEL_DAEMON;
	case VIPVS_SET_TIMEOUTS:
		return IPVS_CMD_SET_CONFIG;
	default: /* vipvs_validate() has refused it */
		return IPVS_CMD_UNSPEC;
	}
}

size_t vipvs_encode_op(const struct vipvs_op *op, uint16_t family, uint32_t seq, uint8_t *out)
{
	struct writer w = begin(out, family, 0, seq, command_of(op->kind), IPVS_GENL_VERSION);

	switch (op->kind) {
	case VIPVS_NEW_SERVICE:
	case VIPVS_SET_SERVICE:
		put_service(&w, op);
		break;
	case VIPVS_NEW_DEST:
	case VIPVS_SET_DEST:
		put_bare_service(&w, &op->key);
		put_dest(&w, op, true);
		break;
	case VIPVS_DEL_DEST:
		put_bare_service(&w, &op->key);
		put_dest(&w, op, false);
		break;
	case VIPVS_NEW_DAEMON:
		put_daemon(&w, &op->u.daemon, true);
		break;
	case VIPVS_DEL_DAEMON:
		put_daemon(&w, &op->u.daemon, false);
		break;
	case VIPVS_SET_TIMEOUTS:
		put_timeouts(&w, &op->u.timeouts);
		break;
	default: /* DEL_SERVICE, ZERO */
		put_bare_service(&w, &op->key);
		break;
	}
	return end(&w);
}

size_t vipvs_encode_bare(uint8_t cmd, uint16_t family, uint32_t seq, uint16_t flags, uint8_t *out)
{
	struct writer w = begin(out, family, flags, seq, cmd, IPVS_GENL_VERSION);

	return end(&w);
}

size_t vipvs_encode_keyed(uint8_t cmd, const struct vipvs_key *key, uint16_t family, uint32_t seq,
			  uint16_t flags, uint8_t *out)
{
	struct writer w = begin(out, family, flags, seq, cmd, IPVS_GENL_VERSION);

	put_bare_service(&w, key);
	return end(&w);
}

size_t vipvs_encode_getfamily(const char *name, uint32_t seq, uint8_t *out)
{
	struct writer w = begin(out, GENL_ID_CTRL, 0, seq, CTRL_CMD_GETFAMILY, 1);

	put_string(&w, CTRL_ATTR_FAMILY_NAME, name, GENL_NAMSIZ);
	return end(&w);
}

void vipvs_want_ack(uint8_t *message)
{
	struct nlmsghdr header;

	memcpy(&header, message, sizeof header);
	header.nlmsg_flags |= NLM_F_ACK;
	memcpy(message, &header, sizeof header);
}
