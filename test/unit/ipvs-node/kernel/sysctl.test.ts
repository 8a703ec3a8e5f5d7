import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';

import { readSysctl, sysctlProblem, writeSysctl } from '../../../../src/ipvs-node/kernel/sysctl.ts';

let root: string;
before(() => {
  root = mkdtempSync(path.join(tmpdir(), 'vipvs-sysctl.'));
  mkdirSync(path.join(root, 'net/ipv4/conf/eth0.100'), { recursive: true });
  writeFileSync(path.join(root, 'net/ipv4/ip_forward'), '0\n');
  writeFileSync(path.join(root, 'net/ipv4/conf/eth0.100/rp_filter'), '-1\n');
  writeFileSync(path.join(root, 'net/ipv4/tcp_rmem'), '4096\t131072\t6291456\n');
});
after(() => {
  rmSync(root, { recursive: true });
});

const reads = [
  { name: 'a number', given: 'net/ipv4/ip_forward', want: { value: 0 } },
  {
    name: 'a negative one, of a VLAN',
    given: 'net/ipv4/conf/eth0.100/rp_filter',
    want: { value: -1 },
  },
  { name: 'what is not there', given: 'net/ipv4/vs/conntrack', want: { errno: 'ENOENT' } },
  { name: 'what is no number', given: 'net/ipv4/tcp_rmem', want: { errno: 'EINVAL' } },
  { name: 'a directory', given: 'net/ipv4/conf', want: { errno: 'EISDIR' } },
];
for (const { name, given, want } of reads) {
  test(`reads ${name}`, () => assert.deepEqual(readSysctl(given, root), want));
}

test('writes, and says why not', () => {
  assert.equal(writeSysctl('net/ipv4/ip_forward', 1, root), undefined);
  assert.equal(readFileSync(path.join(root, 'net/ipv4/ip_forward'), 'utf8'), '1\n');
  assert.equal(writeSysctl('net/ipv4/vs/conntrack', 1, root), 'ENOENT', 'nothing is created');
});

test('a key that leaves the tree is a bug', () => {
  for (const key of ['net/../../etc/passwd', 'kernel/modprobe', 'net/', '/net/ipv4/ip_forward']) {
    assert.throws(() => readSysctl(key, root), /^Error: bug/);
    assert.throws(() => writeSysctl(key, 1, root), /^Error: bug/);
  }
});

test('problems say what to do', () => {
  assert.equal(
    sysctlProblem('net/ipv4/vs/conntrack', 1, 'ENOENT'),
    'the kernel has no setting net.ipv4.vs.conntrack',
  );
  assert.match(
    sysctlProblem('net/ipv4/ip_forward', 1, 'EROFS'),
    /sysctl -w net\.ipv4\.ip_forward=1/,
  );
});
