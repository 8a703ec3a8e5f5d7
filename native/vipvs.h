/*
 * vipvs.h - the ABI of libvipvs: IPVS over generic netlink, flat buffers in, flat buffers out.
 *
 * Rules every function keeps: no globals, no logging, no allocation after vipvs_open(), records are in the
 * host's byte order, addresses in network order (IPv4 in the first four bytes, the other twelve zero).
 * Functions return 0 or a positive count, or -errno. One handle has two lanes: "ops" (vipvs_run, vipvs_get_*)
 * and "dump" (vipvs_dump*); each lane takes one call at a time, the two lanes may run in two threads.
 *
 * IPVS interface: linux/ip_vs.h (generic netlink part), net/netfilter/ipvs/ip_vs_ctl.c.
 */
#ifndef VIPVS_H
#define VIPVS_H

#include <stddef.h>
#include <stdint.h>

#define VIPVS_ABI 1
#define VIPVS_API __attribute__((visibility("default")))

/* ---- records ---------------------------------------------------------------------------------------- */

#define VIPVS_SCHED_LEN 16 /* IP_VS_SCHEDNAME_MAXLEN, with the NUL */
#define VIPVS_PE_LEN 16    /* IP_VS_PENAME_MAXLEN, with the NUL */
#define VIPVS_IFN_LEN 16   /* IP_VS_IFNAME_MAXLEN, with the NUL */

/* Key of a virtual server: (af, fwmark) where fwmark is not 0, else (af, protocol, addr, port). */
struct vipvs_key {
	uint32_t af;       /* AF_INET 2, AF_INET6 10 */
	uint32_t protocol; /* IPPROTO_*; not checked where a server is only looked up */
	uint32_t port;     /* host order; wider than a port so that 65616 is refused, not taken for 80 */
	uint32_t fwmark;
	uint8_t addr[16];
};
_Static_assert(sizeof(struct vipvs_key) == 32, "ABI");

struct vipvs_counters { /* STATS64: values of the kernel's last estimation pass (every 2 s), not live */
	uint64_t connections;
	uint64_t in_packets;
	uint64_t out_packets;
	uint64_t in_bytes;
	uint64_t out_bytes;
};
_Static_assert(sizeof(struct vipvs_counters) == 40, "ABI");

struct vipvs_service {
	struct vipvs_key key;
	uint32_t flags;   /* IP_VS_SVC_F_* */
	uint32_t timeout; /* persistence, seconds */
	uint32_t netmask; /* IPv4: the mask in host order (0xffffff00); IPv6: the prefix length */
	uint32_t reserved;
	char scheduler[VIPVS_SCHED_LEN];
	char pe[VIPVS_PE_LEN]; /* persistence engine, "" = none */
	struct vipvs_counters counters;
};
_Static_assert(sizeof(struct vipvs_service) == 120, "ABI");

struct vipvs_dest {
	uint32_t key_index; /* which of the keys of vipvs_dump_dests() */
	uint32_t af;
	uint32_t port;
	uint8_t addr[16];
	uint32_t forward; /* IP_VS_CONN_F_FWD_MASK part: 0 masquerade, 1 local, 2 tunnel, 3 direct, 4 bypass */
	uint32_t weight;
	uint32_t upper_threshold;
	uint32_t lower_threshold;
	uint32_t active;
	uint32_t inactive;
	uint32_t persistent;
	uint32_t tunnel_port;
	uint32_t tunnel_type; /* 0 ipip, 1 gue, 2 gre */
	uint32_t tunnel_flags; /* 0 none, 1 full, 2 remote checksum */
	uint32_t reserved;
	struct vipvs_counters counters;
};
_Static_assert(sizeof(struct vipvs_dest) == 112, "ABI");

struct vipvs_daemon {
	uint32_t state;      /* 1 master, 2 backup */
	uint32_t sync_id;    /* 0 to 255 */
	uint32_t max_len;    /* UDP payload, 0 = the kernel's choice */
	uint32_t mcast_port; /* 0 = the kernel's choice, 8848 */
	uint32_t mcast_ttl;  /* 0 = the kernel's choice, 1 */
	uint32_t mcast_af;   /* 0 = the kernel's choice, 224.0.0.81 */
	char interface[VIPVS_IFN_LEN];
	uint8_t mcast_group[16];
};
_Static_assert(sizeof(struct vipvs_daemon) == 56, "ABI");

struct vipvs_timeouts { /* seconds; 0 in VIPVS_SET_TIMEOUTS = leave as it is */
	uint32_t tcp;
	uint32_t tcp_fin;
	uint32_t udp;
};
_Static_assert(sizeof(struct vipvs_timeouts) == 12, "ABI");

struct vipvs_info {
	uint32_t version; /* 0x010201 */
	uint32_t connection_table_size;
};
_Static_assert(sizeof(struct vipvs_info) == 8, "ABI");

enum vipvs_kind {
	VIPVS_NEW_SERVICE = 1,
	VIPVS_SET_SERVICE = 2,
	VIPVS_DEL_SERVICE = 3,
	VIPVS_NEW_DEST = 4,
	VIPVS_SET_DEST = 5,
	VIPVS_DEL_DEST = 6,
	VIPVS_ZERO = 7, /* counters of one virtual server */
	VIPVS_NEW_DAEMON = 8,
	VIPVS_DEL_DAEMON = 9,
	VIPVS_SET_TIMEOUTS = 10,
};

/* One operation. Fields that the kind does not use are ignored. */
struct vipvs_op {
	uint32_t kind;
	struct vipvs_key key;
	union {
		struct { /* NEW/SET_SERVICE */
			uint32_t flags;
			uint32_t flags_mask; /* SET: bits to change; the others stay */
			uint32_t timeout;
			uint32_t netmask;
			char scheduler[VIPVS_SCHED_LEN]; /* "none" = no scheduler */
			char pe[VIPVS_PE_LEN];
		} service;
		struct { /* NEW/SET/DEL_DEST */
			uint32_t af;
			uint32_t port;
			uint8_t addr[16];
			uint32_t forward;
			uint32_t weight;
			uint32_t upper_threshold;
			uint32_t lower_threshold;
			uint32_t tunnel_port;
			uint32_t tunnel_type;
			uint32_t tunnel_flags;
		} dest;
		struct vipvs_daemon daemon;     /* NEW/DEL_DAEMON */
		struct vipvs_timeouts timeouts; /* SET_TIMEOUTS */
	} u;
};
_Static_assert(sizeof(struct vipvs_op) == 92, "ABI");
_Static_assert(offsetof(struct vipvs_op, u) == 36, "ABI");

/*
 * What became of one operation.
 *   error 0                                  done
 *   error > 0, detail VIPVS_BY_KERNEL        the kernel refused it with this errno
 *   error > 0, detail VIPVS_OUTCOME_UNKNOWN  sent, but its answer was lost: it may have happened; read the state again
 *   error > 0, detail VIPVS_NOT_SENT         an earlier failure stopped the run: it did not happen
 *   error EINVAL or ERANGE, detail VIPVS_BAD_*  refused here, never sent: the kernel would have taken it
 *                                            (ip_vs_ctl.c does not check these) or said only EINVAL
 */
struct vipvs_result {
	uint32_t error;
	uint32_t detail;
};
_Static_assert(sizeof(struct vipvs_result) == 8, "ABI");

enum vipvs_detail {
	VIPVS_BY_KERNEL = 0,
	VIPVS_OUTCOME_UNKNOWN = 1,
	VIPVS_NOT_SENT = 2,
	VIPVS_BAD_KIND = 10,
	VIPVS_BAD_FAMILY = 11,
	VIPVS_BAD_PROTOCOL = 12,
	VIPVS_BAD_PORT = 13,
	VIPVS_BAD_SCHEDULER = 14,
	VIPVS_BAD_PE = 15,
	VIPVS_BAD_FLAGS = 16,
	VIPVS_BAD_TIMEOUT = 17,
	VIPVS_BAD_NETMASK = 18,
	VIPVS_BAD_DEST_FAMILY = 20,
	VIPVS_BAD_DEST_ADDRESS = 21,
	VIPVS_BAD_DEST_PORT = 22,
	VIPVS_BAD_FORWARD = 23,
	VIPVS_BAD_WEIGHT = 24,
	VIPVS_BAD_THRESHOLD = 25,
	VIPVS_BAD_TUNNEL_TYPE = 26,
	VIPVS_BAD_TUNNEL_PORT = 27,
	VIPVS_BAD_TUNNEL_FLAGS = 28,
	VIPVS_BAD_DAEMON_STATE = 30,
	VIPVS_BAD_DAEMON_INTERFACE = 31,
	VIPVS_BAD_DAEMON_SYNC_ID = 32,
	VIPVS_BAD_DAEMON_MCAST = 33,
	VIPVS_BAD_TIMEOUTS = 34,
};

/* One address to announce (announce.c). */
struct vipvs_announcement {
	uint32_t af;
	uint32_t router; /* IPv6: 1 sets the R flag (RFC 4861 4.4): this host forwards IPv6 */
	uint8_t addr[16];
	uint32_t error; /* out: 0 or errno */
};
_Static_assert(sizeof(struct vipvs_announcement) == 28, "ABI");

/* What one vipvs_dump*() call brought. */
struct vipvs_chunk {
	uint32_t count;    /* records written */
	uint32_t more;     /* 1: call again; 0: the dump has ended */
	uint32_t error;    /* 0: complete so far. Else the dump is incomplete and has ended: what is not in it may
	                      still exist. EINTR the kernel says the table changed, ENOBUFS or ETIMEDOUT answers
	                      lost, EMSGSIZE or EBADMSG a cut or malformed message, or the kernel's own errno */
	uint32_t next_key; /* vipvs_dump_dests: keys below this index have been read to their end */
};
_Static_assert(sizeof(struct vipvs_chunk) == 16, "ABI");

/* ---- calls ------------------------------------------------------------------------------------------ */

/* Sizes of the records, in the order op, result, service, dest, daemon, timeouts, info, key, chunk, announcement. */
#define VIPVS_SIZES 10
VIPVS_API uint32_t vipvs_abi_version(void);
VIPVS_API void vipvs_abi_sizes(uint32_t sizes[VIPVS_SIZES]);

struct vipvs;

/*
 * Opens the sockets in the calling thread's network namespace and resolves the IPVS family, which loads the
 * module where it can be. timeout_ms bounds every single wait for an answer. NULL with *error = ENOENT: the
 * kernel has no IPVS. EPERM: no CAP_NET_ADMIN in the initial user namespace.
 */
VIPVS_API struct vipvs *vipvs_open(uint32_t timeout_ms, uint32_t *error);
VIPVS_API void vipvs_close(struct vipvs *v);

/*
 * Runs count operations in order; each gets its result. There is no transaction: one that fails does not stop
 * the ones behind it. Returns 0, or -errno where answers were lost or sending failed (then results carry
 * VIPVS_OUTCOME_UNKNOWN and VIPVS_NOT_SENT).
 *
 * Callers with thousands of operations should split them and yield between the calls: up to Linux 7.0 every
 * operation takes one global mutex that dumps of other namespaces want too, and from 7.1 the service table is
 * resized by a delayed work item that only tries that mutex, so that an unbroken load on one CPU keeps it at 16
 * buckets (223 us instead of 16-36 us per operation at 50,000; reading: ip_vs_ctl.c svc_resize_work_handler).
 */
VIPVS_API int vipvs_run(struct vipvs *v, const struct vipvs_op *ops, uint32_t count,
			struct vipvs_result *results);

VIPVS_API int vipvs_get_service(struct vipvs *v, const struct vipvs_key *key, struct vipvs_service *out);
VIPVS_API int vipvs_get_timeouts(struct vipvs *v, struct vipvs_timeouts *out);
VIPVS_API int vipvs_get_info(struct vipvs *v, struct vipvs_info *out);

/*
 * Dumps, chunk by chunk: call again with the same arguments while chunk->more. The first call starts the dump;
 * vipvs_dump_stop() abandons one that is not wanted any more. The kernel's dumps are not snapshots and it never
 * says so: services added meanwhile may appear twice, others may be missing where some were deleted.
 * An unknown service has no destinations and gives no error.
 */
VIPVS_API int vipvs_dump_services(struct vipvs *v, struct vipvs_service *out, uint32_t capacity,
				  struct vipvs_chunk *chunk);
VIPVS_API int vipvs_dump_dests(struct vipvs *v, const struct vipvs_key *keys, uint32_t key_count,
			       struct vipvs_dest *out, uint32_t capacity, struct vipvs_chunk *chunk);
VIPVS_API int vipvs_dump_daemons(struct vipvs *v, struct vipvs_daemon *out, uint32_t capacity,
				 struct vipvs_chunk *chunk);
VIPVS_API void vipvs_dump_stop(struct vipvs *v);

/*
 * Announces addresses on one interface: gratuitous ARP in request and in reply form, unsolicited neighbour
 * advertisement. Needs no handle. Returns the number of addresses that failed, or -errno where nothing was sent.
 */
VIPVS_API int vipvs_announce(uint32_t ifindex, struct vipvs_announcement *list, uint32_t count);

/* A netlink socket that somebody else opened: a receive buffer of that size, NETLINK_NO_ENOBUFS. 0 or -errno. */
VIPVS_API int vipvs_tune_netlink(int fd, uint32_t receive_bytes);

#endif
