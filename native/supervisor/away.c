/* away.c - the priorities that the groups get while no agent answers; the agent wrote them itself, and takes them back. */
#include "supervisor.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static void lower(struct supervisor *s, const char *name)
{
	char path[PATH_ROOM], text[32];
	ssize_t len;
	int value, r;

	path_in(path, s->dir, "priority", name);
	len = read_file(path, text, sizeof text);
	if (len < 0 || parse_track_value(text, (size_t)len, &value) < 0) {
		if (may_say(&s->trouble))
			say(WARN, "priority/%s: not a number from -253 to 253", name);
		return;
	}
	path[strlen(path) - strlen(".away")] = '\0';
	len = snprintf(text, sizeof text, "%d\n", value);
	r = write_file(path, text, (size_t)len);
	if (r < 0 && may_say(&s->trouble))
		say(ERROR, "%s: %s", path, strerror(-r));
}

void lower_priorities(struct supervisor *s)
{
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *folder;

	path_in(path, s->dir, "", "priority");
	folder = opendir(path);
	say(WARN, "no agent for %lld s: the groups take the priorities that stand in priority/*.away",
	    (long long)(s->agent.limit_ms / 1000));
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		size_t len = strlen(entry->d_name);

		if (len > 5 && strcmp(entry->d_name + len - 5, ".away") == 0 && is_group_name(entry->d_name, len - 5))
			lower(s, entry->d_name);
	}
	if (folder != NULL)
		closedir(folder);
}
