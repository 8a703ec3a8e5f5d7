// Failed operations in the words of a condition, and for whom.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultOf, faultOfPlan } from '../../../../src/ipvs-node/reconcile/fault-messages.ts';
import type { Op } from '../../../../src/ipvs-node/model/kernel.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServer, VirtualServer } from '../../../../src/net/ipvs.ts';
import { parseRange } from '../../../../src/net/range.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import { desiredOf } from '../kernel-text.ts';

const address = parseIp('192.0.2.10');
const server: VirtualServer = {
  vip: address,
  port: 80,
  protocol: 'TCP',
  scheduler: 'mh',
  schedulerFlags: [],
  persistenceSeconds: 0,
};
const real: RealServer = {
  address: parseIp('10.0.0.1'),
  port: 80,
  method: 'masquerade',
  weight: 1,
};
const DESIRED = desiredOf(['-A -t 192.0.2.10:80 -s mh']);
const OWNER = ['default/192.0.2.10:80/TCP'];
const SHARERS = ['default/a', 'default/b'];

const CASES: readonly {
  readonly op: Op;
  readonly errno: string;
  readonly text?: string;
  readonly services: readonly string[];
  readonly want: string;
}[] = [
  {
    op: { op: 'vs.set', server },
    errno: 'ENOENT',
    services: OWNER,
    want: 'SchedulerMissing: cannot change virtual server 192.0.2.10:80/TCP: the kernel has no scheduler mh (module ip_vs_mh); it is tried again',
  },
  {
    op: { op: 'vs.del', server: { ...server, port: 81 } },
    errno: 'EPERM',
    text: 'not permitted',
    services: [],
    want: 'KernelError: cannot delete virtual server 192.0.2.10:81/TCP: not permitted (EPERM); it is tried again',
  },
  {
    op: { op: 'rs.del', server, real },
    errno: 'EPERM',
    services: OWNER,
    want: 'KernelError: cannot delete real server 10.0.0.1 port 80 of 192.0.2.10:80/TCP: EPERM; it is tried again',
  },
  {
    op: { op: 'vip.del', address, interface: 'eth0' },
    errno: 'EPERM',
    services: SHARERS,
    want: 'KernelError: cannot delete address 192.0.2.10 on eth0: EPERM; it is tried again',
  },
  {
    op: deleteElement('ports4', server),
    errno: 'EBADF',
    services: SHARERS,
    want: 'KernelError: cannot delete nft element 192.0.2.10:80/TCP of set ports4: EBADF; it is tried again',
  },
  {
    op: addElement('local4', parseRange('10.0.0.0/8')),
    errno: 'EBADF',
    services: [],
    want: 'KernelError: cannot add nft element 10.0.0.0/8 of set local4: EBADF; it is tried again',
  },
  {
    op: addElement('sources4', { port: server, source: parseRange('10.0.0.0/8') }),
    errno: 'EEXIST',
    services: SHARERS,
    want: 'KernelError: cannot add nft element 192.0.2.10:80/TCP 10.0.0.0/8 of set sources4: EEXIST; it is tried again',
  },
  {
    op: addElement('vips4', address),
    errno: 'ENOSPC',
    services: SHARERS,
    want: 'KernelError: cannot add nft element 192.0.2.10 of set vips4: ENOSPC; it is tried again',
  },
];
for (const { op, errno, text = errno, services, want } of CASES) {
  test(`${op.op} ${errno}`, () => {
    const target = { kind: 'firewall' } as const;
    const failure = { target, op, errno, message: text, isRefused: true };
    const fault = faultOf(failure, DESIRED, () => SHARERS.toReversed());
    assert.deepEqual(fault.services, services);
    assert.equal(`${fault.problem?.reason ?? ''}: ${fault.problem?.message ?? ''}`, want);
    const unsure = faultOf({ ...failure, isRefused: false }, DESIRED, () => SHARERS);
    assert.equal(unsure.problem, undefined);
  });
}

test('what is left alone names kube-proxy where it may be the owner', () => {
  const target = { kind: 'address', address } as const;
  const text = (reason: 'AddressOfHost' | 'PortsDiffer', mode?: 'ipvs' | 'iptables'): string =>
    faultOfPlan({ target, services: [], reason, message: 'x' }, mode).problem?.message ?? '';
  assert.match(text('AddressOfHost', 'ipvs'), /^x; kube-proxy runs here in mode ipvs/);
  assert.equal(text('AddressOfHost', 'iptables'), 'x');
  assert.equal(text('AddressOfHost'), 'x');
  assert.equal(text('PortsDiffer', 'ipvs'), 'x');
});
