/*
 * socket.c - the handle: two generic netlink sockets ("lanes"), the batch engine and the chunked dumps.
 *
 * The kernel runs all messages of one send in order and inside send() itself (netlink_rcv_skb), so every answer
 * is queued when send() returns. Only failures are answered, plus the last message, which carries NLM_F_ACK:
 * seeing that answer means the burst is complete. Waiting is bounded all the same.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SOCKET_BUFFER (8 << 20)
/* Measured on 60,000 operations: 64 -> 160 ms, 1024 -> 86 ms (User Mode Linux); no gain beyond. */
#define BURST_MESSAGES 1024u
#define BURST_BYTES (BURST_MESSAGES * 176u)
/* An error answer occupies less than this of the receive buffer (sk_buff truesize of a 36-byte message). */
#define ANSWER_COST 1024u
#define SLOTS 4u
/* netlink_dump() never builds larger datagrams; smaller slots mean more of them */
#define SLOT_BYTES 32768u

struct lane {
	int fd;
	uint32_t seq;
	uint32_t received; /* datagrams in the slots */
	uint32_t next;     /* first one not yet handed out */
	uint8_t *slots;
	struct mmsghdr headers[SLOTS];
	struct iovec vectors[SLOTS];
	struct sockaddr_nl senders[SLOTS];
};

struct vipvs {
	uint16_t family;
	uint32_t timeout_ms;
	uint32_t burst_messages;
	uint32_t burst_bytes;
	struct lane ops;
	struct lane dump;
	bool dumping;
	struct vipvs_dump current;
	struct vipvs_cursor cursor;
	uint8_t send_buffer[BURST_BYTES];
	uint8_t ops_slots[SLOTS * SLOT_BYTES];
	uint8_t dump_slots[SLOTS * SLOT_BYTES];
};

/* ---- lanes ---- */

static int lane_connect(struct lane *lane, uint32_t timeout_ms)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = (timeout_ms % 1000) * 1000};
	int size = SOCKET_BUFFER, on = 1, error;

	lane->received = lane->next = 0;
	lane->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	if (lane->fd < 0)
		return -errno;
	/* Without CAP_NET_ADMIN the buffers stay small; vipvs_open() sizes its bursts by what it got */
	(void)setsockopt(lane->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
	(void)setsockopt(lane->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
	/* Errors without a copy of the request: 36 bytes each. Older kernels refuse these two: larger answers */
	(void)setsockopt(lane->fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	(void)setsockopt(lane->fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	if (setsockopt(lane->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0 ||
	    bind(lane->fd, (struct sockaddr *)&kernel, sizeof kernel) < 0 ||
	    connect(lane->fd, (struct sockaddr *)&kernel, sizeof kernel) < 0) {
		error = errno;
		close(lane->fd);
		lane->fd = -1;
		return -error;
	}
	return 0;
}

static void lane_init(struct lane *lane, uint8_t *slots)
{
	lane->fd = -1;
	lane->seq = 1;
	lane->slots = slots;
	for (uint32_t i = 0; i < SLOTS; i++) {
		lane->vectors[i] = (struct iovec){slots + i * SLOT_BYTES, SLOT_BYTES};
		lane->headers[i].msg_hdr.msg_iov = &lane->vectors[i];
		lane->headers[i].msg_hdr.msg_iovlen = 1;
		lane->headers[i].msg_hdr.msg_name = &lane->senders[i];
	}
}

static int lane_send(const struct lane *lane, const void *data, size_t len)
{
	ssize_t sent;

	do
		sent = send(lane->fd, data, len, 0);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return -errno;
	return (size_t)sent == len ? 0 : -EMSGSIZE; /* a netlink send is whole or not at all */
}

/*
 * The next datagram that the kernel sent. 0, or -ENOBUFS (answers were lost), -ETIMEDOUT, -EMSGSIZE (cut).
 * recvmmsg: the data and the end of a small dump come with one system call.
 */
static int lane_receive(struct lane *lane, int flags, struct vipvs_cursor *out)
{
	for (;;) {
		uint32_t i = lane->next;
		int n;

		if (i < lane->received) {
			lane->next++;
			if (lane->headers[i].msg_hdr.msg_namelen < sizeof(struct sockaddr_nl) ||
			    lane->senders[i].nl_pid != 0)
				continue; /* not from the kernel */
			if (lane->headers[i].msg_hdr.msg_flags & MSG_TRUNC)
				return -EMSGSIZE;
			*out = (struct vipvs_cursor){lane->slots + i * SLOT_BYTES, lane->headers[i].msg_len};
			return 0;
		}
		for (i = 0; i < SLOTS; i++)
			lane->headers[i].msg_hdr.msg_namelen = sizeof(struct sockaddr_nl);
		lane->received = lane->next = 0;
		n = recvmmsg(lane->fd, lane->headers, SLOTS, MSG_WAITFORONE | flags, NULL);
		if (n >= 0)
			lane->received = (uint32_t)n;
		else if (errno == EAGAIN)
			return -ETIMEDOUT;
		else if (errno != EINTR)
			return -errno;
	}
}

/* ---- one question, one answer ---- */

/* Sends one request; on 0 *m is the reply, which lies in the lane's slots until the next receive. */
static int ask(struct lane *lane, const uint8_t *request, size_t len, uint32_t seq, struct vipvs_message *m)
{
	struct vipvs_cursor c;
	int r = lane_send(lane, request, len);

	while (r == 0) {
		r = lane_receive(lane, 0, &c);
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

/* ---- batches ---- */

struct burst {
	uint32_t first;    /* index of the first operation */
	uint32_t end;      /* index behind the last one */
	uint32_t base_seq; /* sequence number of `first`; the others follow by index */
	uint32_t last_seq; /* of the message that carries the ACK */
	uint32_t messages;
	size_t bytes;
};

static void burst_fill(struct vipvs *v, const struct vipvs_op *ops, uint32_t count,
		       struct vipvs_result *results, struct burst *b)
{
	uint8_t *last = NULL;

	b->base_seq = v->ops.seq;
	b->messages = 0;
	b->bytes = 0;
	for (b->end = b->first; b->end < count && b->messages < v->burst_messages; b->end++) {
		struct vipvs_result *result = &results[b->end];

		if (b->bytes + VIPVS_MESSAGE_MAX > v->burst_bytes)
			break;
		result->detail = vipvs_validate(&ops[b->end], &result->error);
		if (result->detail != 0)
			continue;
		last = v->send_buffer + b->bytes;
		b->last_seq = b->base_seq + (b->end - b->first);
		b->bytes += vipvs_encode_op(&ops[b->end], v->family, b->last_seq, last);
		b->messages++;
	}
	v->ops.seq += b->end - b->first;
	if (last != NULL)
		vipvs_want_ack(last);
}

/* Puts the answers of one datagram into the results. True when the last message of the burst was answered. */
static bool burst_answers(const struct burst *b, struct vipvs_cursor *c, struct vipvs_result *results, int *error)
{
	struct vipvs_message m;
	bool complete = false;
	int r;

	while ((r = vipvs_next_message(c, &m)) > 0) {
		uint32_t index = m.seq - b->base_seq;

		if (m.type != NLMSG_ERROR || index >= b->end - b->first)
			continue;
		results[b->first + index].error = m.error;
		complete |= m.seq == b->last_seq;
	}
	if (r < 0)
		*error = r;
	return complete;
}

/* Collects answers until the burst is complete. 0 or -errno: some may have been lost. */
static int burst_collect(struct vipvs *v, const struct burst *b, struct vipvs_result *results)
{
	int lost = 0;

	for (;;) {
		struct vipvs_cursor c;
		/* Once something is lost the ACK may be, too: take what is there, wait for nothing */
		int r = lane_receive(&v->ops, lost != 0 ? MSG_DONTWAIT : 0, &c);

		if (r < 0 && lost != 0 && r != -ENOBUFS && r != -EMSGSIZE)
			return lost;
		if (r == 0 && burst_answers(b, &c, results, &r))
			return lost != 0 ? lost : r;
		if (r < 0) {
			lost = lost != 0 ? lost : r;
			if (r == -ETIMEDOUT)
				return lost;
		}
	}
}

static void burst_mark_unknown(const struct burst *b, struct vipvs_result *results, int error)
{
	for (uint32_t i = b->first; i < b->end; i++)
		if (results[i].error == 0)
			results[i] = (struct vipvs_result){(uint32_t)-error, VIPVS_OUTCOME_UNKNOWN};
}

static void mark_not_sent(struct vipvs_result *results, uint32_t first, uint32_t end, int error)
{
	for (uint32_t i = first; i < end; i++)
		results[i] = (struct vipvs_result){(uint32_t)-error, VIPVS_NOT_SENT};
}

int vipvs_run(struct vipvs *v, const struct vipvs_op *ops, uint32_t count, struct vipvs_result *results)
{
	struct burst b = {.end = 0};

	while (b.end < count) {
		int r;

		b.first = b.end;
		burst_fill(v, ops, count, results, &b);
		if (b.messages == 0)
			continue;
		r = lane_send(&v->ops, v->send_buffer, b.bytes);
		if (r < 0) {
			/* netlink_sendmsg fails before the kernel has looked at any message */
			for (uint32_t i = b.first; i < b.end; i++)
				if (results[i].error == 0)
					results[i] = (struct vipvs_result){(uint32_t)-r, VIPVS_NOT_SENT};
			mark_not_sent(results, b.end, count, r);
			return r;
		}
		r = burst_collect(v, &b, results);
		if (r < 0) {
			burst_mark_unknown(&b, results, r);
			mark_not_sent(results, b.end, count, r);
			return r;
		}
	}
	return 0;
}

/* ---- dumps ---- */

/* An abandoned dump would answer the next one with EBUSY: a fresh socket is the one sure way to end it. */
static int dump_reset(struct vipvs *v)
{
	v->dumping = false;
	if (v->dump.fd >= 0)
		close(v->dump.fd);
	return lane_connect(&v->dump, v->timeout_ms);
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
	int r = v->dump.fd < 0 ? lane_connect(&v->dump, v->timeout_ms) : 0;

	if (r < 0)
		return r;
	if (key != NULL && vipvs_check_key(key) != 0)
		return -EINVAL;
	len = key != NULL ? vipvs_encode_keyed(get, key, v->family, seq, NLM_F_DUMP, request) :
			    vipvs_encode_bare(get, v->family, seq, NLM_F_DUMP, request);
	v->current = (struct vipvs_dump){.family = v->family, .cmd = reply, .seq = seq, .key_index = index};
	v->cursor = (struct vipvs_cursor){NULL, 0};
	v->dumping = true;
	return lane_send(&v->dump, request, len);
}

/* Reads the running dump until the capacity is reached or it has ended. */
static void dump_read(struct vipvs *v, void *out, uint32_t capacity, uint32_t *count)
{
	while (!v->current.done && v->current.error == 0 && *count < capacity) {
		if (v->cursor.left == 0) {
			int r = lane_receive(&v->dump, 0, &v->cursor);
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

/* ---- the handle ---- */

static void size_bursts(struct vipvs *v)
{
	int receive = 0, send = 0;
	socklen_t len = sizeof receive;

	v->burst_messages = BURST_MESSAGES;
	v->burst_bytes = BURST_BYTES;
	if (getsockopt(v->ops.fd, SOL_SOCKET, SO_RCVBUF, &receive, &len) == 0 &&
	    (uint32_t)receive / ANSWER_COST < BURST_MESSAGES)
		v->burst_messages = (uint32_t)receive / ANSWER_COST;
	len = sizeof send;
	/* netlink_sendmsg: more than sk_sndbuf - 32 is EMSGSIZE */
	if (getsockopt(v->ops.fd, SOL_SOCKET, SO_SNDBUF, &send, &len) == 0 && (uint32_t)send - 32 < BURST_BYTES)
		v->burst_bytes = (uint32_t)send - 32;
	if (v->burst_messages < 1)
		v->burst_messages = 1;
}

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
	lane_init(&v->ops, v->ops_slots);
	lane_init(&v->dump, v->dump_slots);
	r = lane_connect(&v->ops, v->timeout_ms);
	if (r == 0)
		r = lane_connect(&v->dump, v->timeout_ms);
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
	size_bursts(v);
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
