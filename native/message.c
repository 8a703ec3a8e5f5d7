/*
 * message.c - datagrams -> messages, and the messages of one dump -> records until it ends or is broken. Needs no
 * socket, as decode.c.
 */
#include "internal.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/ip_vs.h>
#include <linux/netlink.h>
#include <string.h>

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

int vipvs_next_header(struct vipvs_cursor *c, struct vipvs_message *m)
{
	struct nlmsghdr header;
	size_t step;

	if (c->left == 0)
		return 0;
	if (c->left < NLMSG_HDRLEN)
		return -EBADMSG;
	memcpy(&header, c->at, sizeof header);
	if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > c->left)
		return -EBADMSG;
	*m = (struct vipvs_message){.type = header.nlmsg_type,
				    .flags = header.nlmsg_flags,
				    .seq = header.nlmsg_seq,
				    .body = c->at + NLMSG_HDRLEN,
				    .body_len = header.nlmsg_len - NLMSG_HDRLEN};
	step = NLMSG_ALIGN((size_t)header.nlmsg_len);
	if (step > c->left)
		step = c->left;
	c->at += step;
	c->left -= step;
	if (m->type == NLMSG_ERROR || m->type == NLMSG_DONE)
		return control_error(m->body, m->body_len, m->type, &m->error);
	return 1;
}

int vipvs_next_message(struct vipvs_cursor *c, struct vipvs_message *m)
{
	struct genlmsghdr genl;
	int r = vipvs_next_header(c, m);

	if (r <= 0 || m->type < NLMSG_MIN_TYPE)
		return r;
	if (m->body_len < GENL_HDRLEN)
		return -EBADMSG;
	memcpy(&genl, m->body, sizeof genl);
	m->cmd = genl.cmd;
	m->body += GENL_HDRLEN;
	m->body_len -= GENL_HDRLEN;
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
