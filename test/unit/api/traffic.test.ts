import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATIONS } from '../../../src/api/annotations.ts';
import { formatProblem } from '../../../src/api/problem.ts';
import { resolveTraffic } from '../../../src/api/traffic.ts';
import { serviceNamed, serviceWith } from './objects.ts';

const DEFAULTS = {
  scheduler: 'rr',
  schedulerFlags: [],
  forwarding: 'nat',
  persistenceSeconds: 0,
  drainSeconds: 300,
  problems: [],
};
const POOL = {
  scheduler: 'wlc',
  forwarding: 'dr',
  persistenceSeconds: 60,
  drainSeconds: 9,
} as const;
const CLIENT_IP = { sessionAffinity: 'ClientIP' };
const withTimeout = (timeoutSeconds: number) => ({
  ...CLIENT_IP,
  sessionAffinityConfig: { clientIP: { timeoutSeconds } },
});

const ROWS = [
  { name: 'nothing said', want: {} },
  { name: 'the defaults of the pool', pool: POOL, want: POOL },
  {
    name: 'annotations go before the pool',
    pool: POOL,
    annotations: {
      [ANNOTATIONS.scheduler]: ' mh, mh-port , mh-fallback',
      [ANNOTATIONS.forwarding]: ' tunnel ',
      [ANNOTATIONS.persistenceSeconds]: ' 0 ',
      [ANNOTATIONS.drainSeconds]: '86400',
    },
    want: {
      scheduler: 'mh',
      schedulerFlags: ['flag-1', 'flag-2'],
      forwarding: 'tunnel',
      drainSeconds: 86_400,
    },
  },
  { name: 'ClientIP is 10800 s', spec: CLIENT_IP, pool: POOL, want: { ...POOL, persistenceSeconds: 10_800 } },
  { name: 'ClientIP with an empty config', spec: { ...CLIENT_IP, sessionAffinityConfig: { clientIP: {} } }, want: { persistenceSeconds: 10_800 } },
  { name: 'ClientIP with its own time', spec: withTimeout(90), want: { persistenceSeconds: 90 } },
  { name: 'None leaves it to the pool', spec: { sessionAffinity: 'None' }, pool: POOL, want: POOL },
  { name: 'an annotation goes before ClientIP', spec: withTimeout(90), annotations: { [ANNOTATIONS.persistenceSeconds]: '5' }, want: { persistenceSeconds: 5 } },
]; // prettier-ignore
for (const { name, annotations, spec, pool, want } of ROWS) {
  test(`traffic: ${name}`, () => {
    const traffic = resolveTraffic(serviceWith(annotations ?? {}, spec), pool);
    assert.deepEqual(traffic, { ...DEFAULTS, ...want });
  });
}

test('a Service without annotations, a pool without defaults', () => {
  assert.deepEqual(resolveTraffic(serviceNamed({ name: 'web' }), undefined), DEFAULTS);
});

const WRONG = [
  { annotations: { [ANNOTATIONS.scheduler]: 'best' }, want: 'vipvs.io/scheduler: "best" is not allowed; allowed: one of rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos, then flags (mh,mh-port)' },
  { annotations: { [ANNOTATIONS.scheduler]: '' }, want: 'vipvs.io/scheduler: "" is not allowed; allowed: one of rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos, then flags (mh,mh-port)' },
  { annotations: { [ANNOTATIONS.scheduler]: 'rr,mh-port' }, want: 'vipvs.io/scheduler: "rr,mh-port" is not allowed; allowed: rr with the flags flag-1, flag-2, flag-3' },
  { annotations: { [ANNOTATIONS.scheduler]: 'sh,port' }, want: 'vipvs.io/scheduler: "sh,port" is not allowed; allowed: sh with the flags sh-port, sh-fallback, flag-1, flag-2, flag-3' },
  { annotations: { [ANNOTATIONS.scheduler]: 'mh,sh-port' }, want: 'vipvs.io/scheduler: "mh,sh-port" is not allowed; allowed: mh with the flags mh-port, mh-fallback, flag-1, flag-2, flag-3' },
  { annotations: { [ANNOTATIONS.forwarding]: 'DSR' }, want: 'vipvs.io/forwarding: "DSR" is not allowed; allowed: nat, dr, tunnel, cluster-ip' },
  { annotations: { [ANNOTATIONS.drainSeconds]: '5m' }, want: 'vipvs.io/drain-seconds: "5m" is not allowed; allowed: whole seconds, 0 to 86400' },
  { annotations: { [ANNOTATIONS.drainSeconds]: '86401' }, want: 'vipvs.io/drain-seconds: "86401" is not allowed; allowed: whole seconds, 0 to 86400' },
  { annotations: { [ANNOTATIONS.persistenceSeconds]: '-1' }, want: 'vipvs.io/persistence-seconds: "-1" is not allowed; allowed: whole seconds, 0 to 2678400' },
]; // prettier-ignore
for (const { annotations, want } of WRONG) {
  test(`traffic goes on by default: ${want.split(' is not')[0] ?? ''}`, () => {
    const traffic = resolveTraffic(serviceWith(annotations), POOL);
    const problems = [`Service shop/web: InvalidAnnotation: ${want}`];
    assert.deepEqual(
      { ...traffic, problems: traffic.problems.map(formatProblem) },
      { ...DEFAULTS, ...POOL, problems },
    );
  });
}

for (const seconds of [0, 1.5, 99_999_999]) {
  test(`timeoutSeconds ${seconds} is refused, ClientIP stays`, () => {
    const traffic = resolveTraffic(serviceWith({}, withTimeout(seconds)));
    assert.equal(traffic.persistenceSeconds, 10_800);
    assert.deepEqual(
      traffic.problems.map(({ message }) => message),
      [
        `spec.sessionAffinityConfig.clientIP.timeoutSeconds: "${seconds}" is not allowed; allowed: whole seconds, 1 to 2678400`,
      ],
    );
  });
}
