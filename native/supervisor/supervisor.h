/*
 * supervisor.h - the parts of vipvs-keepalived, under which keepalived lives apart from the agent. parse.c, groups.c and
 * rtaddr.c are pure: text or bytes, a clock value and the present state in, the next state out. The others do I/O.
 * The words on the socket, in the files and on the FIFO: docs/failover-supervisor.md.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- parse.c: text from keepalived, from the agent and from its files; whatever it is, it is read or refused ---- */

#define GROUP_NAME_MAX 63u
#define LINE_MAX_BYTES 256u

enum vrrp_state { STATE_MASTER, STATE_BACKUP, STATE_FAULT, STATE_STOP, STATE_DELETED, STATE_DEAD };
#define VRRP_STATES 6u
/* What the supervisor itself last did to a group's addresses, as the agent reads it. */
enum mark { MARK_NONE, MARK_CLEARED, MARK_BOUND };

/* A line of keepalived's FIFO. */
enum notice_kind { NOTICE_STATE, NOTICE_PRIORITY, NOTICE_OTHER };
struct notice {
	enum notice_kind kind;
	enum vrrp_state state;
	int priority;
	char group[GROUP_NAME_MAX + 1];
};

/* A line of the agent. */
enum reply_kind { REPLY_PONG, REPLY_DONE };
struct reply {
	enum reply_kind kind;
	uint32_t number;
	enum vrrp_state state;
	char group[GROUP_NAME_MAX + 1];
};

/* The content of a group's state file. */
struct standing {
	enum vrrp_state state;
	int priority;
	enum mark mark;
};

struct vip {
	uint8_t af;
	uint8_t prefix;
	uint8_t addr[16];
	char interface[IF_NAMESIZE];
};

const char *state_word(enum vrrp_state state);
/* A file name of its own that never hides, and never one of the names that end in ".away". */
bool is_group_name(const char *text, size_t len);
/* Lines come without their newline. All four: 0, or -1 where the line is malformed. */
int parse_notice(const char *line, size_t len, struct notice *out);
int parse_reply(const char *line, size_t len, struct reply *out);
int parse_vip(const char *line, size_t len, struct vip *out);
int parse_standing(const char *text, size_t len, struct standing *out);
/* A track_file's value that keepalived can never take for a fault: -253 to 253. */
int parse_track_value(const char *text, size_t len, int *out);
/* "Keepalived v2.2.7 (01/16,2022)" -> "2.2.7"; -1 where no version stands there. */
int parse_version(const char *text, size_t len, char *out, size_t room);
/* Returns the length of `STATE PRIORITY[ MARK]\n`. */
size_t format_standing(const struct standing *s, char *out, size_t room);

enum escaping { FOR_JSON, FOR_PEOPLE };
/* Control characters and bytes that are no ASCII as \u00XX; newlines stay for people. Cuts at the room; returns the length. */
size_t escape(enum escaping how, const char *in, size_t len, char *out, size_t room);

/* ---- groups.c: what is due for each group's addresses, and when the supervisor does it instead of the agent ---- */

#define GROUPS_MAX 1024u
/* How long a connected agent has for a transition. */
#define AGENT_ACTS_MS 2000
/*
 * After a planned stop the addresses answer until another director has had its chance: it takes over a skew time
 * after priority 0, which is 56/256 of the advert interval at priority 200.
 */
#define STOP_GRACE_MS 250
/* keepalived begins as BACKUP: alone on the link it is MASTER again before this is over, and no address goes. */
#define BEGIN_GRACE_MS 500
#define RETRY_FIRST_MS 1000
#define RETRY_MOST_MS 30000
#define NEVER INT64_MAX

/* Hosts and switches lose broadcasts, and forget: after binding, and then as long as no agent answers. */
#define REPEAT_SOON_MS 1000
#define REPEAT_SOON_TIMES 2u
#define REPEAT_LATER_MS 60000

/* Only the first two are ever owed; announcing again is what the supervisor does of itself. */
enum duty { DUTY_NONE, DUTY_CLEAR, DUTY_BIND, DUTY_ANNOUNCE };

struct group {
	char name[GROUP_NAME_MAX + 1];
	struct standing standing;
	enum duty duty; /* what somebody must still do with the addresses */
	int64_t due;    /* when that is the supervisor; NEVER without a duty */
	int64_t grace;  /* before this the supervisor leaves the addresses alone, agent or not */
	uint32_t failures;
	uint32_t announced; /* how often since the supervisor bound them */
	int64_t next_announcement;
	enum duty job; /* what a worker is doing now */
	pid_t worker;
};

struct groups {
	bool answering; /* an agent is connected and not away */
	bool stopping;
	uint32_t count;
	struct group list[GROUPS_MAX];
};

struct group *groups_find(struct groups *g, const char *name);
/* NULL where the table is full. A new one is DEAD. */
struct group *groups_add(struct groups *g, const char *name);
/* keepalived says that this group is in this state now. */
void group_enter(struct groups *g, struct group *group, enum vrrp_state state, int priority, int64_t now);
/* The agent has told the kernel. False where that is not what the group is waiting for. */
bool group_done(struct group *group, enum vrrp_state state);
void groups_keepalived_died(struct groups *g);
void groups_agent(struct groups *g, bool answering, int64_t now);
/* The supervisor was told to end, and keepalived has ended. */
void groups_stop(struct groups *g, int64_t now);
/* What a worker has to begin now; notes that it runs. */
enum duty group_begin(const struct groups *g, struct group *group, int64_t now);
/* Its worker does what is not wanted any more. */
bool group_is_overtaken(const struct group *group);
/* Its worker has ended. True where the standing has changed. */
bool group_ended(struct group *group, bool ok, int64_t now);
/* A group that keepalived has deleted and of which nothing is left to do. */
bool group_is_over(const struct group *group);
void groups_remove(struct groups *g, struct group *group);
int64_t groups_next_due(const struct groups *g);
/* Something is owed, or being done. */
bool groups_are_busy(const struct groups *g);
/* Delay before try number `failures` + 1 of anything that fails: none, 1 s, 2 s, 4 s ... 30 s. */
int64_t backoff_ms(uint32_t failures);

/* ---- rtaddr.c: rtnetlink messages of addresses ---- */

#define ADDRESS_TAG 0x4c /* IFA_PROTO of every address that is ours, see docs/decisions/0004 */
#define ADDRESS_MESSAGE_MAX 128

/* Where a VIP is bound: parsed, and its interface looked up. */
struct binding {
	uint8_t af;
	uint8_t prefix;
	uint8_t addr[16];
	uint32_t ifindex;
};
struct address {
	struct binding at;
	uint8_t tag; /* 0 where it has none */
};

/* They return the message's length, a multiple of 4. */
size_t encode_address(enum duty duty, const struct binding *b, uint32_t seq, bool ack, uint8_t *out);
size_t encode_address_dump(uint32_t seq, uint8_t *out);
/* The body of RTM_NEWADDR. 0 or -EBADMSG. */
int decode_address(const uint8_t *body, size_t len, struct address *out);
int compare_bindings(const void *a, const void *b);

/* ---- vips.c: a group's list, cleared or bound and announced; in a process of its own ---- */

/* Ends when all is done: 0, or 1 where a part has failed. */
int run_duty(enum duty duty, const char *dir, const char *group);

/* ---- files.c: small files, whole or not at all ---- */

#define PATH_ROOM 512u
#define DIR_NAME_MAX 200u

void path_in(char out[PATH_ROOM], const char *dir, const char *folder, const char *name);
/* The length, or a negative errno; -EFBIG where it is longer than the room. */
ssize_t read_file(const char *path, char *out, size_t room);
/* Into NAME.new and renamed. 0 or a negative errno. */
int write_file(const char *path, const char *data, size_t len);
/* dir, its folders and the FIFO, where they are missing; *fifo is opened anew where another file has its name. */
int prepare_dir(const char *dir, int *fifo);

/* ---- say.c: a line of the log on stderr, as the agent writes them ---- */

enum level { INFO = 30, WARN = 40, ERROR = 50 };
void say(enum level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same for what somebody else can cause at will: ten lines in a minute, and that there are more. */
struct allowance {
	int64_t since;
	uint32_t used;
};
bool may_say(struct allowance *a);
int64_t clock_ms(void);

/* ---- config.c, keepalived.c: the program, its configuration and its life ---- */

#define WORDS_MAX 4096u
#define CANNOT_RUN 127 /* exit code of a child that could not become keepalived */

/* A short run of keepalived whose words we want: -v or -t. */
enum probe_kind { PROBE_NONE, PROBE_VERSION, PROBE_CONFIG };
struct probe {
	enum probe_kind kind;
	pid_t pid;
	int output; /* -1: at its end */
	int64_t deadline;
	bool overdue;
	size_t length;
	char words[WORDS_MAX];
};

struct keepalived {
	const char *program;
	const char *dir;
	char version[32];
	struct probe probe;
	pid_t pid;   /* of its first process, 0 when that has ended */
	pid_t group; /* its process group, 0 when all of it has ended */
	int last_status;
	int64_t started, reloaded, next_start, kill_at;
	uint32_t failures;
	bool asked_version, has_config, wants_look, wants_reload, stopping;
	struct {
		uint64_t device, inode, size;
		int64_t seconds, nanoseconds;
	} seen; /* of the keepalived.conf that was looked at last */
	char config_problem[2 * WORDS_MAX];
	char life_problem[256];
};

void keepalived_init(struct keepalived *k, const char *program, const char *dir);
/* All that time brings: tests, starts, reloads, kills; and when that is next. */
void keepalived_step(struct keepalived *k, int64_t now);
int64_t keepalived_next(const struct keepalived *k);
/* True where it was one of keepalived's. */
bool keepalived_reaped(struct keepalived *k, pid_t pid, int status, int64_t now);
/* True once after the last process of it has ended. */
bool keepalived_is_gone(struct keepalived *k, int64_t now);
void keepalived_stop(struct keepalived *k, int64_t now);
/* Runs the program with these arguments; output: its stderr and stdout, or -1 for ours. The process, or 0. */
pid_t keepalived_run(const struct keepalived *k, int output, char *const arguments[]);
/* Looks at the configuration as soon as no probe runs: something in the directory may have changed. */
void keepalived_look(struct keepalived *k);
void keepalived_read_probe(struct keepalived *k);
void probe_ended(struct keepalived *k, int status);
/* The file `problem` as it must be. */
void tell_problem(const struct keepalived *k);
void config_step(struct keepalived *k, int64_t now);
int64_t config_next(const struct keepalived *k);
void config_stop(struct keepalived *k);
/* In a child between fork and exec: signals as a new program expects them, and it dies with us. */
void child_begins(void);

/* ---- agent.c: the socket ---- */

#define PROTOCOL_VERSION 1
#define PING_MS 1000

struct agent {
	char name[LINE_MAX_BYTES];
	int listener, client;
	int64_t limit_ms;
	int64_t next_ping;  /* NEVER without a client */
	int64_t heard;      /* the last pong, or the connection */
	uint32_t ping, pong;
	bool away;          /* connected, and silent for longer than the limit */
	bool discarding;    /* the rest of a line that is too long */
	size_t used;
	char line[LINE_MAX_BYTES];
	struct allowance refusals, malformed;
};

/* 0; -EADDRINUSE where another one lives; a negative errno. */
int agent_listen(struct agent *a, const char *name);
/* True where there is a new client: it must be told all. */
bool agent_accept(struct agent *a, int64_t now);
/* A client that can't take it is dropped. */
void agent_send(struct agent *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next reply that has come, or 0. -1: the client has gone. */
int agent_next(struct agent *a, int64_t now, struct reply *out);
void agent_drop(struct agent *a, const char *why);
/* Pings, and finds out that the agent does not answer. */
void agent_tick(struct agent *a, int64_t now);

/* ---- standing.c, away.c, loop.c ---- */

#ifndef VIPVS_VERSION
#define VIPVS_VERSION "0"
#endif

struct supervisor {
	const char *dir;
	const char *name;
	int signals, changes, fifo;
	bool stopping, lowered;
	int64_t began, stop_at, next_prepare, alone_since;
	size_t fifo_used;
	bool fifo_discarding;
	char fifo_line[LINE_MAX_BYTES];
	struct allowance fifo_malformed, trouble;
	struct keepalived keepalived;
	struct agent agent;
	struct groups groups;
};

/* Groups of an earlier life: dead until keepalived speaks of them, and still cleared where they were. */
void restore_groups(struct supervisor *s);
void read_fifo(struct supervisor *s, int64_t now);
void write_standing(struct supervisor *s, const struct group *group);
/* To the state file and to the agent. */
void tell_standing(struct supervisor *s, const struct group *group);
/* A new client is told all. */
void greet(struct supervisor *s);
void lower_priorities(struct supervisor *s);
/* The directory as it must be; again and again, should somebody remove it. */
void prepare(struct supervisor *s, int64_t now);
void turn(struct supervisor *s);
/* Told to end, and nothing is left to do. */
bool may_end(struct supervisor *s, int64_t now);

#endif
