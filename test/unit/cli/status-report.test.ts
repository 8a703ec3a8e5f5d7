import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStatus } from '../../../src/cli/status-report.ts';
import { formatAge, formatSince, formatTable } from '../../../src/cli/table.ts';
import type { State } from '../../../src/files/state.ts';
import { exampleState } from '../files/state-fixture.ts';

const NOW_MS = Date.parse('2026-01-02T03:05:00Z');

test('status prints tables as kubectl does', () => {
  const view = { state: { ...exampleState(2), problems: [] }, isRunning: true, notices: [] };
  assert.equal(
    formatStatus(view, NOW_MS, false),
    `vipvs is running (node director, pid 42, started 5m ago); state written 55s ago

POOL     ALLOCATABLE   CAPACITY   STATUS   AGE
public   9             10         Active   <unknown>

IP          POOL     STATUS   SERVICE         PORTS
192.0.2.0   public   Active   default/web-0   80/TCP
192.0.2.1   public   Active   default/web-1   80/TCP

SERVICE         EXTERNAL-IP   ASSIGNED   PROGRAMMED
default/web-0   192.0.2.0     <none>     <none>
default/web-1   192.0.2.1     <none>     <none>

Events: none
`,
  );
});

test('what is wrong is shown: pending Services, failed Pools, problems, a damaged file, a dead process', () => {
  const condition = {
    type: 'vipvs.io/AddressAssigned',
    status: 'False' as const,
    reason: 'PoolExhausted',
    message: 'Pool public has no free address',
  };
  const state: State = {
    ...exampleState(0),
    pools: [
      { name: 'bad', status: { phase: 'Failed', reason: 'InvalidPool' }, firstSeen: undefined },
    ],
    services: [{ key: 'default/web', status: { conditions: [condition] }, firstSeen: undefined }],
    problems: ['a.yaml:3:1: Pool bad: spec: wrong'],
    events: Array.from({ length: 12 }, (_, i) => ({
      time: '2026-01-02T03:04:00Z',
      type: 'Warning' as const,
      reason: 'PoolExhausted',
      object: 'Service default/web',
      message: `try ${i}`,
      count: i === 11 ? 7 : 1,
    })),
  };
  const text = formatStatus(
    { state, isRunning: false, notices: ['state.json is damaged'] },
    NOW_MS,
    false,
  );
  assert.match(text, /^warning: state\.json is damaged\nvipvs is not running/);
  assert.match(text, /bad +<none> +<none> +Failed +<unknown> +InvalidPool/);
  assert.match(
    text,
    /default\/web +<pending> +False +<none> +PoolExhausted: Pool public has no free address/,
  );
  assert.match(text, /try 11 \(x7\)/);
  assert.doesNotMatch(text, /try 1\n/);
  assert.match(text, /Problems in the manifests:\n {2}a\.yaml:3:1: Pool bad: spec: wrong\n$/);
  const wide = formatStatus({ state, isRunning: undefined, notices: [] }, NOW_MS, true);
  assert.match(wide, /vipvs may be running/);
  assert.match(wide, /try 1\n/);
});

test('tables are aligned and have no trailing blanks', () => {
  assert.equal(
    formatTable(
      ['A', 'LONG'],
      [
        ['xyz', ''],
        ['', 'b'],
      ],
    ),
    'A        LONG\nxyz      <none>\n<none>   b\n',
  );
});

test('a cell is on one line, whatever is in it', () => {
  assert.equal(formatTable(['A'], [['x\ny\u001b[2J']]), 'A\nx\\u{a}y\\u{1b}[2J\n');
});

test('ages are short', () => {
  const cases = [
    [-5, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
    [172_800_000, '2d'],
  ] as const;
  for (const [ageMs, want] of cases) assert.equal(formatAge(ageMs), want);
  assert.equal(formatSince('not a time', 0), '<unknown>');
});
