/*
 * batch.c - many operations in few sends ("bursts"), and what became of each.
 *
 * The kernel runs all messages of one send in order and inside send() itself (netlink_rcv_skb), so every answer
 * is queued when send() returns. Only failures are answered, plus the last message, which carries NLM_F_ACK:
 * seeing that answer means the burst is complete. Waiting is bounded all the same.
 */
#include "internal.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>

/* An error answer occupies less than this of the receive buffer (sk_buff truesize of a 36-byte message). */
#define ANSWER_COST 1024u

void vipvs_size_bursts(struct vipvs *v)
{
	int receive = 0, send = 0;
	socklen_t len = sizeof receive;

	v->burst_messages = VIPVS_BURST_MESSAGES;
	v->burst_bytes = VIPVS_BURST_BYTES;
	if (getsockopt(v->ops.fd, SOL_SOCKET, SO_RCVBUF, &receive, &len) == 0 &&
	    (uint32_t)receive / ANSWER_COST < VIPVS_BURST_MESSAGES)
		v->burst_messages = (uint32_t)receive / ANSWER_COST;
	len = sizeof send;
	/* netlink_sendmsg: more than sk_sndbuf - 32 is EMSGSIZE */
	if (getsockopt(v->ops.fd, SOL_SOCKET, SO_SNDBUF, &send, &len) == 0 && (uint32_t)send - 32 < VIPVS_BURST_BYTES)
		v->burst_bytes = (uint32_t)send - 32;
	if (v->burst_messages < 1)
		v->burst_messages = 1;
}

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
		int r = vipvs_lane_receive(&v->ops, lost != 0 ? MSG_DONTWAIT : 0, &c);

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
		r = vipvs_lane_send(&v->ops, v->send_buffer, b.bytes);
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
