/*
 * groups.c - the state of each VRRP group, what must be done with its addresses, and when the supervisor does it
 * because no agent has. Pure: the clock is an argument.
 *
 * Invariants: a group leaves MASTER with a duty to clear and becomes MASTER with a duty to bind; a duty ends by the
 * agent's word, by a worker that succeeded, or by the next transition. The death of keepalived is no reason to clear.
 */
#include "supervisor.h"

#include <string.h>

int64_t backoff_ms(uint32_t failures)
{
	int64_t delay = RETRY_FIRST_MS;

	if (failures == 0)
		return 0;
	for (uint32_t i = 1; i < failures && delay < RETRY_MOST_MS; i++)
		delay *= 2;
	return delay > RETRY_MOST_MS ? RETRY_MOST_MS : delay;
}

struct group *groups_find(struct groups *g, const char *name)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (strcmp(g->list[i].name, name) == 0)
			return &g->list[i];
	return NULL;
}

struct group *groups_add(struct groups *g, const char *name)
{
	struct group *group;

	if (g->count == GROUPS_MAX)
		return NULL;
	group = &g->list[g->count++];
	*group = (struct group){.standing.state = STATE_DEAD, .due = NEVER, .next_announcement = NEVER};
	memcpy(group->name, name, strnlen(name, GROUP_NAME_MAX));
	return group;
}

static void owe(const struct groups *g, struct group *group, enum duty duty, int64_t now)
{
	group->duty = duty;
	group->failures = 0;
	group->due = g->answering ? now + AGENT_ACTS_MS : now;
	if (group->due < group->grace)
		group->due = group->grace;
}

static void owe_nothing(struct group *group)
{
	group->duty = DUTY_NONE;
	group->due = NEVER;
	group->failures = 0;
}

void group_enter(struct groups *g, struct group *group, enum vrrp_state state, int priority, int64_t now)
{
	enum vrrp_state before = group->standing.state;

	group->standing.state = state;
	group->standing.priority = priority;
	group->grace = now;
	group->next_announcement = NEVER;
	if (state == STATE_STOP)
		group->grace += STOP_GRACE_MS;
	else if (state == STATE_BACKUP && before == STATE_DEAD)
		group->grace += BEGIN_GRACE_MS;
	if (state == STATE_MASTER || before == STATE_MASTER)
		group->standing.mark = MARK_NONE;
	owe(g, group, state == STATE_MASTER ? DUTY_BIND : DUTY_CLEAR, now);
}

bool group_done(struct group *group, enum vrrp_state state)
{
	if (group->standing.state != state || group->duty == DUTY_NONE)
		return false;
	owe_nothing(group);
	group->standing.mark = MARK_NONE;
	return true;
}

void groups_keepalived_died(struct groups *g)
{
	for (uint32_t i = 0; i < g->count; i++) {
		struct group *group = &g->list[i];

		group->standing.state = STATE_DEAD;
		group->standing.priority = 0;
		if (group->duty == DUTY_BIND)
			owe_nothing(group);
	}
}

/* When the supervisor ends and no agent is there, nobody else will ever clear. */
static void owe_last(struct groups *g, int64_t now)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (g->list[i].standing.mark != MARK_CLEARED && g->list[i].duty != DUTY_CLEAR &&
		    g->list[i].job != DUTY_CLEAR)
			owe(g, &g->list[i], DUTY_CLEAR, now);
}

void groups_agent(struct groups *g, bool answering, int64_t now)
{
	bool lost = g->answering && !answering;

	g->answering = answering;
	if (!lost)
		return;
	for (uint32_t i = 0; i < g->count; i++) {
		struct group *group = &g->list[i];

		if (group->duty != DUTY_NONE && group->failures == 0)
			group->due = now > group->grace ? now : group->grace;
	}
	if (g->stopping)
		owe_last(g, now);
}

void groups_stop(struct groups *g, int64_t now)
{
	g->stopping = true;
	if (!g->answering)
		owe_last(g, now);
}

static int64_t due_of(const struct groups *g, const struct group *group)
{
	if (group->job != DUTY_NONE)
		return NEVER;
	if (group->duty != DUTY_NONE)
		return group->due;
	return g->answering && group->announced > REPEAT_SOON_TIMES ? NEVER : group->next_announcement;
}

enum duty group_begin(const struct groups *g, struct group *group, int64_t now)
{
	if (due_of(g, group) > now)
		return DUTY_NONE;
	group->job = group->duty == DUTY_NONE ? DUTY_ANNOUNCE : group->duty;
	return group->job;
}

bool group_is_overtaken(const struct group *group)
{
	bool is_leaving = group->standing.state != STATE_MASTER && group->standing.state != STATE_DEAD;

	if (group->job == DUTY_CLEAR)
		return group->duty == DUTY_BIND;
	return group->job != DUTY_NONE && (is_leaving || group->duty == DUTY_CLEAR);
}

static void announced(struct group *group, int64_t now)
{
	group->announced++;
	group->next_announcement = now + (group->announced <= REPEAT_SOON_TIMES ? REPEAT_SOON_MS : REPEAT_LATER_MS);
}

bool group_ended(struct group *group, bool ok, int64_t now)
{
	enum duty did = group->job;

	group->job = DUTY_NONE;
	group->worker = 0;
	if (did == DUTY_ANNOUNCE && group->next_announcement != NEVER)
		announced(group, now);
	if (did == DUTY_ANNOUNCE || group->duty != did)
		return false;
	if (!ok) {
		group->failures++;
		group->due = now + backoff_ms(group->failures);
		return false;
	}
	owe_nothing(group);
	group->standing.mark = did == DUTY_CLEAR ? MARK_CLEARED : MARK_BOUND;
	group->announced = 0;
	if (did == DUTY_BIND)
		announced(group, now);
	else
		group->next_announcement = NEVER;
	return true;
}

bool group_is_over(const struct group *group)
{
	return group->standing.state == STATE_DELETED && group->duty == DUTY_NONE && group->job == DUTY_NONE;
}

void groups_remove(struct groups *g, struct group *group)
{
	*group = g->list[--g->count];
}

int64_t groups_next_due(const struct groups *g)
{
	int64_t next = NEVER;

	for (uint32_t i = 0; i < g->count; i++)
		if (due_of(g, &g->list[i]) < next)
			next = due_of(g, &g->list[i]);
	return next;
}

bool groups_are_busy(const struct groups *g)
{
	for (uint32_t i = 0; i < g->count; i++)
		if (g->list[i].duty != DUTY_NONE || g->list[i].job != DUTY_NONE)
			return true;
	return false;
}
