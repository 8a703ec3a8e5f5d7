// Which operations repair what somebody else changed, and what is remembered to tell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  driftKindOf,
  isRepair,
  Memory,
  type DriftKind,
  type Known,
} from '../../../../src/ipvs-node/reconcile/drift.ts';
import { KernelMirror } from '../../../../src/ipvs-node/reconcile/mirror.ts';
import type { Op } from '../../../../src/ipvs-node/model/kernel.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServer, VirtualServer, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { FakeKernel } from '../../../contract/fake-kernel.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import { bindingKey } from '../../../../src/ipvs-node/model/owned.ts';
import { observedOf, type SideExtras } from '../kernel-text.ts';

const VIP = parseIp('192.0.2.10');
const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const server: VirtualServer = {
  vip: VIP,
  port: 80,
  protocol: 'TCP',
  scheduler: 'rr',
  schedulerFlags: [],
  persistenceSeconds: 0,
};
const real: RealServer = {
  address: parseIp('10.0.0.1'),
  port: 8080,
  method: 'masquerade',
  weight: 1,
};
const at = { address: VIP, interface: 'eth0' };
const VS = '-A -t 192.0.2.10:80 -s rr';
const RS = '-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1';
const ADDRESS = 'ip address add 192.0.2.10/32 dev eth0';

const OPS: Readonly<Record<Op['op'], Op>> = {
  'vs.add': { op: 'vs.add', server },
  'vs.set': { op: 'vs.set', server },
  'vs.del': { op: 'vs.del', server },
  'rs.add': { op: 'rs.add', server, real },
  'rs.set': { op: 'rs.set', server, real },
  'rs.del': { op: 'rs.del', server, real },
  'vip.add': { op: 'vip.add', ...at },
  'vip.del': { op: 'vip.del', ...at },
  'vip.announce': { op: 'vip.announce', ...at },
  'fw.add': addElement('vips4', VIP),
  'fw.del': deleteElement('vips4', VIP),
  'sysctl.set': { op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: 1 },
};

const KINDS: Readonly<Record<Op['op'], DriftKind | undefined>> = {
  'vs.add': 'virtual_server',
  'vs.set': 'virtual_server',
  'vs.del': 'virtual_server',
  'rs.add': 'real_server',
  'rs.set': 'real_server',
  'rs.del': 'real_server',
  'vip.add': 'address',
  'vip.del': 'address',
  'vip.announce': undefined,
  'fw.add': 'firewall',
  'fw.del': 'firewall',
  'sysctl.set': 'sysctl',
};
for (const op of Object.values(OPS)) {
  test(`${op.op} is about ${KINDS[op.op] ?? 'nothing that lasts'}`, () => {
    assert.equal(driftKindOf(op), KINDS[op.op]);
  });
}

interface Side extends SideExtras {
  readonly lines: readonly string[];
  readonly isForeign?: boolean;
}
const knownOf = ({ lines, isForeign = false, ...extras }: Side): Known => {
  const observed = observedOf(lines, () => !isForeign, extras);
  const { addresses } = observed.owned;
  const hasAddress: Known['hasAddress'] = (vip, name) => addresses.has(bindingKey(vip, name));
  return { ...observed, hasAddress };
};
const UNKNOWN: Known = {
  virtualServers: undefined,
  hasAddress: () => false,
  firewall: undefined,
  sysctls: new Map(),
};

const CASES: readonly {
  readonly name: string;
  readonly op: Op['op'];
  readonly remembered: Side;
  readonly found: Side;
  readonly want: boolean;
}[] = [
  {
    name: 'a virtual server that is new',
    op: 'vs.add',
    remembered: { lines: [] },
    found: { lines: [] },
    want: false,
  },
  {
    name: 'a virtual server that is gone',
    op: 'vs.add',
    remembered: { lines: [VS] },
    found: { lines: [] },
    want: true,
  },
  {
    name: 'a scheduler that is to be another',
    op: 'vs.set',
    remembered: { lines: ['-A -t 192.0.2.10:80 -s wrr'] },
    found: { lines: ['-A -t 192.0.2.10:80 -s wrr'] },
    want: false,
  },
  {
    name: 'a scheduler that somebody set',
    op: 'vs.set',
    remembered: { lines: [VS] },
    found: { lines: ['-A -t 192.0.2.10:80 -s wrr'] },
    want: true,
  },
  {
    name: 'a real server of a virtual server that is new',
    op: 'rs.add',
    remembered: { lines: [] },
    found: { lines: [VS] },
    want: false,
  },
  {
    name: 'a real server that is gone',
    op: 'rs.add',
    remembered: { lines: [VS, RS] },
    found: { lines: [VS] },
    want: true,
  },
  {
    name: 'a weight that is to be another',
    op: 'rs.set',
    remembered: { lines: [VS, RS.replace('-w 1', '-w 2')] },
    found: { lines: [VS, RS.replace('-w 1', '-w 2')] },
    want: false,
  },
  {
    name: 'a weight that somebody set',
    op: 'rs.set',
    remembered: { lines: [VS, RS] },
    found: { lines: [VS, RS.replace('-w 1', '-w 2')] },
    want: true,
  },
  {
    name: 'a real server that somebody added',
    op: 'rs.del',
    remembered: { lines: [VS] },
    found: { lines: [VS, RS] },
    want: true,
  },
  {
    name: 'an address that is new',
    op: 'vip.add',
    remembered: { lines: [] },
    found: { lines: [] },
    want: false,
  },
  {
    name: 'an address that is gone',
    op: 'vip.add',
    remembered: { lines: [ADDRESS] },
    found: { lines: [] },
    want: true,
  },
  {
    name: 'an address that was somebody elses',
    op: 'vip.add',
    remembered: { lines: [ADDRESS], isForeign: true },
    found: { lines: [] },
    want: false,
  },
  {
    name: 'an address on another interface that somebody put there',
    op: 'vip.del',
    remembered: { lines: [ADDRESS.replace('eth0', 'eth1')] },
    found: { lines: [ADDRESS] },
    want: true,
  },
  {
    name: 'an announcement',
    op: 'vip.announce',
    remembered: { lines: [ADDRESS] },
    found: { lines: [] },
    want: false,
  },
  {
    name: 'an element that is gone',
    op: 'fw.add',
    remembered: { lines: [], firewall: { vips4: [VIP] } },
    found: { lines: [], firewall: {} },
    want: true,
  },
  {
    name: 'an element that somebody added',
    op: 'fw.del',
    remembered: { lines: [], firewall: {} },
    found: { lines: [], firewall: { vips4: [VIP] } },
    want: true,
  },
  {
    name: 'an element where there was no nft',
    op: 'fw.add',
    remembered: { lines: [], firewall: 'absent' },
    found: { lines: [], firewall: {} },
    want: false,
  },
  {
    name: 'a setting that is new',
    op: 'sysctl.set',
    remembered: { lines: [], sysctls: { 'net/ipv4/ip_forward': 0 } },
    found: { lines: [], sysctls: { 'net/ipv4/ip_forward': 0 } },
    want: false,
  },
  {
    name: 'a setting that was reset',
    op: 'sysctl.set',
    remembered: { lines: [], sysctls: { 'net/ipv4/ip_forward': 1 } },
    found: { lines: [], sysctls: { 'net/ipv4/ip_forward': 0 } },
    want: true,
  },
];
for (const { name, op, remembered, found, want } of CASES) {
  test(`${op}, ${name}: ${want ? 'a repair' : 'none'}`, () => {
    assert.equal(isRepair(OPS[op], knownOf(remembered), knownOf(found)), want);
  });
}

test('where nothing was read, nothing is a repair', () => {
  for (const op of Object.values(OPS)) assert.equal(isRepair(op, UNKNOWN, UNKNOWN), false, op.op);
});

const SERVED = observedOf([VS, RS, ADDRESS], undefined, {
  firewall: { vips4: [VIP] },
  sysctls: { 'net/ipv4/ip_forward': 1 },
});
const EMPTY = observedOf([], undefined, { firewall: {} });
const REPAIRS = ['vs.add', 'rs.add', 'vip.add', 'fw.add', 'sysctl.set'] as const;

function trusting(): { readonly mirror: KernelMirror; readonly memory: Memory } {
  const kernel = new FakeKernel();
  const mirror = new KernelMirror(kernel);
  kernel.owned.addresses.add(bindingKey(VIP, 'eth0'));
  mirror.load(SERVED);
  const memory = new Memory(mirror);
  memory.trust();
  return { mirror, memory };
}

/** What is a repair, by what is remembered. */
const repairs = (memory: Memory, mirror: KernelMirror): readonly string[] =>
  REPAIRS.filter((op) => isRepair(OPS[op], memory, mirror));

const KEEPS: readonly {
  readonly name: string;
  readonly does: (memory: Memory, mirror: KernelMirror) => void;
  readonly want: readonly string[];
}[] = [
  {
    name: 'nothing is kept',
    does: (_memory, mirror) => void mirror.load(EMPTY),
    want: [],
  },
  {
    name: 'everything is read',
    does: (memory, mirror) => {
      memory.keepAll();
      mirror.load(EMPTY);
    },
    want: REPAIRS,
  },
  {
    name: 'the host is read',
    does: (memory, mirror) => {
      memory.keepHost();
      mirror.loadHost(EMPTY);
    },
    want: ['vip.add', 'fw.add', 'sysctl.set'],
  },
  {
    name: 'the host is read twice before it is compared',
    does: (memory, mirror) => {
      memory.keepHost();
      mirror.loadHost(EMPTY);
      memory.keepHost();
    },
    want: ['vip.add', 'fw.add', 'sysctl.set'],
  },
  {
    name: 'a virtual server is read',
    does: (memory, mirror) => {
      memory.keepVirtualServers([KEY]);
      mirror.loadVirtualServers([KEY], new Map());
    },
    want: ['vs.add', 'rs.add'],
  },
  {
    name: 'another virtual server is read',
    does: (memory) => {
      memory.keepVirtualServers(['192.0.2.11:80/TCP' as VirtualServerKey]);
    },
    want: [],
  },
  {
    name: 'an address is taken away',
    does: (memory, mirror) => {
      memory.keepAddress(VIP, 'eth0');
      mirror.forgetAddress(VIP, 'eth0');
      memory.keepAddress(VIP, 'eth0');
    },
    want: ['vip.add'],
  },
];
for (const { name, does, want } of KEEPS) {
  test(`${name}: ${want.join() || 'nothing'} repairs`, () => {
    const { mirror, memory } = trusting();
    assert.equal(memory.isEmpty, true);
    does(memory, mirror);
    assert.deepEqual(repairs(memory, mirror), want);
    assert.equal(memory.isEmpty, want.length === 0 && name !== 'another virtual server is read');
    memory.forget(() => false);
    assert.equal(memory.isEmpty, true);
    assert.deepEqual(repairs(memory, mirror), []);
  });
}

test('an address that is still missed is remembered', () => {
  const { mirror, memory } = trusting();
  memory.keepAddress(VIP, 'eth0');
  mirror.forgetAddress(VIP, 'eth0');
  memory.forget((vip) => vip === VIP);
  assert.deepEqual(repairs(memory, mirror), ['vip.add']);
});

test('in doubt nothing is kept, until all was read', () => {
  const { mirror, memory } = trusting();
  memory.doubt();
  memory.keepAll();
  memory.keepHost();
  memory.keepVirtualServers([KEY]);
  assert.equal(memory.isEmpty, true);
  memory.trust();
  memory.keepAll();
  mirror.load(EMPTY);
  assert.deepEqual(repairs(memory, mirror), REPAIRS);
});

test('before the kernel was read nothing was there to be changed', () => {
  const mirror = new KernelMirror(new FakeKernel());
  const memory = new Memory(mirror);
  memory.keepAddress(VIP, 'eth0');
  memory.trust();
  memory.keepVirtualServers([KEY]);
  mirror.load(SERVED);
  memory.keepHost();
  assert.equal(isRepair(OPS['vip.add'], memory, new KernelMirror(new FakeKernel())), false);
  assert.equal(memory.virtualServers?.get('192.0.2.11:80/TCP' as VirtualServerKey), undefined);
});
