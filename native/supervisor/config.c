/*
 * config.c - the agent's keepalived.conf, tested as a copy before it counts, and keepalived's version. Both are short runs
 * of keepalived whose words are kept.
 *
 * Invariant: what keepalived reads (active.conf) has passed its own test; a configuration that fails changes nothing but
 * the file `problem`.
 */
#include "supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG_BYTES_MAX (1u << 20)
#define PROBE_MS 20000

void tell_problem(const struct keepalived *k)
{
	char path[PATH_ROOM], text[sizeof k->config_problem + sizeof k->life_problem];
	int r = 0;

	path_in(path, k->dir, "", "problem");
	snprintf(text, sizeof text, "%s%s", k->life_problem, k->config_problem);
	if (text[0] != '\0')
		r = write_file(path, text, strlen(text));
	else if (unlink(path) < 0 && errno != ENOENT)
		r = -errno;
	if (r < 0)
		say(ERROR, "%s: %s", path, strerror(-r));
}

static void config_problem(struct keepalived *k, const char *what, const char *words, size_t len)
{
	size_t room = sizeof k->config_problem, used;

	if (what == NULL) {
		k->config_problem[0] = '\0';
	} else {
		used = (size_t)snprintf(k->config_problem, room, "keepalived.conf: %s\n", what);
		escape(FOR_PEOPLE, words, len, k->config_problem + used, room - used);
		say(ERROR, "%s", k->config_problem);
	}
	tell_problem(k);
}

static void probe(struct keepalived *k, enum probe_kind kind)
{
	char path[PATH_ROOM];
	char *const version[] = {"keepalived", "--version", NULL};
	char *const test[] = {"keepalived", "-t", "-P", "-f", path, NULL};
	int ends[2];

	path_in(path, k->dir, "", "candidate.conf");
	k->probe = (struct probe){.kind = kind, .output = -1, .deadline = clock_ms() + PROBE_MS};
	if (pipe2(ends, O_CLOEXEC) == 0) {
		fcntl(ends[0], F_SETFL, O_NONBLOCK);
		k->probe.pid = keepalived_run(k, ends[1], kind == PROBE_VERSION ? version : test);
		close(ends[1]);
		k->probe.output = ends[0];
	}
	if (k->probe.pid == 0) {
		if (k->probe.output >= 0)
			close(k->probe.output);
		k->probe = (struct probe){.output = -1};
		k->seen.inode = 0; /* again at the next look */
	}
}

void keepalived_read_probe(struct keepalived *k)
{
	struct probe *p = &k->probe;
	char rest[512];
	ssize_t n = 1;

	/* what is more than the room is read and dropped: a writer never waits for us */
	for (int round = 0; n > 0 && p->output >= 0 && round < 64; round++) {
		bool has_room = p->length < sizeof p->words;

		n = has_room ? read(p->output, p->words + p->length, sizeof p->words - p->length)
			     : read(p->output, rest, sizeof rest);
		if (n > 0 && has_room)
			p->length += (size_t)n;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		close(p->output);
		p->output = -1;
	}
}

void keepalived_look(struct keepalived *k)
{
	k->wants_look = true;
}

static bool is_news(struct keepalived *k, const struct stat *file)
{
	bool same = k->seen.device == file->st_dev && k->seen.inode == file->st_ino &&
		    k->seen.size == (uint64_t)file->st_size && k->seen.seconds == file->st_mtim.tv_sec &&
		    k->seen.nanoseconds == file->st_mtim.tv_nsec;

	k->seen.device = file->st_dev;
	k->seen.inode = file->st_ino;
	k->seen.size = (uint64_t)file->st_size;
	k->seen.seconds = file->st_mtim.tv_sec;
	k->seen.nanoseconds = file->st_mtim.tv_nsec;
	return !same;
}

static bool exists(const struct keepalived *k, const char *name)
{
	char path[PATH_ROOM];

	path_in(path, k->dir, "", name);
	return access(path, R_OK) == 0;
}

/* The copy is what is tested and what is used: the agent may write the next one meanwhile. */
static void copy_candidate(struct keepalived *k, const char *path)
{
	char copy[PATH_ROOM], *text = malloc(CONFIG_BYTES_MAX);
	ssize_t len = text == NULL ? -ENOMEM : read_file(path, text, CONFIG_BYTES_MAX);
	int r = len < 0 ? (int)len : 0;

	path_in(copy, k->dir, "", "candidate.conf");
	if (r == 0)
		r = write_file(copy, text, (size_t)len);
	free(text);
	if (r == 0) {
		probe(k, PROBE_CONFIG);
		return;
	}
	if (r != -EFBIG)
		k->seen.inode = 0; /* that may pass: again at the next look */
	config_problem(k, r == -EFBIG ? "larger than 1 MiB" : strerror(-r), "", 0);
}

static void look(struct keepalived *k)
{
	char path[PATH_ROOM];
	struct stat file;

	k->wants_look = false;
	path_in(path, k->dir, "", "keepalived.conf");
	if (stat(path, &file) == 0 && is_news(k, &file))
		copy_candidate(k, path);
}

static void use_candidate(struct keepalived *k)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	path_in(from, k->dir, "", "candidate.conf");
	path_in(to, k->dir, "", "active.conf");
	if (rename(from, to) < 0) {
		config_problem(k, strerror(errno), "", 0);
		k->seen.inode = 0;
		return;
	}
	k->has_config = true;
	k->wants_reload = k->pid != 0;
	/* what made it end may be mended */
	k->next_start = 0;
	config_problem(k, NULL, "", 0);
}

void probe_ended(struct keepalived *k, int status)
{
	struct probe *p = &k->probe;
	enum probe_kind kind = p->kind;
	bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	keepalived_read_probe(k);
	if (p->output >= 0)
		close(p->output);
	p->output = -1;
	p->kind = PROBE_NONE;
	if (k->stopping)
		return; /* it was killed for that: it has found nothing out */
	if (kind == PROBE_VERSION) {
		if (!good || parse_version(p->words, p->length, k->version, sizeof k->version) < 0)
			say(WARN, "%s does not tell its version", k->program);
		return;
	}
	if (good) {
		use_candidate(k);
		return;
	}
	config_problem(k,
		       p->overdue                                                   ? "keepalived -t did not end within 20 s"
		       : WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_RUN ? "it could not be tested:"
									    : "keepalived -t refuses it:",
		       p->words, p->length);
	/* of an earlier life, and good then */
	k->has_config = k->has_config || exists(k, "active.conf");
}

void config_stop(struct keepalived *k)
{
	if (k->probe.kind != PROBE_NONE)
		kill(k->probe.pid, SIGKILL);
}

void config_step(struct keepalived *k, int64_t now)
{
	if (!k->asked_version) {
		k->asked_version = true;
		probe(k, PROBE_VERSION);
	}
	if (k->probe.kind != PROBE_NONE && now >= k->probe.deadline) {
		k->probe.overdue = true;
		k->probe.deadline = NEVER;
		kill(k->probe.pid, SIGKILL);
	}
	if (!k->stopping && k->probe.kind == PROBE_NONE && k->wants_look)
		look(k);
}

int64_t config_next(const struct keepalived *k)
{
	return k->probe.kind != PROBE_NONE ? k->probe.deadline : NEVER;
}
