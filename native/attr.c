/*
 * attr.c - netlink attributes, read as if no kernel had made them: every length is checked, values are copied out
 * because u64 attributes are only 4-byte aligned.
 */
#include "internal.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

int vipvs_attr_next(struct vipvs_cursor *c, struct vipvs_attr *a)
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

void vipvs_attr_get(const struct vipvs_attr *a, void *out, size_t size, bool *bad)
{
	if (a->len < size)
		*bad = true;
	else
		memcpy(out, a->data, size);
}

uint32_t vipvs_attr_u8(const struct vipvs_attr *a, bool *bad)
{
	uint8_t v = 0;
	vipvs_attr_get(a, &v, sizeof v, bad);
	return v;
}

uint16_t vipvs_attr_u16(const struct vipvs_attr *a, bool *bad)
{
	uint16_t v = 0;
	vipvs_attr_get(a, &v, sizeof v, bad);
	return v;
}

uint32_t vipvs_attr_u32(const struct vipvs_attr *a, bool *bad)
{
	uint32_t v = 0;
	vipvs_attr_get(a, &v, sizeof v, bad);
	return v;
}

uint64_t vipvs_attr_u64(const struct vipvs_attr *a, bool *bad)
{
	uint64_t v = 0;
	vipvs_attr_get(a, &v, sizeof v, bad);
	return v;
}

void vipvs_attr_string(const struct vipvs_attr *a, char *out, size_t room)
{
	size_t len = strnlen((const char *)a->data, a->len);

	if (len > room - 1)
		len = room - 1;
	memcpy(out, a->data, len);
	memset(out + len, 0, room - len);
}

size_t vipvs_attr_addr(const struct vipvs_attr *a, uint8_t out[16])
{
	size_t len = a->len < 16 ? a->len : 16;

	memcpy(out, a->data, len);
	return len;
}

int vipvs_attr_find(const uint8_t *body, size_t len, uint16_t type, struct vipvs_attr *out)
{
	struct vipvs_cursor c = {body, len};
	int r;

	while ((r = vipvs_attr_next(&c, out)) > 0)
		if (out->type == type)
			return 1;
	return r;
}
