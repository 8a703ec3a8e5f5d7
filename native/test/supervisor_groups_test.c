/*
 * supervisor_groups_test.c - who sees to a group's addresses and when: told case by case, and then a hundred thousand
 * random events under which the rules must hold.
 */
#include "supervisor/supervisor.h"
#include "check.h"

static struct groups groups;
static struct group *g;

static void fresh(bool answering)
{
	memset(&groups, 0, sizeof groups);
	groups.answering = answering;
	g = groups_add(&groups, "g");
}

static void enter(enum vrrp_state state, int64_t now)
{
	group_enter(&groups, g, state, 200, now);
}

/* The supervisor begins this at that time and not before. */
static void begins(enum duty want, int64_t at, const char *what)
{
	CHECK_EQUAL(groups_next_due(&groups), at, what);
	CHECK_EQUAL(group_begin(&groups, g, at - 1), DUTY_NONE, what);
	CHECK_EQUAL(group_begin(&groups, g, at), want, what);
}

static void idle(const char *what)
{
	CHECK_EQUAL(groups_next_due(&groups), NEVER, what);
	CHECK(!groups_are_busy(&groups), "%s", what);
}

static void an_agent_acts(void)
{
	fresh(true);
	enter(STATE_MASTER, 1000);
	CHECK(groups_are_busy(&groups), "owed");
	CHECK(!group_done(g, STATE_BACKUP), "another state");
	CHECK(group_done(g, STATE_MASTER), "done");
	CHECK(!group_done(g, STATE_MASTER), "twice");
	idle("the agent has bound");
	enter(STATE_BACKUP, 2000);
	CHECK(group_done(g, STATE_BACKUP), "done");
	idle("the agent has cleared");
	CHECK_EQUAL(g->standing.mark, MARK_NONE, "the supervisor did nothing");
}

static void an_agent_is_late(void)
{
	fresh(true);
	enter(STATE_MASTER, 1000);
	begins(DUTY_BIND, 1000 + AGENT_ACTS_MS, "bound after two seconds");
	CHECK(group_ended(g, true, 3100), "told");
	CHECK_EQUAL(g->standing.mark, MARK_BOUND, "mark");
	enter(STATE_BACKUP, 4000);
	CHECK_EQUAL(g->standing.mark, MARK_NONE, "a new transition");
	begins(DUTY_CLEAR, 4000 + AGENT_ACTS_MS, "cleared after two seconds");
	CHECK(group_ended(g, true, 6100), "told");
	CHECK_EQUAL(g->standing.mark, MARK_CLEARED, "mark");
	CHECK(!group_done(g, STATE_BACKUP), "too late");
	CHECK_EQUAL(g->standing.mark, MARK_CLEARED, "what was cleared stays told");
	enter(STATE_FAULT, 7000);
	CHECK_EQUAL(g->standing.mark, MARK_CLEARED, "until it is MASTER again");
	CHECK(group_done(g, STATE_FAULT), "the agent has seen to it");
	CHECK_EQUAL(g->standing.mark, MARK_NONE, "and answers for it");
}

static void no_agent_is_there(void)
{
	fresh(false);
	enter(STATE_BACKUP, 1000);
	begins(DUTY_CLEAR, 1000 + BEGIN_GRACE_MS, "keepalived begins as BACKUP");
	CHECK(group_ended(g, true, 1600), "told");
	enter(STATE_MASTER, 2000);
	begins(DUTY_BIND, 2000, "bound at once");
	CHECK(group_ended(g, true, 2010), "told");
	begins(DUTY_ANNOUNCE, 3010, "announced again");
	CHECK(!group_ended(g, true, 3020), "nothing to tell");
	begins(DUTY_ANNOUNCE, 4020, "and again");
	CHECK(!group_ended(g, true, 4030), "nothing to tell");
	begins(DUTY_ANNOUNCE, 4030 + REPEAT_LATER_MS, "and slowly");
	CHECK(!group_ended(g, false, 70000), "nothing to tell");
	enter(STATE_BACKUP, 80000);
	begins(DUTY_CLEAR, 80000, "cleared at once");
	CHECK(group_ended(g, true, 80001), "told");
	idle("cleared");
	enter(STATE_MASTER, 90000);
	enter(STATE_STOP, 90100);
	begins(DUTY_CLEAR, 90100 + STOP_GRACE_MS, "another director has its chance first");
}

static void an_agent_is_lost(void)
{
	fresh(true);
	enter(STATE_MASTER, 1000);
	groups_agent(&groups, false, 1500);
	begins(DUTY_BIND, 1500, "what it has not done is done at once");
	CHECK(group_ended(g, true, 1600), "told");
	groups_agent(&groups, true, 1700);
	CHECK_EQUAL(groups_next_due(&groups), 2600, "the repeats of the first seconds stay");
	CHECK_EQUAL(group_begin(&groups, g, 2600), DUTY_ANNOUNCE, "one");
	group_ended(g, true, 2600);
	CHECK_EQUAL(group_begin(&groups, g, 3600), DUTY_ANNOUNCE, "two");
	group_ended(g, true, 3600);
	idle("then the agent announces");
	enter(STATE_STOP, 5000);
	groups_agent(&groups, false, 5100);
	begins(DUTY_CLEAR, 5000 + STOP_GRACE_MS, "the grace stays");
	CHECK(group_ended(g, true, 5300), "told");
	groups_agent(&groups, true, 6000);
	groups_agent(&groups, false, 7000);
	idle("an agent that owes nothing leaves nothing to do");
}

static void keepalived_dies(void)
{
	fresh(false);
	enter(STATE_MASTER, 1000);
	CHECK_EQUAL(group_begin(&groups, g, 1000), DUTY_BIND, "bound");
	group_ended(g, true, 1001);
	groups_keepalived_died(&groups);
	CHECK(g->standing.state == STATE_DEAD && g->standing.priority == 0, "dead");
	CHECK_EQUAL(g->standing.mark, MARK_BOUND, "the addresses stay");
	CHECK(!groups_are_busy(&groups), "nothing is cleared");
	CHECK_EQUAL(group_begin(&groups, g, 2001), DUTY_ANNOUNCE, "and are announced");
	CHECK(!group_is_overtaken(g), "as long as nobody says otherwise");
	enter(STATE_BACKUP, 3000);
	CHECK(group_is_overtaken(g), "the new one is BACKUP");
	group_ended(g, false, 3001);
	enter(STATE_MASTER, 3300);
	begins(DUTY_BIND, 3300, "alone on the link nothing was cleared in between");
	fresh(true);
	enter(STATE_MASTER, 1000);
	groups_keepalived_died(&groups);
	idle("nobody binds for a dead one");
	fresh(true);
	enter(STATE_STOP, 1000);
	groups_keepalived_died(&groups);
	begins(DUTY_CLEAR, 1000 + AGENT_ACTS_MS, "what was stopped is cleared");
}

static void fails_and_tries_again(void)
{
	int64_t now = 1000;

	fresh(false);
	enter(STATE_MASTER, now);
	for (int64_t wait = 1000; wait < 100000; wait *= 2) {
		CHECK_EQUAL(group_begin(&groups, g, now), DUTY_BIND, "try");
		CHECK(!group_ended(g, false, now), "failed");
		CHECK_EQUAL(g->due - now, wait > 30000 ? 30000 : wait, "backoff with a cap");
		now = g->due;
	}
	groups_agent(&groups, true, now);
	groups_agent(&groups, false, now + 5);
	CHECK_EQUAL(g->due, now, "the next try is not sooner for it");
}

static void is_overtaken(void)
{
	fresh(false);
	enter(STATE_MASTER, 1000);
	CHECK_EQUAL(group_begin(&groups, g, 1000), DUTY_BIND, "begun");
	CHECK(!group_is_overtaken(g), "still wanted");
	enter(STATE_BACKUP, 1100);
	CHECK(group_is_overtaken(g), "not any more");
	CHECK_EQUAL(group_begin(&groups, g, 5000), DUTY_NONE, "one worker at a time");
	CHECK(!group_ended(g, false, 1200), "killed");
	begins(DUTY_CLEAR, 1100, "then the other way");
	enter(STATE_MASTER, 1300);
	CHECK(group_is_overtaken(g), "back again");
	CHECK(!group_ended(g, true, 1400), "it had just ended: that is not the standing");
	CHECK_EQUAL(g->standing.mark, MARK_NONE, "mark");
	CHECK_EQUAL(group_begin(&groups, g, 1400), DUTY_BIND, "bound");
}

static void stops(void)
{
	fresh(true);
	enter(STATE_MASTER, 1000);
	group_done(g, STATE_MASTER);
	enter(STATE_STOP, 2000);
	group_done(g, STATE_STOP);
	groups_keepalived_died(&groups);
	groups_stop(&groups, 3000);
	idle("the addresses are the agent's");
	groups_agent(&groups, false, 4000);
	begins(DUTY_CLEAR, 4000, "it ends, too");
	CHECK(group_ended(g, true, 4010), "told");
	idle("all is done");
	fresh(false);
	groups_stop(&groups, 3000);
	begins(DUTY_CLEAR, 3000, "nobody else will");
}

static void is_deleted(void)
{
	fresh(true);
	CHECK(groups_add(&groups, "h") != NULL && groups.count == 2, "two");
	enter(STATE_DELETED, 1000);
	CHECK(!group_is_over(g), "its addresses are owed");
	group_done(g, STATE_DELETED);
	CHECK(group_is_over(g), "over");
	groups_remove(&groups, g);
	CHECK(groups_find(&groups, "g") == NULL && groups_find(&groups, "h") == &groups.list[0], "removed");
	for (uint32_t i = groups.count; i < GROUPS_MAX; i++)
		CHECK(groups_add(&groups, "x") != NULL, "room");
	CHECK(groups_add(&groups, "y") == NULL, "full");
}

/* xorshift: the same walk everywhere */
static uint32_t dice(uint32_t sides)
{
	static uint32_t x = 2463534242u;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return x % sides;
}

static void random_event(int64_t now)
{
	static const enum vrrp_state told[] = {STATE_MASTER, STATE_BACKUP, STATE_FAULT, STATE_STOP, STATE_DELETED};

	switch (dice(7)) {
	case 0:
	case 1:
		enter(told[dice(5)], now);
		break;
	case 2:
		groups_agent(&groups, dice(2) == 0, now);
		break;
	case 3:
		group_done(g, (enum vrrp_state)dice(VRRP_STATES));
		break;
	case 4:
		groups_keepalived_died(&groups);
		break;
	case 5:
		if (g->job != DUTY_NONE)
			group_ended(g, dice(3) > 0, now);
		break;
	default:
		group_begin(&groups, g, now);
	}
}

static void always_holds(void)
{
	int64_t now = 1000;

	fresh(true);
	for (int i = 0; i < 100000; i++) {
		enum vrrp_state state = g->standing.state;
		enum duty job = g->job;

		random_event(now);
		now += dice(700);
		CHECK(g->standing.state != STATE_MASTER || g->duty != DUTY_CLEAR, "a master is never cleared");
		CHECK(g->standing.state == STATE_MASTER || g->duty != DUTY_BIND, "nobody else is bound");
		CHECK(g->standing.mark != MARK_CLEARED || g->standing.state != STATE_MASTER, "never called cleared");
		CHECK(g->duty == DUTY_NONE ? g->due == NEVER : g->due <= now + RETRY_MOST_MS, "every wait has an end");
		CHECK(g->job == job || job == DUTY_NONE || g->job == DUTY_NONE, "one worker at a time");
		CHECK(g->standing.state != STATE_DEAD || state == STATE_DEAD || g->duty != DUTY_CLEAR || state != STATE_MASTER,
		      "a master's death clears nothing");
	}
}

int main(void)
{
	an_agent_acts();
	an_agent_is_late();
	no_agent_is_there();
	an_agent_is_lost();
	keepalived_dies();
	fails_and_tries_again();
	is_overtaken();
	stops();
	is_deleted();
	always_holds();
	return report("supervisor_groups_test");
}
