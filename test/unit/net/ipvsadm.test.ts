import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRules, type Rule } from '../../../src/net/ipvsadm.ts';
import { parseRules, type ParsedRules } from '../../../src/net/ipvsadm-parse.ts';
import { fixtureText } from '../../fixtures/read-fixture.ts';

const toRules = (parsed: ParsedRules): Rule[] =>
  [...parsed.rules.values()].map(({ server, realServers }) => ({
    server,
    realServers: [...realServers.values()],
  }));
const reformat = (text: string): string => formatRules(toRules(parseRules(text)));

test('what ipvsadm-save -n printed is read, and printed again line by line', () => {
  const saved = fixtureText('net/ipvsadm-save.txt');
  const parsed = parseRules(saved);
  assert.deepEqual(parsed.errors, []);
  assert.deepEqual(parsed.rest, []);
  assert.deepEqual(
    parsed.foreign.map(({ text }) => text),
    [
      '-A -t 192.0.2.12:0 -s rr -p 60',
      '-A -f 10 -s rr',
      '-a -f 10 -r 10.1.0.1:0 -m -w 1',
      '-A -f 11 -6 -s rr -p 50',
    ],
  );
  const foreign = new Set(parsed.foreign.map(({ text }) => text));
  const want = saved
    .split('\n')
    .filter((line) => line !== '' && !foreign.has(line))
    // options that no virtual server of ours has
    .map((line) => line.replace(/ (-M \S+|-o|--pe \S+)/, ''));
  assert.deepEqual(formatRules(toRules(parsed)).trimEnd().split('\n').sort(), want.sort());
});

test('canonical order: by address, each real server below its virtual server', () => {
  const text = [
    '-A -t [2001:db8::1]:80 -s rr',
    '-A -t 192.0.2.10:80 -s rr',
    '-a -t 192.0.2.10:80 -r 10.1.0.10:80 -m -w 1',
    '-a -t 192.0.2.10:80 -r 10.1.0.9:80 -m -w 1',
  ];
  const want = [
    '-A -t 192.0.2.10:80 -s rr',
    '-a -t 192.0.2.10:80 -r 10.1.0.9:80 -m -w 1',
    '-a -t 192.0.2.10:80 -r 10.1.0.10:80 -m -w 1',
    '-A -t [2001:db8::1]:80 -s rr',
    '',
  ];
  assert.equal(reformat(text.join('\n')), want.join('\n'));
  assert.equal(formatRules([]), '');
});

const SAME = [
  { name: 'long options', given: '--add-service --tcp-service 192.0.2.1:80 --scheduler wrr --persistent 9', want: '-A -t 192.0.2.1:80 -s wrr -p 9' },
  { name: 'a leading ipvsadm', given: 'ipvsadm  -A -t 192.0.2.1:80 -s rr', want: '-A -t 192.0.2.1:80 -s rr' },
  { name: 'no scheduler is wlc', given: '-A -t 192.0.2.1:80', want: '-A -t 192.0.2.1:80 -s wlc' },
  { name: '-p alone is 360 s', given: '-A -t 192.0.2.1:80 -s rr -p', want: '-A -t 192.0.2.1:80 -s rr -p 360' },
  { name: '-p before an option is 360 s', given: '-A -t 192.0.2.1:80 -p -s rr', want: '-A -t 192.0.2.1:80 -s rr -p 360' },
  { name: 'comments and empty lines', given: '# x\n\n  -A -t 192.0.2.1:80 -s rr  \n', want: '-A -t 192.0.2.1:80 -s rr' },
]; // prettier-ignore
for (const { name, given, want } of SAME) {
  test(`parseRules: ${name}`, () => assert.equal(reformat(given), `${want}\n`));
}

const SERVER = '-A -t 192.0.2.1:80 -s rr';
const SAME_REAL = [
  { name: 'direct routing, weight 1 and the same port by default', given: '-r 10.1.0.1', want: '-r 10.1.0.1:80 -g -w 1' },
  { name: 'direct routing has the port of the virtual server', given: '-r 10.1.0.1:81 -g', want: '-r 10.1.0.1:80 -g -w 1' },
  { name: 'masquerade without a port', given: '-r 10.1.0.1 -m', want: '-r 10.1.0.1:80 -m -w 1' },
  { name: 'tunnel', given: '-r 10.1.0.1 -i', want: '-r 10.1.0.1:80 -i -w 1 --tun-type ipip' },
  { name: 'gue without checksum option', given: '-r 10.1.0.1 -i --tun-type gue --tun-port 6080', want: '-r 10.1.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum' },
  { name: 'gre without checksum option', given: '-r 10.1.0.1 -i --tun-type gre', want: '-r 10.1.0.1:80 -i -w 1 --tun-type gre --tun-nocsum' },
  { name: 'thresholds are left out', given: '-r 10.1.0.1 -m -x 9 -y 3', want: '-r 10.1.0.1:80 -m -w 1' },
]; // prettier-ignore
for (const { name, given, want } of SAME_REAL) {
  test(`parseRules, real server: ${name}`, () => {
    const text = reformat(`${SERVER}\n-a -t 192.0.2.1:80 ${given}\n`);
    assert.equal(text, `${SERVER}\n-a -t 192.0.2.1:80 ${want}\n`);
  });
}

const ERRORS = [
  ['-Z', '"-Z" is not a rule; allowed: -A (add service), -a (add server)'],
  ['-D -t 192.0.2.1:80', '"-D" is not a rule; allowed: -A (add service), -a (add server)'],
  ['-A -s rr', 'one of -t, -u, --sctp-service, -f is needed'],
  ['-A -t 192.0.2.1:80 -u 192.0.2.1:80', 'one of -t, -u, --sctp-service, -f is needed'],
  ['-A -t', '-t needs a value'],
  ['-A -t 192.0.2.1:80 --quiet', 'option "--quiet" is not known'],
  ['-A -t 192.0.2.1:80 -s rr -s rr', '-s is there twice'],
  ['-A -t 192.0.2.1:80 -s best', 'scheduler "best" is not known'],
  ['-A -t 192.0.2.1:80 -s rr -b mh-port', 'scheduler flags "mh-port" are not those of rr'],
  ['-A -t 192.0.2.1:80 -s rr -p x', 'persistence "x" is not a number from 0 to 2147483647'],
  ['-A -t 192.0.2.1:http -s rr', 'port "http" is not a number from 0 to 65535'],
  ['-A -t 192.0.2.1:65536 -s rr', 'port "65536" is not a number from 0 to 65535'],
  ['-A -t web:80 -s rr', '"web" is not an IP address'],
  ['-A -t 2001:db8::7:98 -s rr', '"2001:db8::7:98" is not ADDRESS:PORT or [ADDRESS]:PORT'],
  ['-A -t 192.0.2.9:80', 'virtual server 192.0.2.9:80/TCP is there already'],
  ['-a -t 192.0.2.1:80 -r 10.1.0.1', 'no virtual server 192.0.2.1:80/TCP above this line'],
  ['-a -t 192.0.2.9:80 -r 10.9.0.1 -m', 'real server 10.9.0.1:80 of 192.0.2.9:80/TCP is there already'],
  ['-a -t 192.0.2.9:80', '-r is needed'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -m -g', 'only one of -m, -g, -i is allowed'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -w 1x', 'weight "1x" is not a number from 0 to 2147483647'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -g --tun-type ipip', '--tun-type needs -i'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -i --tun-type vxlan', 'tunnel type "vxlan" is not one of ipip, gue, gre'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -i --tun-type gue', '--tun-type gue needs --tun-port'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -i --tun-type gre --tun-port 9', '--tun-port needs --tun-type gue'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -i --tun-type gre --tun-remcsum', '--tun-remcsum does not go with this tunnel type'],
  ['-a -t 192.0.2.9:80 -r 10.1.0.1 -i --tun-type ipip --tun-csum', '--tun-csum does not go with this tunnel type'],
] as const; // prettier-ignore
for (const [given, message] of ERRORS) {
  test(`parseRules refuses ${given}`, () => {
    const before = '-A -t 192.0.2.9:80 -s rr\n-a -t 192.0.2.9:80 -r 10.9.0.1 -m\n';
    const parsed = parseRules(before + given);
    assert.deepEqual(parsed.errors, [{ line: 3, text: message }]);
    assert.equal(parsed.rules.size, 1);
  });
}

test('lines of other tools are handed back', () => {
  const parsed = parseRules(
    'ip address add 192.0.2.1/32 dev eth0\nsysctl -w net.ipv4.ip_forward=1',
  );
  assert.deepEqual(parsed.rest, [
    { line: 1, text: 'ip address add 192.0.2.1/32 dev eth0' },
    { line: 2, text: 'sysctl -w net.ipv4.ip_forward=1' },
  ]);
});
