// The election's step as tables: what happens to director n2, second by second, and what it says.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  dueAtMs,
  FIRST_LEASE_STATE,
  leaseStep,
  type LeaseEvent,
  type LeaseRules,
  type LeaseState,
} from '../../../../src/ipvs-node/mastership/lease-step.ts';

const RULES: LeaseRules = { name: 'n2', leaseMs: 30_000, retryMs: 2000 };

const READY: LeaseEvent = { kind: 'ready' };
const FREE: LeaseEvent = { kind: 'free' };
const LEFT: LeaseEvent = { kind: 'left' };
const LOST: LeaseEvent = { kind: 'lost' };
const RELEASED: LeaseEvent = { kind: 'released' };
const DUE: LeaseEvent = { kind: 'due' };
const won = (askedAtS: number): LeaseEvent => ({ kind: 'won', askedAtMs: askedAtS * 1000 });
const other = (holder: string): LeaseEvent => ({ kind: 'other', holder });
const told = (saying: number): LeaseEvent => ({ kind: 'told', saying });
const gone = (director: string): LeaseEvent => ({ kind: 'gone', director });
/** `n1 ready`, `n1 starting`; a third word makes it another word of the same director: `n1 ready again`. */
function seen(text: string, announces?: boolean): LeaseEvent {
  const [director = '', condition] = text.split(' ');
  const isReady = condition === 'ready';
  return { kind: 'seen', director, word: text, isReady, announces };
}

type Timed = readonly [seconds: number, event: LeaseEvent];

function play(events: readonly Timed[]): {
  readonly state: LeaseState;
  readonly said: readonly string[];
} {
  let state = FIRST_LEASE_STATE;
  const said: string[] = [];
  for (const [seconds, event] of events) {
    const step = leaseStep(state, event, seconds * 1000, RULES);
    state = step.state;
    for (const saying of step.says) {
      const text = saying.say === 'hold' ? `hold ${saying.holds ? 'all' : 'none'}` : saying.say;
      said.push(`${seconds} ${text}`);
    }
  }
  return { state, said };
}

interface Case {
  readonly name: string;
  readonly events: readonly Timed[];
  readonly said: readonly string[];
  readonly phase?: LeaseState['phase'];
  readonly dueS?: number;
}

function cases(about: string, list: readonly Case[]): void {
  suite(about, () => {
    for (const { name, events, said, phase, dueS } of list) {
      test(name, () => {
        const played = play(events);
        assert.deepEqual(played.said, said);
        if (phase !== undefined) assert.equal(played.state.phase, phase);
        const dueMs = dueAtMs(played.state, RULES);
        assert.equal(dueMs, dueS === undefined ? Number.POSITIVE_INFINITY : dueS * 1000);
      });
    }
  });
}

/** A start beside a free Lease, at 10 s. */
const STARTED: readonly Timed[] = [
  [1, FREE],
  [1, LEFT],
  [1, told(1)],
  [2, READY],
];
const STARTED_SAID = ['1 hold none', '2 look'];
/** It leads from 10 s on, with everything told. */
const LEADS: readonly Timed[] = [...STARTED, [10, FREE], [10, won(10)], [11, told(2)]];
const LEADS_SAID = [...STARTED_SAID, '10 take', '10 hold all'];

cases('taking', [
  { name: 'nothing is said before the Lease was seen', events: [[1, READY]], said: ['1 look'] },
  {
    name: 'a director that is not ready takes nothing, and holds nothing',
    events: [
      [1, FREE],
      [1, LEFT],
      [100, FREE],
      [100, LEFT],
    ],
    said: ['1 hold none'],
    phase: 'follows',
  },
  { name: 'one that is ready takes what is free', events: LEADS, said: LEADS_SAID, phase: 'leads' },
  {
    name: 'ready twice is ready once',
    events: [...STARTED, [3, READY]],
    said: STARTED_SAID,
  },
  {
    name: 'another one was quicker',
    events: [...STARTED, [10, FREE], [10, LEFT], [12, other('n3')]],
    said: [...STARTED_SAID, '10 take'],
  },
  {
    name: 'a Ready director that comes first goes first, for three looks',
    events: [...STARTED, [4, seen('n1 ready')], [5, FREE], [5, LEFT], [10, FREE], [11, FREE]],
    said: [...STARTED_SAID, '11 take'],
  },
  {
    name: 'that time is counted from when the Lease was free last',
    events: [...STARTED, [4, seen('n1 ready')], [5, FREE], [5, LEFT], [7, other('n3')], [30, FREE]],
    said: STARTED_SAID,
  },
  {
    name: 'one that comes later, one that is not Ready and one that is gone are not waited for',
    events: [
      ...STARTED,
      [4, seen('n3 ready')],
      [4, seen('n1 starting')],
      [4, seen('n0 ready')],
      [5, gone('n0')],
      [6, FREE],
    ],
    said: [...STARTED_SAID, '6 take'],
  },
  {
    name: 'the Lease is ours from an earlier life: the VIPs are held before we are ready',
    events: [[1, won(1)]],
    said: ['1 hold all'],
    phase: 'leads',
  },
  {
    name: 'its holder says that it has withdrawn: look at once; nobody else is heard',
    events: [
      ...STARTED,
      [4, other('n3')],
      [5, seen('n1 ready', false)],
      [6, seen('n3 ready', true)],
      [7, seen('n3 ready then', false)],
      [8, seen('n3 ready then', false)],
    ],
    said: [...STARTED_SAID, '7 look'],
  },
]);

cases('keeping', [
  {
    name: 'lost, and nobody can say who holds it: all stays as it is',
    events: [...LEADS, [40, LOST]],
    said: LEADS_SAID,
    phase: 'follows',
  },
  {
    name: 'lost to another one: withdrawn at once',
    events: [...LEADS, [40, LOST], [42, other('n3')]],
    said: [...LEADS_SAID, '42 hold none'],
  },
  {
    name: 'lost and had again: nothing moves',
    events: [...LEADS, [40, LOST], [42, won(42)]],
    said: LEADS_SAID,
    phase: 'leads',
  },
  {
    name: 'late answers of a look, an end that came too late, a due that is none',
    events: [...LEADS, [20, FREE], [20, LEFT], [20, other('n3')], [20, RELEASED], [20, DUE]],
    said: LEADS_SAID,
    phase: 'leads',
  },
  {
    name: 'nothing to lose, nothing due',
    events: [...STARTED, [10, LOST], [10, DUE], [10, told(1)], [10, told(7)]],
    said: STARTED_SAID,
    phase: 'follows',
  },
]);

const HANDED_SAID = [...LEADS_SAID, '20 hold none'];
const HANDED: readonly Timed[] = [...LEADS, [20, seen('n1 ready')]];

cases('handing over', [
  {
    name: 'to a Ready director that comes first: the Lease stays until the kernel was told',
    events: HANDED,
    said: HANDED_SAID,
    phase: 'withdraws',
    dueS: 25,
  },
  {
    name: 'the kernel was told: released, and followed',
    events: [...HANDED, [21, told(3)], [21, RELEASED], [22, other('n1')]],
    said: [...HANDED_SAID, '21 release'],
    phase: 'follows',
  },
  {
    name: 'what was told earlier and comes late releases nothing',
    events: [...HANDED, [21, told(2)], [21, told(1)], [24, DUE]],
    said: HANDED_SAID,
    phase: 'withdraws',
    dueS: 25,
  },
  {
    name: 'a kernel that does not answer holds nobody up',
    events: [...HANDED, [25, DUE], [26, told(3)], [26, LOST]],
    said: [...HANDED_SAID, '25 release'],
    phase: 'releases',
  },
  {
    name: 'lost while it withdraws',
    events: [...HANDED, [21, LOST], [22, told(3)], [23, other('n3')]],
    said: HANDED_SAID,
    phase: 'follows',
  },
  {
    name: 'not to one that comes later, that is not Ready, or that said nothing new since we looked',
    events: [
      ...STARTED,
      [4, seen('n1 ready')],
      [5, FREE],
      [11, FREE],
      [11, won(11)],
      [12, told(2)],
      [20, seen('n3 ready')],
      [20, seen('n0 starting')],
      [20, seen('n1 ready')],
    ],
    said: [...STARTED_SAID, '11 take', '11 hold all'],
    phase: 'leads',
  },
  {
    name: 'one that became Ready while we were asking has it at once; we hold nothing in between',
    events: [...STARTED, [10, FREE], [10.5, seen('n1 ready')], [11, won(10)]],
    said: [...STARTED_SAID, '10 take', '11 release'],
    phase: 'releases',
  },
  {
    name: 'the first of several',
    events: [...STARTED, [10, FREE], [11, seen('n1 ready')], [11, seen('n0 ready')], [12, won(10)]],
    said: [...STARTED_SAID, '10 take', '12 release'],
    phase: 'releases',
  },
  {
    name: 'who does not take it is not asked again for five minutes',
    events: [
      ...HANDED,
      [21, told(3)],
      [21, RELEASED],
      [22, FREE],
      [28, FREE],
      [28, won(28)],
      [29, told(4)],
      [30, seen('n1 ready again')],
      [327, seen('n1 ready and again')],
      [329, seen('n1 ready at last')],
    ],
    said: [...HANDED_SAID, '21 release', '28 take', '28 hold all', '329 hold none'],
    phase: 'withdraws',
    dueS: 334,
  },
  {
    name: 'who could not take it, because the release failed, is asked again after the time of a Lease',
    events: [
      ...HANDED,
      [21, told(3)],
      [23, RELEASED],
      [24, won(24)],
      [25, told(4)],
      [53, seen('n1 ready again')],
      [54, seen('n1 ready at last')],
    ],
    said: [...HANDED_SAID, '21 release', '24 hold all', '54 hold none'],
    phase: 'withdraws',
    dueS: 59,
  },
  {
    name: 'who took it is asked again',
    events: [
      ...HANDED,
      [21, told(3)],
      [21, RELEASED],
      [22, other('n1')],
      [50, FREE],
      [56, FREE],
      [56, won(56)],
      [57, told(4)],
      [60, seen('n1 ready again')],
    ],
    said: [...HANDED_SAID, '21 release', '56 take', '56 hold all', '60 hold none'],
    phase: 'withdraws',
    dueS: 65,
  },
]);

/** An agent comes back at 1 s and has the Lease still. */
const BACK: readonly Timed[] = [[1, won(0)]];

cases('an agent that comes back', [
  {
    name: 'moves nothing for the time of a Lease, then hands over to who comes first',
    events: [...BACK, [2, seen('n1 ready')], [3, READY], [3, told(1)], [30, DUE], [31, DUE]],
    said: ['1 hold all', '31 hold none'],
    phase: 'withdraws',
    dueS: 36,
  },
  {
    name: 'says when that is',
    events: [...BACK, [2, seen('n1 ready')], [3, READY], [3, told(1)]],
    said: ['1 hold all'],
    phase: 'leads',
    dueS: 31,
  },
  {
    name: 'once it is ready, a director that comes first and speaks has it at once',
    events: [...BACK, [3, READY], [3, told(1)], [4, seen('n1 ready')]],
    said: ['1 hold all', '4 hold none'],
    phase: 'withdraws',
    dueS: 9,
  },
  {
    name: 'who is no longer Ready by then has nothing',
    events: [...BACK, [2, seen('n1 ready')], [3, READY], [5, seen('n1 stopped')], [31, DUE]],
    said: ['1 hold all'],
    phase: 'leads',
  },
  {
    name: 'and never gets ready gives way to whoever is; the kernel is asked to withdraw first',
    events: [...BACK, [2, seen('n3 ready')], [30, DUE], [31, DUE], [36, DUE]],
    said: ['1 hold all', '31 hold none', '36 release'],
    phase: 'releases',
  },
  {
    name: 'and whose kernel follows keeps what it has from those that come later',
    events: [...BACK, [2, seen('n3 ready')], [3, READY], [3, told(1)], [31, DUE]],
    said: ['1 hold all'],
    phase: 'leads',
  },
]);
