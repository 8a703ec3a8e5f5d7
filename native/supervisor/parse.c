/*
 * parse.c - text of others: keepalived's FIFO lines, the agent's lines on the socket and in its files. Pure; no input
 * makes it read or write outside of what it is given.
 */
#include "supervisor.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *const STATE_WORDS[VRRP_STATES] = {"MASTER", "BACKUP", "FAULT", "STOP", "DELETED", "DEAD"};
static const char *const MARK_WORDS[] = {"", "cleared", "bound"};

/* The rest of a line; at is NULL behind its last word. */
struct text {
	const char *at;
	size_t left;
};

const char *state_word(enum vrrp_state state)
{
	return STATE_WORDS[state];
}

/* The next word, up to one space, which is taken along. Empty between two spaces, behind the last one, and at the end. */
static struct text next_word(struct text *t)
{
	const char *space = t->left == 0 ? NULL : memchr(t->at, ' ', t->left);
	struct text word = *t;

	*t = (struct text){NULL, 0};
	if (space != NULL) {
		*t = (struct text){space + 1, word.left - (size_t)(space - word.at) - 1};
		word.left = (size_t)(space - word.at);
	}
	return word;
}

static bool is_end(struct text t)
{
	return t.at == NULL;
}

static bool is_word(struct text word, const char *want)
{
	return word.left == strlen(want) && (word.left == 0 || memcmp(word.at, want, word.left) == 0);
}

static int as_state(struct text word, enum vrrp_state *out)
{
	for (uint32_t i = 0; i < VRRP_STATES; i++)
		if (is_word(word, STATE_WORDS[i])) {
			*out = (enum vrrp_state)i;
			return 0;
		}
	return -1;
}

/* Digits only, no sign, no more than the limit. */
static int as_number(struct text word, uint32_t most, uint32_t *out)
{
	uint64_t value = 0;

	if (word.left == 0 || word.left > 10)
		return -1;
	for (size_t i = 0; i < word.left; i++) {
		if (word.at[i] < '0' || word.at[i] > '9')
			return -1;
		value = value * 10 + (uint64_t)(word.at[i] - '0');
	}
	if (value > most)
		return -1;
	*out = (uint32_t)value;
	return 0;
}

static int as_priority(struct text word, int *out)
{
	uint32_t value = 0;
	int r = as_number(word, 255, &value);

	*out = (int)value;
	return r;
}

bool is_group_name(const char *text, size_t len)
{
	static const char also[] = "-_.:@+=";

	if (len == 0 || len > GROUP_NAME_MAX || text[0] == '.')
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!plain && (c == '\0' || strchr(also, c) == NULL))
			return false;
	}
	return !(len >= 5 && memcmp(text + len - 5, ".away", 5) == 0) &&
	       !(len >= 4 && memcmp(text + len - 4, ".new", 4) == 0);
}

static int as_group(struct text word, char out[GROUP_NAME_MAX + 1])
{
	if (!is_group_name(word.at, word.left))
		return -1;
	memcpy(out, word.at, word.left);
	out[word.left] = '\0';
	return 0;
}

/* INSTANCE "NAME" STATE PRIORITY; sync groups (GROUP ...) and what newer versions tell besides is passed over. */
int parse_notice(const char *line, size_t len, struct notice *out)
{
	struct text t = {line, len}, kind = next_word(&t), name = next_word(&t), what = next_word(&t);
	struct text priority = next_word(&t);

	*out = (struct notice){.kind = NOTICE_OTHER};
	if (is_word(kind, "GROUP"))
		return 0;
	if (!is_word(kind, "INSTANCE") || !is_end(t) || name.left < 2 || name.at[0] != '"' ||
	    name.at[name.left - 1] != '"')
		return -1;
	if (as_group((struct text){name.at + 1, name.left - 2}, out->group) < 0 ||
	    as_priority(priority, &out->priority) < 0)
		return -1;
	if (is_word(what, "MASTER_PRIORITY") || is_word(what, "BACKUP_PRIORITY"))
		out->kind = NOTICE_PRIORITY;
	else if (is_word(what, "MASTER_RX_LOWER_PRI"))
		out->kind = NOTICE_OTHER;
	else if (as_state(what, &out->state) == 0 && out->state != STATE_DEAD)
		out->kind = NOTICE_STATE;
	else
		return -1;
	return 0;
}

int parse_reply(const char *line, size_t len, struct reply *out)
{
	struct text t = {line, len}, kind = next_word(&t), first = next_word(&t);

	*out = (struct reply){.kind = REPLY_PONG};
	if (is_word(kind, "pong"))
		return !is_end(t) ? -1 : as_number(first, UINT32_MAX, &out->number);
	out->kind = REPLY_DONE;
	if (!is_word(kind, "done") || as_group(first, out->group) < 0)
		return -1;
	return as_state(next_word(&t), &out->state) < 0 || !is_end(t) ? -1 : 0;
}

/* As inet_pton(), of text without a NUL. */
static int as_address(struct text word, struct vip *out)
{
	char text[INET6_ADDRSTRLEN] = {0};

	if (word.left == 0 || word.left >= sizeof text)
		return -1;
	memcpy(text, word.at, word.left);
	out->af = memchr(text, ':', word.left) == NULL ? AF_INET : AF_INET6;
	return inet_pton(out->af, text, out->addr) == 1 ? 0 : -1;
}

/* ADDRESS/PREFIX INTERFACE */
int parse_vip(const char *line, size_t len, struct vip *out)
{
	struct text t = {line, len}, word = next_word(&t), interface = next_word(&t);
	const char *slash = word.left == 0 ? NULL : memchr(word.at, '/', word.left);
	uint32_t prefix;

	memset(out, 0, sizeof *out);
	if (slash == NULL || !is_end(t) || interface.left == 0 || interface.left >= IF_NAMESIZE ||
	    memchr(interface.at, '\0', interface.left) != NULL)
		return -1;
	if (as_address((struct text){word.at, (size_t)(slash - word.at)}, out) < 0)
		return -1;
	memcpy(out->interface, interface.at, interface.left);
	word.left -= (size_t)(slash - word.at) + 1;
	word.at = slash + 1;
	if (as_number(word, out->af == AF_INET ? 32 : 128, &prefix) < 0)
		return -1;
	out->prefix = (uint8_t)prefix;
	return 0;
}

static struct text first_line(const char *text, size_t len)
{
	const char *newline = len == 0 ? NULL : memchr(text, '\n', len);

	return (struct text){text, newline == NULL ? len : (size_t)(newline - text)};
}

int parse_standing(const char *text, size_t len, struct standing *out)
{
	struct text t = first_line(text, len), state = next_word(&t), priority = next_word(&t), mark = next_word(&t);

	*out = (struct standing){.mark = MARK_NONE};
	if (as_state(state, &out->state) < 0 || as_priority(priority, &out->priority) < 0 || !is_end(t))
		return -1;
	for (int i = MARK_NONE; i <= MARK_BOUND; i++)
		if (is_word(mark, MARK_WORDS[i])) {
			out->mark = (enum mark)i;
			return 0;
		}
	return -1;
}

int parse_track_value(const char *text, size_t len, int *out)
{
	struct text t = first_line(text, len);
	bool negative = t.left > 0 && t.at[0] == '-';
	uint32_t value;

	if (negative) {
		t.at++;
		t.left--;
	}
	if (as_number(t, 253, &value) < 0)
		return -1;
	*out = negative ? -(int)value : (int)value;
	return 0;
}

int parse_version(const char *text, size_t len, char *out, size_t room)
{
	struct text t = first_line(text, len), word;
	size_t used = 0;

	do
		word = next_word(&t);
	while (!is_end(t) && !(word.left > 1 && word.at[0] == 'v'));
	for (size_t i = 1; i < word.left && used + 1 < room; i++)
		if ((word.at[i] >= '0' && word.at[i] <= '9') || word.at[i] == '.')
			out[used++] = word.at[i];
	out[used] = '\0';
	return word.left > 1 && word.at[0] == 'v' && used > 0 ? 0 : -1;
}

size_t format_standing(const struct standing *s, char *out, size_t room)
{
	int n = snprintf(out, room, "%s %d%s%s\n", STATE_WORDS[s->state], s->priority,
			 s->mark == MARK_NONE ? "" : " ", MARK_WORDS[s->mark]);

	return n < 0 ? 0 : (size_t)n;
}

size_t escape(enum escaping how, const char *in, size_t len, char *out, size_t room)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)in[i];
		char piece[8] = {(char)c, '\0'};

		if ((c < 0x20 || c >= 0x7f) && !(how == FOR_PEOPLE && c == '\n'))
			snprintf(piece, sizeof piece, "\\u%04x", c);
		else if (how == FOR_JSON && (c == '"' || c == '\\'))
			snprintf(piece, sizeof piece, "\\%c", c);
		if (used + strlen(piece) >= room)
			break;
		memcpy(out + used, piece, strlen(piece));
		used += strlen(piece);
	}
	if (room > 0)
		out[used] = '\0';
	return used;
}
