/*
 * internal.h - what the parts of libvipvs share: message encoding and decoding without a socket, so that the
 * golden tests and the fuzzer reach every line of them.
 */
#ifndef VIPVS_INTERNAL_H
#define VIPVS_INTERNAL_H

#include <stdbool.h>

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

/* ---- decode.c: no input, however broken, makes these read outside it ---- */

struct vipvs_cursor {
	const uint8_t *at;
	size_t left;
};

struct vipvs_message {
	uint16_t type;
	uint16_t flags;
	uint32_t seq;
	uint32_t error;      /* of NLMSG_ERROR and NLMSG_DONE: 0 or a positive errno */
	uint8_t cmd;         /* of a generic netlink message */
	const uint8_t *body; /* its attributes */
	size_t body_len;
};

/* 1: *m is the next message; 0: the datagram is used up; -EBADMSG: it is cut or malformed. */
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

/* ---- announce.c ---- */

#define VIPVS_FRAME_MAX 96
enum vipvs_arp_form { VIPVS_ARP_REQUEST = 1, VIPVS_ARP_REPLY = 2 };
size_t vipvs_arp_frame(enum vipvs_arp_form form, const uint8_t mac[6], const uint8_t addr[4], uint8_t *out);
size_t vipvs_na_frame(bool router, const uint8_t mac[6], const uint8_t addr[16], uint8_t *out);

#endif
