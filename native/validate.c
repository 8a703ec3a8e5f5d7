/*
 * validate.c - operations that the kernel would take although they can never work, and those that it refuses
 * with a bare EINVAL. Each has its own detail code. Deleting and looking up is not checked beyond what a key
 * needs: rules that others made in strange shapes must stay reachable.
 */
#include "internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <netinet/in.h>
#include <string.h>

#define PORT_MAX 65535u
#define PROTOCOL_MAX 65535u /* u16 in the kernel, which takes any */
#define WEIGHT_MAX 65535u
#define THRESHOLD_MAX 0x7fffffffu
#define PERSISTENCE_MAX_SECONDS (31u * 86400u) /* ipvsadm's limit; the kernel multiplies by HZ unchecked */
#define TIMEOUT_MAX_SECONDS (0x7fffffffu / 1000u) /* ip_vs_set_timeout: INT_MAX / HZ, HZ at most 1000 */
#define SERVICE_FLAGS                                                                              \
	(IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_ONEPACKET | IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2 | \
	 IP_VS_SVC_F_SCHED3)

static bool known_family(uint32_t af)
{
	return af == AF_INET || af == AF_INET6;
}

/* A name that ends up in request_module("ip_vs_%s"): 1 to room-1 of a-z, 0-9, '_', '-'. */
static bool module_name(const char *text, size_t room)
{
	size_t len = strnlen(text, room);

	if (len == 0 || len == room)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
			return false;
	}
	return true;
}

/* dev_valid_name() without what no interface of ours can have. */
static bool interface_name(const char *text)
{
	size_t len = strnlen(text, VIPVS_IFN_LEN);

	return len > 0 && len < VIPVS_IFN_LEN && memchr(text, '/', len) == NULL &&
	       memchr(text, ' ', len) == NULL;
}

uint32_t vipvs_check_key(const struct vipvs_key *key)
{
	if (!known_family(key->af))
		return VIPVS_BAD_FAMILY;
	if (key->fwmark != 0)
		return 0;
	if (key->protocol > PROTOCOL_MAX)
		return VIPVS_BAD_PROTOCOL;
	return key->port > PORT_MAX ? VIPVS_BAD_PORT : 0;
}

/* The stricter form for what is created or changed. */
static uint32_t check_served_key(const struct vipvs_key *key)
{
	uint32_t bad = vipvs_check_key(key);

	if (bad != 0 || key->fwmark != 0)
		return bad;
	if (key->protocol != IPPROTO_TCP && key->protocol != IPPROTO_UDP && key->protocol != IPPROTO_SCTP)
		return VIPVS_BAD_PROTOCOL;
	return 0;
}

static uint32_t check_service(const struct vipvs_op *op)
{
	bool persistent = (op->u.service.flags & op->u.service.flags_mask & IP_VS_SVC_F_PERSISTENT) != 0;
	uint32_t bad = check_served_key(&op->key);

	if (bad != 0)
		return bad;
	/* ip_vs_schedule: "port zero only supported in persistent services" */
	if (op->key.fwmark == 0 && op->key.port == 0 && !persistent)
		return VIPVS_BAD_PORT;
	if (!module_name(op->u.service.scheduler, VIPVS_SCHED_LEN))
		return VIPVS_BAD_SCHEDULER;
	if (op->u.service.pe[0] != '\0' && !module_name(op->u.service.pe, VIPVS_PE_LEN))
		return VIPVS_BAD_PE;
	if ((op->u.service.flags & ~(uint32_t)SERVICE_FLAGS) != 0)
		return VIPVS_BAD_FLAGS;
	/* A template without time expires at once; a time without the flag is never used */
	if (persistent != (op->u.service.timeout != 0) || op->u.service.timeout > PERSISTENCE_MAX_SECONDS)
		return VIPVS_BAD_TIMEOUT;
	if (op->key.af == AF_INET6 && (op->u.service.netmask < 1 || op->u.service.netmask > 128))
		return VIPVS_BAD_NETMASK;
	return 0;
}

/* What ip_vs_new_dest refuses: everything but unicast. */
static bool unicast(uint32_t af, const uint8_t addr[16])
{
	static const uint8_t zero[16];

	if (af == AF_INET)
		return memcmp(addr, zero, 4) != 0 && (addr[0] & 0xf0) != 0xe0 &&
		       !(addr[0] == 255 && addr[1] == 255 && addr[2] == 255 && addr[3] == 255);
	return memcmp(addr, zero, 16) != 0 && addr[0] != 0xff && !(addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80);
}

static uint32_t check_tunnel(const struct vipvs_op *op)
{
	uint32_t type = op->u.dest.tunnel_type, port = op->u.dest.tunnel_port;
	uint32_t flags = op->u.dest.tunnel_flags;

	if (op->u.dest.forward != IP_VS_CONN_F_TUNNEL)
		return type != 0 ? VIPVS_BAD_TUNNEL_TYPE :
		       port != 0 ? VIPVS_BAD_TUNNEL_PORT :
		       flags != 0 ? VIPVS_BAD_TUNNEL_FLAGS : 0;
	if (type > IP_VS_CONN_F_TUNNEL_TYPE_GRE)
		return VIPVS_BAD_TUNNEL_TYPE;
	if (type == IP_VS_CONN_F_TUNNEL_TYPE_GUE ? port == 0 || port > PORT_MAX : port != 0)
		return VIPVS_BAD_TUNNEL_PORT;
	if (flags > IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM || (type == IP_VS_CONN_F_TUNNEL_TYPE_IPIP && flags != 0) ||
	    (type == IP_VS_CONN_F_TUNNEL_TYPE_GRE && flags == IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM))
		return VIPVS_BAD_TUNNEL_FLAGS;
	return 0;
}

/*
 * Direct and tunnel leave the packet's port as it is, but the kernel takes any port for the real server and
 * shows it. Masquerading to port 0 keeps the client's port: only for servers of all ports or of a mark.
 */
static uint32_t check_dest_port(const struct vipvs_op *op)
{
	uint32_t port = op->u.dest.port;

	if (port > PORT_MAX)
		return VIPVS_BAD_DEST_PORT;
	if (op->key.fwmark != 0)
		return 0;
	if (op->u.dest.forward == IP_VS_CONN_F_MASQ)
		return port == 0 && op->key.port != 0 ? VIPVS_BAD_DEST_PORT : 0;
	return port != op->key.port ? VIPVS_BAD_DEST_PORT : 0;
}

static uint32_t check_dest_key(const struct vipvs_op *op)
{
	if (!known_family(op->u.dest.af))
		return VIPVS_BAD_DEST_FAMILY;
	return op->u.dest.port > PORT_MAX ? VIPVS_BAD_DEST_PORT : 0;
}

static uint32_t check_dest(const struct vipvs_op *op)
{
	uint32_t bad = check_served_key(&op->key);

	if (bad == 0)
		bad = check_dest_key(op);
	if (bad != 0)
		return bad;
	if (op->u.dest.forward != IP_VS_CONN_F_MASQ && op->u.dest.forward != IP_VS_CONN_F_TUNNEL &&
	    op->u.dest.forward != IP_VS_CONN_F_DROUTE)
		return VIPVS_BAD_FORWARD;
	if (op->u.dest.af != op->key.af && op->u.dest.forward != IP_VS_CONN_F_TUNNEL)
		return VIPVS_BAD_DEST_FAMILY;
	if (!unicast(op->u.dest.af, op->u.dest.addr))
		return VIPVS_BAD_DEST_ADDRESS;
	bad = check_dest_port(op);
	if (bad != 0)
		return bad;
	if (op->u.dest.weight > WEIGHT_MAX)
		return VIPVS_BAD_WEIGHT;
	if (op->u.dest.upper_threshold > THRESHOLD_MAX ||
	    op->u.dest.lower_threshold > op->u.dest.upper_threshold)
		return VIPVS_BAD_THRESHOLD;
	return check_tunnel(op);
}

static uint32_t check_daemon(const struct vipvs_daemon *d, bool full)
{
	if (d->state != IP_VS_STATE_MASTER && d->state != IP_VS_STATE_BACKUP)
		return VIPVS_BAD_DAEMON_STATE;
	if (!full)
		return 0;
	if (!interface_name(d->interface))
		return VIPVS_BAD_DAEMON_INTERFACE;
	if (d->sync_id > 255)
		return VIPVS_BAD_DAEMON_SYNC_ID;
	if (d->max_len > 65535 || d->mcast_port > PORT_MAX || d->mcast_ttl > 255)
		return VIPVS_BAD_DAEMON_MCAST;
	if (d->mcast_af == 0 || (d->mcast_af == AF_INET && (d->mcast_group[0] & 0xf0) == 0xe0) ||
	    (d->mcast_af == AF_INET6 && d->mcast_group[0] == 0xff))
		return 0;
	return VIPVS_BAD_DAEMON_MCAST;
}

static uint32_t check_timeouts(const struct vipvs_timeouts *t)
{
	if (t->tcp > TIMEOUT_MAX_SECONDS || t->tcp_fin > TIMEOUT_MAX_SECONDS || t->udp > TIMEOUT_MAX_SECONDS)
		return VIPVS_BAD_TIMEOUTS;
	return t->tcp == 0 && t->tcp_fin == 0 && t->udp == 0 ? VIPVS_BAD_TIMEOUTS : 0;
}

static uint32_t check(const struct vipvs_op *op)
{
	uint32_t bad;

	switch (op->kind) {
	case VIPVS_NEW_SERVICE:
	case VIPVS_SET_SERVICE:
		return check_service(op);
	case VIPVS_DEL_SERVICE:
	case VIPVS_ZERO:
		return vipvs_check_key(&op->key);
	case VIPVS_NEW_DEST:
	case VIPVS_SET_DEST:
		return check_dest(op);
	case VIPVS_DEL_DEST:
		bad = vipvs_check_key(&op->key);
		return bad != 0 ? bad : check_dest_key(op);
	case VIPVS_NEW_DAEMON:
		return check_daemon(&op->u.daemon, true);
	case VIPVS_DEL_DAEMON:
		return check_daemon(&op->u.daemon, false);
	case VIPVS_SET_TIMEOUTS:
		return check_timeouts(&op->u.timeouts);
	default:
		return VIPVS_BAD_KIND;
	}
}

uint32_t vipvs_validate(const struct vipvs_op *op, uint32_t *error)
{
	uint32_t bad = check(op);

	/* The kernel's own numbers where it has them (ipvs.h: ERANGE for weights and thresholds) */
	*error = bad == 0 ? 0 :
		 bad == VIPVS_BAD_FAMILY ? EAFNOSUPPORT :
		 bad == VIPVS_BAD_WEIGHT || bad == VIPVS_BAD_THRESHOLD ? ERANGE : EINVAL;
	return bad;
}
