/*
 * golden_test.c - every message and frame that the library sends, byte for byte against test/vectors, which a
 * second encoder (not this code) wrote; and every refusal of validate.c. Bytes are compared on little-endian hosts.
 */
#include "internal.h"
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#define FAMILY 0x1c

static void compare(const char *name, const uint8_t *got, size_t len)
{
	uint8_t want[512];
	size_t want_len = read_vector(name, want, sizeof want);

	CHECK(len == want_len, "%s: %zu bytes, want %zu", name, len, want_len);
	CHECK(len <= VIPVS_MESSAGE_MAX, "%s: longer than the room for a message", name);
	for (size_t i = 0; i < len && i < want_len; i++) {
		if (got[i] != want[i]) {
			CHECK(got[i] == want[i], "%s: byte %zu is %02x, want %02x", name, i, got[i], want[i]);
			return;
		}
	}
}

/* ---- operations ---- */

static struct vipvs_key key(uint32_t af, uint32_t protocol, const char *addr, uint32_t port)
{
	struct vipvs_key k = {.af = af, .protocol = protocol, .port = port};

	/* what lies behind an IPv4 address must not reach the kernel */
	memset(k.addr, 0xee, sizeof k.addr);
	inet_pton((int)af, addr, k.addr);
	return k;
}

static struct vipvs_key web(void)
{
	return key(AF_INET, IPPROTO_TCP, "192.0.2.10", 80);
}

static struct vipvs_key dns6(void)
{
	return key(AF_INET6, IPPROTO_UDP, "2001:db8::1", 53);
}

static struct vipvs_key mark(uint32_t af, uint32_t fwmark)
{
	return (struct vipvs_key){.af = af, .fwmark = fwmark};
}

static struct vipvs_op service(uint32_t kind, struct vipvs_key k, const char *scheduler, uint32_t flags,
			       uint32_t timeout, uint32_t netmask)
{
	struct vipvs_op op = {.kind = kind, .key = k};

	op.u.service.flags = flags;
	op.u.service.flags_mask = 0xffffffff;
	op.u.service.timeout = timeout;
	op.u.service.netmask = netmask;
	memcpy(op.u.service.scheduler, scheduler, strlen(scheduler));
	return op;
}

static struct vipvs_op dest(uint32_t kind, struct vipvs_key k, uint32_t af, const char *addr, uint32_t port,
			    uint32_t forward, uint32_t weight)
{
	struct vipvs_op op = {.kind = kind, .key = k};

	op.u.dest.af = af;
	op.u.dest.port = port;
	memset(op.u.dest.addr, 0xee, sizeof op.u.dest.addr);
	inet_pton((int)af, addr, op.u.dest.addr);
	op.u.dest.forward = forward;
	op.u.dest.weight = weight;
	return op;
}

static struct vipvs_op tunnel(struct vipvs_op op, uint32_t type, uint32_t port, uint32_t flags)
{
	op.u.dest.tunnel_type = type;
	op.u.dest.tunnel_port = port;
	op.u.dest.tunnel_flags = flags;
	return op;
}

static struct vipvs_op daemon_op(uint32_t kind, uint32_t state, uint32_t sync_id, const char *interface)
{
	struct vipvs_op op = {.kind = kind};

	op.u.daemon.state = state;
	op.u.daemon.sync_id = sync_id;
	memcpy(op.u.daemon.interface, interface, strlen(interface));
	return op;
}

static struct vipvs_op full_backup(uint32_t af, const char *group)
{
	struct vipvs_op op = daemon_op(VIPVS_NEW_DAEMON, IP_VS_STATE_BACKUP, 255, "enp0s31f6.4094a");

	op.u.daemon.max_len = 1400;
	op.u.daemon.mcast_port = 9000;
	op.u.daemon.mcast_ttl = 3;
	op.u.daemon.mcast_af = af;
	inet_pton((int)af, group, op.u.daemon.mcast_group);
	return op;
}

static struct vipvs_op timeouts(uint32_t tcp, uint32_t tcp_fin, uint32_t udp)
{
	return (struct vipvs_op){.kind = VIPVS_SET_TIMEOUTS, .u.timeouts = {tcp, tcp_fin, udp}};
}

static void golden_op(const char *name, struct vipvs_op op)
{
	uint8_t got[VIPVS_MESSAGE_MAX];
	uint32_t error;

	memset(got, 0xaa, sizeof got); /* padding that is not written shows */
	CHECK_EQUAL(vipvs_validate(&op, &error), 0, name);
	CHECK_EQUAL(error, 0, name);
	compare(name, got, vipvs_encode_op(&op, FAMILY, 1, got));
}

static void golden_ops(void)
{
	struct vipvs_op sip = service(VIPVS_NEW_SERVICE, dns6(), "rr", IP_VS_SVC_F_ONEPACKET, 0, 128);
	struct vipvs_op direct6 = dest(VIPVS_NEW_DEST, dns6(), AF_INET6, "2001:db8::99", 53,
				       IP_VS_CONN_F_DROUTE, 65535);

	memcpy(sip.u.service.pe, "sip", 3);
	direct6.u.dest.upper_threshold = 1000;
	direct6.u.dest.lower_threshold = 100;

	golden_op("new-service-v4", service(VIPVS_NEW_SERVICE, web(), "mh", 0x19, 300, 0xffffff00));
	golden_op("new-service-v6-sip", sip);
	golden_op("new-service-fwmark-v6", service(VIPVS_NEW_SERVICE, mark(AF_INET6, 8), "sh", 1, 60, 64));
	golden_op("set-service-v4", service(VIPVS_SET_SERVICE, web(), "abcdefghijklmno", 0, 0, 0xffffffff));
	golden_op("del-service-v4", (struct vipvs_op){.kind = VIPVS_DEL_SERVICE, .key = web()});
	golden_op("del-service-fwmark", (struct vipvs_op){.kind = VIPVS_DEL_SERVICE, .key = mark(AF_INET, 7)});
	golden_op("zero-service-sctp",
		  (struct vipvs_op){.kind = VIPVS_ZERO, .key = key(AF_INET6, IPPROTO_SCTP, "2001:db8::2", 9999)});
	golden_op("new-dest-masquerade",
		  dest(VIPVS_NEW_DEST, web(), AF_INET, "10.0.0.1", 8080, IP_VS_CONN_F_MASQ, 3));
	golden_op("new-dest-direct-v6", direct6);
	golden_op("new-dest-ipip", dest(VIPVS_NEW_DEST, web(), AF_INET, "10.0.0.3", 80, IP_VS_CONN_F_TUNNEL, 1));
	golden_op("new-dest-gue",
		  tunnel(dest(VIPVS_NEW_DEST, web(), AF_INET, "10.0.0.4", 80, IP_VS_CONN_F_TUNNEL, 1), 1, 6080, 2));
	golden_op("new-dest-gre-other-family",
		  tunnel(dest(VIPVS_NEW_DEST, dns6(), AF_INET, "10.0.0.5", 53, IP_VS_CONN_F_TUNNEL, 1), 2, 0, 1));
	golden_op("set-dest-drain", dest(VIPVS_SET_DEST, web(), AF_INET, "10.0.0.1", 8080, IP_VS_CONN_F_MASQ, 0));
	golden_op("del-dest", dest(VIPVS_DEL_DEST, web(), AF_INET, "10.0.0.1", 8080, 0, 0));
	golden_op("del-dest-fwmark",
		  dest(VIPVS_DEL_DEST, mark(AF_INET6, 8), AF_INET6, "2001:db8::99", 0, 0, 0));
	golden_op("new-daemon-master", daemon_op(VIPVS_NEW_DAEMON, IP_VS_STATE_MASTER, 51, "eth0"));
	golden_op("new-daemon-backup-v4", full_backup(AF_INET, "224.0.0.99"));
	golden_op("new-daemon-backup-v6", full_backup(AF_INET6, "ff02::51"));
	golden_op("del-daemon", daemon_op(VIPVS_DEL_DAEMON, IP_VS_STATE_BACKUP, 0, ""));
	golden_op("set-timeouts", timeouts(7500, 60, 30));
	golden_op("set-timeouts-udp", timeouts(0, 0, 30));
}

static void golden_questions(void)
{
	struct vipvs_key k = web(), k6 = dns6();
	struct vipvs_op del = {.kind = VIPVS_DEL_SERVICE, .key = k};
	uint8_t got[VIPVS_MESSAGE_MAX];
	size_t len;

	compare("getfamily", got, vipvs_encode_getfamily("IPVS", 1, got));
	compare("get-service", got, vipvs_encode_keyed(IPVS_CMD_GET_SERVICE, &k, FAMILY, 1, 0, got));
	compare("dump-dests", got, vipvs_encode_keyed(IPVS_CMD_GET_DEST, &k6, FAMILY, 1, NLM_F_DUMP, got));
	compare("dump-services", got, vipvs_encode_bare(IPVS_CMD_GET_SERVICE, FAMILY, 1, NLM_F_DUMP, got));
	compare("dump-daemons", got, vipvs_encode_bare(IPVS_CMD_GET_DAEMON, FAMILY, 1, NLM_F_DUMP, got));
	compare("get-config", got, vipvs_encode_bare(IPVS_CMD_GET_CONFIG, FAMILY, 1, 0, got));
	compare("get-info", got, vipvs_encode_bare(IPVS_CMD_GET_INFO, FAMILY, 1, 0, got));
	len = vipvs_encode_op(&del, FAMILY, 0x01020304, got);
	vipvs_want_ack(got);
	compare("acknowledged", got, len);
}

static void golden_frames(void)
{
	static const uint8_t mac[6] = {0x02, 0x00, 0x5e, 0x00, 0x10, 0x01};
	uint8_t got[VIPVS_FRAME_MAX], v4[4], v6[16];

	inet_pton(AF_INET, "192.0.2.10", v4);
	inet_pton(AF_INET6, "2001:db8::1", v6);
	compare("arp-request", got, vipvs_arp_frame(VIPVS_ARP_REQUEST, mac, v4, got));
	compare("arp-reply", got, vipvs_arp_frame(VIPVS_ARP_REPLY, mac, v4, got));
	compare("na", got, vipvs_na_frame(false, mac, v6, got));
	compare("na-router", got, vipvs_na_frame(true, mac, v6, got));
}

/* ---- refusals ---- */

static void refused(const char *name, struct vipvs_op op, uint32_t detail, uint32_t error)
{
	uint32_t got = 0;

	CHECK_EQUAL(vipvs_validate(&op, &got), detail, name);
	CHECK_EQUAL(got, error, name);
}

static void refuse_services(void)
{
	struct vipvs_op good = service(VIPVS_NEW_SERVICE, web(), "rr", 0, 0, 0xffffffff), op;

	refused("good", good, 0, 0);
	op = good, op.kind = 0;
	refused("kind 0", op, VIPVS_BAD_KIND, EINVAL);
	op = good, op.kind = 11;
	refused("kind 11", op, VIPVS_BAD_KIND, EINVAL);
	op = good, op.key.af = AF_UNIX;
	refused("family", op, VIPVS_BAD_FAMILY, EAFNOSUPPORT);
	op = good, op.key.protocol = 99;
	refused("protocol 99", op, VIPVS_BAD_PROTOCOL, EINVAL);
	op = good, op.key.protocol = 99, op.kind = VIPVS_DEL_SERVICE;
	refused("protocol 99 can be deleted", op, 0, 0);
	op = good, op.key.protocol = 65536 + 6, op.kind = VIPVS_DEL_SERVICE;
	refused("protocol 65542", op, VIPVS_BAD_PROTOCOL, EINVAL);
	op = good, op.key.port = 65616;
	refused("port 65616", op, VIPVS_BAD_PORT, EINVAL);
	op = good, op.key.port = 0;
	refused("port 0 without persistence", op, VIPVS_BAD_PORT, EINVAL);
	op = service(VIPVS_NEW_SERVICE, web(), "rr", IP_VS_SVC_F_PERSISTENT, 60, 0xffffffff), op.key.port = 0;
	refused("port 0 with persistence", op, 0, 0);
	op = good, memset(op.u.service.scheduler, 'r', VIPVS_SCHED_LEN);
	refused("scheduler without its NUL", op, VIPVS_BAD_SCHEDULER, EINVAL);
	op = good, op.u.service.scheduler[0] = '\0';
	refused("no scheduler", op, VIPVS_BAD_SCHEDULER, EINVAL);
	op = good, op.u.service.scheduler[0] = '/';
	refused("scheduler with a slash", op, VIPVS_BAD_SCHEDULER, EINVAL);
	op = good, memset(op.u.service.pe, 's', VIPVS_PE_LEN);
	refused("engine without its NUL", op, VIPVS_BAD_PE, EINVAL);
	op = good, op.u.service.flags = IP_VS_SVC_F_HASHED;
	refused("flag hashed", op, VIPVS_BAD_FLAGS, EINVAL);
	op = good, op.u.service.timeout = 60;
	refused("timeout without the flag", op, VIPVS_BAD_TIMEOUT, EINVAL);
	op = good, op.u.service.flags = IP_VS_SVC_F_PERSISTENT;
	refused("flag without timeout", op, VIPVS_BAD_TIMEOUT, EINVAL);
	op = good, op.u.service.flags = IP_VS_SVC_F_PERSISTENT, op.u.service.timeout = 31 * 86400 + 1;
	refused("timeout of more than 31 days", op, VIPVS_BAD_TIMEOUT, EINVAL);
	op = service(VIPVS_NEW_SERVICE, dns6(), "rr", 0, 0, 0xffffffff);
	refused("IPv4 netmask for IPv6", op, VIPVS_BAD_NETMASK, EINVAL);
	op = service(VIPVS_NEW_SERVICE, dns6(), "rr", 0, 0, 0);
	refused("prefix length 0", op, VIPVS_BAD_NETMASK, EINVAL);
}

static void refuse_dest_addresses(void)
{
	static const char *const v4[] = {"0.0.0.0", "224.0.0.1", "239.255.255.255", "255.255.255.255"};
	static const char *const v6[] = {"::", "ff02::1", "fe80::1", "febf::1"};

	for (size_t i = 0; i < sizeof v4 / sizeof *v4; i++)
		refused(v4[i], dest(VIPVS_NEW_DEST, web(), AF_INET, v4[i], 80, 0, 1), VIPVS_BAD_DEST_ADDRESS, EINVAL);
	for (size_t i = 0; i < sizeof v6 / sizeof *v6; i++)
		refused(v6[i], dest(VIPVS_NEW_DEST, dns6(), AF_INET6, v6[i], 53, 0, 1), VIPVS_BAD_DEST_ADDRESS, EINVAL);
	refused("fec0::1", dest(VIPVS_NEW_DEST, dns6(), AF_INET6, "fec0::1", 53, 0, 1), 0, 0);
	refused("multicast can be deleted", dest(VIPVS_DEL_DEST, web(), AF_INET, "224.0.0.1", 80, 0, 1), 0, 0);
}

static void refuse_dests(void)
{
	struct vipvs_op good = dest(VIPVS_NEW_DEST, web(), AF_INET, "10.0.0.1", 80, IP_VS_CONN_F_MASQ, 1), op;

	refused("good", good, 0, 0);
	op = good, op.key.protocol = 50;
	refused("protocol ESP", op, VIPVS_BAD_PROTOCOL, EINVAL);
	op = good, op.u.dest.af = 0;
	refused("family 0", op, VIPVS_BAD_DEST_FAMILY, EINVAL);
	op = dest(VIPVS_NEW_DEST, dns6(), AF_INET, "10.0.0.1", 53, IP_VS_CONN_F_MASQ, 1);
	refused("other family without tunnel", op, VIPVS_BAD_DEST_FAMILY, EINVAL);
	for (uint32_t forward = 0; forward < 8; forward++) {
		bool known = forward == 0 || forward == 2 || forward == 3;
		op = good, op.u.dest.forward = forward;
		refused("forward", op, known ? 0 : VIPVS_BAD_FORWARD, known ? 0 : EINVAL);
	}
	op = good, op.u.dest.weight = 65536;
	refused("weight 65536", op, VIPVS_BAD_WEIGHT, ERANGE);
	op = good, op.u.dest.weight = 0xffffffff;
	refused("weight -1", op, VIPVS_BAD_WEIGHT, ERANGE);
	op = good, op.u.dest.lower_threshold = 1;
	refused("lower above upper", op, VIPVS_BAD_THRESHOLD, ERANGE);
	op = good, op.u.dest.upper_threshold = 0x80000000;
	refused("upper above INT_MAX", op, VIPVS_BAD_THRESHOLD, ERANGE);
}

static void refuse_dest_ports(void)
{
	struct vipvs_op good = dest(VIPVS_NEW_DEST, web(), AF_INET, "10.0.0.1", 80, IP_VS_CONN_F_MASQ, 1), op;

	op = good, op.u.dest.port = 65536;
	refused("port 65536", op, VIPVS_BAD_DEST_PORT, EINVAL);
	op = good, op.u.dest.port = 65536, op.kind = VIPVS_DEL_DEST;
	refused("port 65536 to delete", op, VIPVS_BAD_DEST_PORT, EINVAL);
	op = good, op.u.dest.port = 0;
	refused("masquerade to port 0", op, VIPVS_BAD_DEST_PORT, EINVAL);
	op = good, op.u.dest.port = 81, op.u.dest.forward = IP_VS_CONN_F_DROUTE;
	refused("direct to another port", op, VIPVS_BAD_DEST_PORT, EINVAL);
	op = good, op.u.dest.port = 81, op.u.dest.forward = IP_VS_CONN_F_TUNNEL;
	refused("tunnel to another port", op, VIPVS_BAD_DEST_PORT, EINVAL);
	op = good, op.key = mark(AF_INET, 7), op.u.dest.port = 0, op.u.dest.forward = IP_VS_CONN_F_DROUTE;
	refused("any port for a mark", op, 0, 0);
	op = good, op.key.port = 0, op.u.dest.port = 0;
	refused("masquerade of all ports", op, 0, 0);
}

static void refuse_tunnels(void)
{
	struct vipvs_op t = dest(VIPVS_NEW_DEST, web(), AF_INET, "10.0.0.1", 80, IP_VS_CONN_F_TUNNEL, 1), nat = t;

	nat.u.dest.forward = IP_VS_CONN_F_MASQ;
	refused("type without tunnel", tunnel(nat, 1, 0, 0), VIPVS_BAD_TUNNEL_TYPE, EINVAL);
	refused("port without tunnel", tunnel(nat, 0, 1, 0), VIPVS_BAD_TUNNEL_PORT, EINVAL);
	refused("flags without tunnel", tunnel(nat, 0, 0, 1), VIPVS_BAD_TUNNEL_FLAGS, EINVAL);
	refused("type 9", tunnel(t, 9, 0, 0), VIPVS_BAD_TUNNEL_TYPE, EINVAL);
	refused("gue port 0", tunnel(t, 1, 0, 0), VIPVS_BAD_TUNNEL_PORT, EINVAL);
	refused("gue port 65536", tunnel(t, 1, 65536, 0), VIPVS_BAD_TUNNEL_PORT, EINVAL);
	refused("ipip port", tunnel(t, 0, 6080, 0), VIPVS_BAD_TUNNEL_PORT, EINVAL);
	refused("gue flags 3", tunnel(t, 1, 6080, 3), VIPVS_BAD_TUNNEL_FLAGS, EINVAL);
	refused("ipip flags", tunnel(t, 0, 0, 1), VIPVS_BAD_TUNNEL_FLAGS, EINVAL);
	refused("gre remote checksum", tunnel(t, 2, 0, 2), VIPVS_BAD_TUNNEL_FLAGS, EINVAL);
	refused("gre without checksum", tunnel(t, 2, 0, 0), 0, 0);
}

static void refuse_daemons(void)
{
	struct vipvs_op good = daemon_op(VIPVS_NEW_DAEMON, IP_VS_STATE_MASTER, 0, "eth0"), op;

	refused("good", good, 0, 0);
	op = good, op.u.daemon.state = 3;
	refused("both roles", op, VIPVS_BAD_DAEMON_STATE, EINVAL);
	op = good, op.u.daemon.state = 0, op.kind = VIPVS_DEL_DAEMON;
	refused("no role to stop", op, VIPVS_BAD_DAEMON_STATE, EINVAL);
	op = good, op.u.daemon.interface[0] = '\0';
	refused("no interface", op, VIPVS_BAD_DAEMON_INTERFACE, EINVAL);
	op = good, memset(op.u.daemon.interface, 'e', VIPVS_IFN_LEN);
	refused("interface without its NUL", op, VIPVS_BAD_DAEMON_INTERFACE, EINVAL);
	op = good, op.u.daemon.interface[1] = '/';
	refused("interface with a slash", op, VIPVS_BAD_DAEMON_INTERFACE, EINVAL);
	op = good, op.u.daemon.sync_id = 256;
	refused("id 256", op, VIPVS_BAD_DAEMON_SYNC_ID, EINVAL);
	op = good, op.u.daemon.mcast_port = 65536;
	refused("port 65536", op, VIPVS_BAD_DAEMON_MCAST, EINVAL);
	op = good, op.u.daemon.mcast_ttl = 256;
	refused("ttl 256", op, VIPVS_BAD_DAEMON_MCAST, EINVAL);
	op = good, op.u.daemon.max_len = 65536;
	refused("length 65536", op, VIPVS_BAD_DAEMON_MCAST, EINVAL);
	refused("unicast group", full_backup(AF_INET, "192.0.2.1"), VIPVS_BAD_DAEMON_MCAST, EINVAL);
	refused("unicast group v6", full_backup(AF_INET6, "2001:db8::1"), VIPVS_BAD_DAEMON_MCAST, EINVAL);
	op = good, op.u.daemon.mcast_af = 1;
	refused("group of family 1", op, VIPVS_BAD_DAEMON_MCAST, EINVAL);
	refused("no timeout", timeouts(0, 0, 0), VIPVS_BAD_TIMEOUTS, EINVAL);
	refused("timeout too long", timeouts(0, 2147484, 0), VIPVS_BAD_TIMEOUTS, EINVAL);
}

int main(void)
{
	/* the files hold host-order fields as a little-endian host writes them */
	if (htonl(1) != 1) {
		golden_ops();
		golden_questions();
	}
	golden_frames();
	refuse_services();
	refuse_dest_addresses();
	refuse_dests();
	refuse_dest_ports();
	refuse_tunnels();
	refuse_daemons();
	return report("golden_test");
}
