/*
 * standing.c - where each group stands: told by keepalived's FIFO, written to its state file, told to the agent.
 *
 * Order at each transition: the state file, the agent, and only then (loop.c) the addresses. An agent that reads the
 * file before it acts is never told less there than on the socket.
 */
#include "supervisor.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

void write_standing(struct supervisor *s, const struct group *group)
{
	char path[PATH_ROOM], text[64];
	int r;

	path_in(path, s->dir, "state", group->name);
	r = write_file(path, text, format_standing(&group->standing, text, sizeof text));
	if (r < 0 && may_say(&s->trouble))
		say(ERROR, "%s: %s", path, strerror(-r));
}

void tell_standing(struct supervisor *s, const struct group *group)
{
	static const char *const marks[] = {"", " cleared", " bound"};

	write_standing(s, group);
	agent_send(&s->agent, "state %s %s %d%s\n", group->name, state_word(group->standing.state),
		   group->standing.priority, marks[group->standing.mark]);
}

static void take_notice(struct supervisor *s, const char *line, size_t len, int64_t now)
{
	char shown[LINE_MAX_BYTES];
	struct notice n;
	struct group *group;

	if (parse_notice(line, len, &n) < 0) {
		escape(FOR_PEOPLE, line, len, shown, sizeof shown);
		if (may_say(&s->fifo_malformed))
			say(WARN, "notify.fifo: not a line of keepalived: %s", shown);
		return;
	}
	if (n.kind == NOTICE_OTHER)
		return;
	group = groups_find(&s->groups, n.group);
	if (group == NULL)
		group = groups_add(&s->groups, n.group);
	if (group == NULL) {
		if (may_say(&s->trouble))
			say(ERROR, "group %s: there are %u already", n.group, GROUPS_MAX);
		return;
	}
	if (n.kind == NOTICE_STATE) {
		say(INFO, "group %s is %s, priority %d", n.group, state_word(n.state), n.priority);
		group_enter(&s->groups, group, n.state, n.priority, now);
	}
	group->standing.priority = n.priority;
	tell_standing(s, group);
}

static void take_fifo_byte(struct supervisor *s, char c, int64_t now)
{
	if (c != '\n') {
		if (s->fifo_used < sizeof s->fifo_line)
			s->fifo_line[s->fifo_used++] = c;
		else
			s->fifo_discarding = true; /* cut: it is no line of keepalived's */
		return;
	}
	if (!s->fifo_discarding)
		take_notice(s, s->fifo_line, s->fifo_used, now);
	else if (may_say(&s->fifo_malformed))
		say(WARN, "notify.fifo: a line of more than %u characters", LINE_MAX_BYTES);
	s->fifo_used = 0;
	s->fifo_discarding = false;
}

/* No more than a full pipe at a time: what writes without end must not keep the agent waiting. */
void read_fifo(struct supervisor *s, int64_t now)
{
	char piece[4096];

	for (int round = 0; round < 16; round++) {
		ssize_t n = read(s->fifo, piece, sizeof piece);

		if (n <= 0)
			return;
		for (ssize_t i = 0; i < n; i++)
			take_fifo_byte(s, piece[i], now);
	}
}

void greet(struct supervisor *s)
{
	agent_send(&s->agent, "hello %d %s %s\n", PROTOCOL_VERSION, VIPVS_VERSION, s->keepalived.version);
	for (uint32_t i = 0; i < s->groups.count; i++)
		tell_standing(s, &s->groups.list[i]);
}

/* Groups of an earlier life: dead until keepalived speaks of them, and still cleared where they were. */
void restore_groups(struct supervisor *s)
{
	char path[PATH_ROOM], text[64];
	struct dirent *entry;
	DIR *folder;

	path_in(path, s->dir, "", "state");
	folder = opendir(path);
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		struct standing before = {.mark = MARK_NONE};
		struct group *group;
		ssize_t len;

		if (!is_group_name(entry->d_name, strlen(entry->d_name)))
			continue;
		path_in(path, s->dir, "state", entry->d_name);
		len = read_file(path, text, sizeof text);
		if (len < 0 || parse_standing(text, (size_t)len, &before) < 0)
			say(WARN, "%s: not a state; taken for DEAD", path);
		group = groups_add(&s->groups, entry->d_name);
		if (group == NULL)
			break;
		group->standing.mark = before.mark;
		write_standing(s, group);
	}
	if (folder != NULL)
		closedir(folder);
}
