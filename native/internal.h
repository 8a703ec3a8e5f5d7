/*
 * internal.h - what the parts of libvipvs share: message encoding and decoding without a socket, so that the
 * golden tests and the fuzzer reach every line of them, and below them the handle, its sockets and its parts.
 * Nothing in here is exported.
 */
#ifndef VIPVS_INTERNAL_H
#define VIPVS_INTERNAL_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "vipvs.h"

/* The longest message is NEW_DEST with a GUE tunnel: 172 bytes. Every encode function needs this much room. */
#define VIPVS_MESSAGE_MAX 256

/* ---- validate.c: what the kernel does not check, or refuses without saying why ---- */

/* 0, or a VIPVS_BAD_* detail; *error is then its errno. */
uint32_t vipvs_validate(const struct vipvs_op *op, uint32_t *error);
/* The part of it that every lookup needs. */
uint32_t vipvs_check_key(const struct vipvs_key *key);

/* ---- encode.c: one netlink message each; they return its length, which is a multiple of 4 ---- */

size_t vipvs_encode_op(const struct vipvs_op *op, uint16_t family, uint32_t seq, uint8_t *out);
/* A command without attributes: GET_INFO, GET_CONFIG, and the dumps of services and daemons. */
size_t vipvs_encode_bare(uint8_t cmd, uint16_t family, uint32_t seq, uint16_t flags, uint8_t *out);
/* A command about one virtual server: GET_SERVICE, GET_DEST. */
size_t vipvs_encode_keyed(uint8_t cmd, const struct vipvs_key *key, uint16_t family, uint32_t seq,
			  uint16_t flags, uint8_t *out);
size_t vipvs_encode_getfamily(const char *name, uint32_t seq, uint8_t *out);
/* Asks for an acknowledgement of a message that is encoded already. */
void vipvs_want_ack(uint8_t *message);

/* ---- attr.c, decode.c, message.c: no input, however broken, makes these read outside it ---- */

struct vipvs_cursor {
	const uint8_t *at;
	size_t left;
};

struct vipvs_attr {
	uint16_t type;
	const uint8_t *data;
	size_t len;
};

/* 1: *a is the next attribute; 0: no more; -EBADMSG. A tail shorter than a header is padding. */
int vipvs_attr_next(struct vipvs_cursor *c, struct vipvs_attr *a);
/* Finds one top-level attribute, e.g. the nested SERVICE. 1, 0 or -EBADMSG. */
int vipvs_attr_find(const uint8_t *body, size_t len, uint16_t type, struct vipvs_attr *out);
/* The readers keep a verdict: the first attribute that is too short makes the whole record bad. */
void vipvs_attr_get(const struct vipvs_attr *a, void *out, size_t size, bool *bad);
uint32_t vipvs_attr_u8(const struct vipvs_attr *a, bool *bad);
uint16_t vipvs_attr_u16(const struct vipvs_attr *a, bool *bad);
uint32_t vipvs_attr_u32(const struct vipvs_attr *a, bool *bad);
uint64_t vipvs_attr_u64(const struct vipvs_attr *a, bool *bad);
/* Cut to the room, and filled up with NULs. */
void vipvs_attr_string(const struct vipvs_attr *a, char *out, size_t room);
/* Returns how many bytes there were: the family may come later than the address. */
size_t vipvs_attr_addr(const struct vipvs_attr *a, uint8_t out[16]);

struct vipvs_message {
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
	uint32_t error;      /* of NLMSG_ERROR and NLMSG_DONE: 0 or a positive errno */
	uint8_t cmd;         /* of a generic netlink message */
	const uint8_t *body; /* what follows the header; in a generic netlink message its attributes */
	size_t body_len;
};

/* 1: *m is the next message; 0: the datagram is used up; -EBADMSG: it is cut or malformed. */
int vipvs_next_header(struct vipvs_cursor *c, struct vipvs_message *m);
/* The same of a generic netlink socket: cmd is set, and the body begins behind the second header. */
int vipvs_next_message(struct vipvs_cursor *c, struct vipvs_message *m);

/* Attributes of one reply -> record. 0 or -EBADMSG. Unknown attributes are passed over. */
int vipvs_decode_service(const uint8_t *body, size_t len, struct vipvs_service *out);
int vipvs_decode_dest(const uint8_t *body, size_t len, struct vipvs_dest *out);
int vipvs_decode_daemon(const uint8_t *body, size_t len, struct vipvs_daemon *out);
int vipvs_decode_timeouts(const uint8_t *body, size_t len, struct vipvs_timeouts *out);
int vipvs_decode_info(const uint8_t *body, size_t len, struct vipvs_info *out);
int vipvs_decode_family_id(const uint8_t *body, size_t len, uint16_t *out);

/* One running dump. */
struct vipvs_dump {
	uint16_t family;
	uint8_t cmd; /* IPVS_CMD_NEW_SERVICE, _NEW_DEST or _NEW_DAEMON: what its messages carry */
	bool done;
	uint32_t seq;
	uint32_t error;     /* see struct vipvs_chunk */
	uint32_t key_index; /* copied into destination records */
};

/*
 * Decodes messages of one datagram until it is used up, the dump has ended, an error was found or the capacity
 * is reached. out is an array of the record that d->cmd means; *count grows with each one.
 */
void vipvs_dump_take(struct vipvs_dump *d, struct vipvs_cursor *c, void *out, uint32_t capacity,
		     uint32_t *count);

/* ---- socket.c: one netlink socket ---- */

#define VIPVS_SLOTS 4u
/* netlink_dump() never builds larger datagrams; smaller slots mean more of them */
#define VIPVS_SLOT_BYTES 32768u

struct vipvs_lane {
	int fd;
	uint32_t seq;
	uint32_t received; /* datagrams in the slots */
	uint32_t next;     /* first one not yet handed out */
	uint8_t *slots;
	struct mmsghdr headers[VIPVS_SLOTS];
	struct iovec vectors[VIPVS_SLOTS];
	struct sockaddr_nl senders[VIPVS_SLOTS];
};

/* slots: VIPVS_SLOTS times VIPVS_SLOT_BYTES, as long as the lane lives. */
void vipvs_lane_init(struct vipvs_lane *lane, uint8_t *slots);
/* protocol: NETLINK_GENERIC, NETLINK_ROUTE */
int vipvs_lane_connect(struct vipvs_lane *lane, int protocol, uint32_t timeout_ms);
int vipvs_lane_send(const struct vipvs_lane *lane, const void *data, size_t len);
/*
 * The next datagram that the kernel sent. 0, or -ENOBUFS (answers were lost), -ETIMEDOUT, -EMSGSIZE (cut).
 * It lies in the lane's slots until the next receive.
 */
int vipvs_lane_receive(struct vipvs_lane *lane, int flags, struct vipvs_cursor *out);

/* ---- handle.c, batch.c, dump.c: the handle ---- */

/* Measured on 60,000 operations: 64 -> 160 ms, 1024 -> 86 ms (User Mode Linux); no gain beyond. */
#define VIPVS_BURST_MESSAGES 1024u
#define VIPVS_BURST_BYTES (VIPVS_BURST_MESSAGES * 176u)

struct vipvs {
	uint16_t family;
	uint32_t timeout_ms;
	uint32_t burst_messages;
	uint32_t burst_bytes;
	struct vipvs_lane ops;
	struct vipvs_lane dump;
	bool dumping;
	struct vipvs_dump current;
	struct vipvs_cursor cursor;
	uint8_t send_buffer[VIPVS_BURST_BYTES];
	uint8_t ops_slots[VIPVS_SLOTS * VIPVS_SLOT_BYTES];
	uint8_t dump_slots[VIPVS_SLOTS * VIPVS_SLOT_BYTES];
};

/* After connecting: no more in a burst than the socket's buffers hold answers for. */
void vipvs_size_bursts(struct vipvs *v);

/* ---- announce.c ---- */

#define VIPVS_FRAME_MAX 96
enum vipvs_arp_form { VIPVS_ARP_REQUEST = 1, VIPVS_ARP_REPLY = 2 };
size_t vipvs_arp_frame(enum vipvs_arp_form form, const uint8_t mac[6], const uint8_t addr[4], uint8_t *out);
size_t vipvs_na_frame(bool router, const uint8_t mac[6], const uint8_t addr[16], uint8_t *out);

#endif
