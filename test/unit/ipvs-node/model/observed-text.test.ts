// The text of a kernel, read back: what `vipvs dump` and `plan -o rules` print, and what an operator might.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatOp, parseSysctlLine } from '../../../../src/ipvs-node/model/format.ts';
import { parseObserved } from '../../../../src/ipvs-node/model/observed-text.ts';
import { hostAddressesOf } from '../../../../src/ipvs-node/model/owned.ts';
import { parseIp } from '../../../../src/net/address.ts';

const TEXT = `# a comment
-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
ipvsadm -A -u [2001:db8::1]:53 -s wrr
ip address add 192.0.2.10/32 dev eth0
ip address add 192.0.2.10 dev lo
ip -6 addr add 2001:db8::1/128 dev eth0 nodad preferred_lft 0
ip a add 192.0.2.1/24 dev eth0
sysctl -w net.ipv4.vs.conntrack=1
`;

test('rules, addresses, sysctls, and whose they are', () => {
  const vip = parseIp('192.0.2.10');
  const { observed, errors } = parseObserved(TEXT, (address) => address !== '2001:db8::1');
  assert.deepEqual(errors, []);
  assert.deepEqual(
    [...(observed.virtualServers?.keys() ?? [])],
    ['192.0.2.10:80/TCP', '[2001:db8::1]:53/UDP'],
  );
  assert.deepEqual([...observed.owned.virtualServers.keys()], ['192.0.2.10:80/TCP']);
  assert.deepEqual([...observed.owned.addresses.keys()], ['192.0.2.10 eth0', '192.0.2.10 lo']);
  assert.deepEqual(observed.addresses?.get(vip), [
    { address: vip, interface: 'eth0', mark: 'plain' },
    { address: vip, interface: 'lo', mark: 'plain' },
  ]);
  const others = [parseIp('2001:db8::1'), parseIp('192.0.2.1')];
  assert.deepEqual(
    others.map((address) => observed.addresses?.get(address)?.map(({ mark }) => mark)),
    [['plain'], ['network']],
  );
  assert.deepEqual([...hostAddressesOf(observed.addresses, observed.owned)], others);
  assert.deepEqual([...observed.sysctls], [['net/ipv4/vs/conntrack', 1]]);
});

test('an address of a Pool is ours by its tag, or by what stands on it', () => {
  const text = `-A -t 192.0.2.1:80 -s rr
ip address add 192.0.2.1/32 dev eth0
ip address add 192.0.2.2/32 dev eth0
ip address add 192.0.2.3/32 dev eth0 proto 76
ip address add 192.0.2.4/32 dev eth0 proto 0x4c scope global
ip address add 192.0.2.5/32 dev eth0 proto 3
ip address add 198.51.100.1/32 dev eth0 proto 76
`;
  const isOurs = (address: string): boolean => address.startsWith('192.0.2.');
  const marks = { tag: 76, isOurUntagged: (_: string, hasServer: boolean) => hasServer };
  assert.deepEqual(
    [...parseObserved(text, isOurs, marks).observed.owned.addresses.keys()],
    ['192.0.2.1 eth0', '192.0.2.3 eth0', '192.0.2.4 eth0'],
  );
});

test('lines that cannot be read, in their order', () => {
  const { errors } = parseObserved(
    'ip address add 300.0.0.1/32 dev eth0\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m\nip route\n',
    () => true,
  );
  assert.deepEqual(
    errors.map(({ line }) => line),
    [1, 2, 3],
  );
  assert.match(errors[0]?.text ?? '', /not an IP address/);
  assert.match(errors[2]?.text ?? '', /not an ipvsadm rule, and not "ip address add/);
});

test('a sysctl line is what formatOp prints', () => {
  const text = formatOp({ op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: 1 });
  assert.deepEqual(parseSysctlLine(text), { key: 'net/ipv4/ip_forward', value: 1 });
  assert.equal(parseSysctlLine('sysctl -a'), undefined);
});
