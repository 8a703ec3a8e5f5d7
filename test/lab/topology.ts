// The lab's network, for kernel tests, the demo and benches.  Runs inside test/lab/run only: it changes the namespace it is in.
//
//   client 10.9.0.2, fd09::2 --- router --- LAN 10.0.0.0/24, fd00::/64 (bridge in namespace sw)
//   on the LAN: router .1, directors .11 .12 .., backends be1 be2 be3 .21 .22 .23; the same last part in IPv6 (fd00::21)
//   VIPs: 10.0.0.100-.199 and fd00::100-::199 are found by ARP and ND; 192.0.2.0/24 and 2001:db8::/64 are routed to the first director
//
// A node is a network namespace; SELF is the lab's own one, so that a test can program its kernel in-process.
// Few, large `ip -batch` calls: in the guest a fork and exec costs 10 to 30 ms.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

export const SELF = 'self';

export interface TopologyOptions {
  /** Names of the directors; SELF (the default, alone) is the namespace that the caller is in. */
  readonly directors?: readonly string[];
  readonly backends?: readonly string[];
  /** Where backends send replies: NAT without masquerade needs the first director; with masquerade either works. */
  readonly repliesVia?: 'director' | 'router';
}

export interface LabNode {
  readonly name: string;
  readonly v4: string;
  readonly v6: string;
}

export interface Topology {
  readonly directors: readonly LabNode[];
  readonly backends: readonly LabNode[];
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly input?: string;
  /** After this the command is killed; default RUN_LIMIT_MS. */
  readonly timeoutMs?: number;
  /** Resolve with the exit code instead of throwing when it is not 0. */
  readonly mayFail?: boolean;
}

/** Node may take half a minute to start from its sources in a guest on a loaded machine. */
const RUN_LIMIT_MS = 120_000;
const BUILD = `${import.meta.dirname}/build`;

/** What `ip netns exec` says of a command that is not installed: no failure that anybody may expect. */
const NOT_INSTALLED = /^exec of ".*" failed: No such file or directory$/m;

/** Runs a command in a node's namespace to its end. Throws what it printed if it fails, unless `mayFail`. */
export async function run(
  node: string,
  command: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  const child = start(node, command);
  const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? RUN_LIMIT_MS);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin?.on('error', () => undefined); // a command that reads no input closes it early
  child.stdin?.end(options.input ?? '');
  await once(child, 'close');
  clearTimeout(timer);
  const code = child.exitCode ?? 128;
  if (code !== 0 && (options.mayFail !== true || NOT_INSTALLED.test(stderr))) {
    throw new Error(`${node}: ${command.join(' ')}: exit ${code}\n${stdout}${stderr}`);
  }
  return { code, stdout, stderr };
}

/** Starts a command in a node's namespace and leaves it running; the caller ends it with `stop`. */
export function start(node: string, command: readonly string[]): ChildProcess {
  const [file, ...args] = node === SELF ? command : ['ip', 'netns', 'exec', node, ...command];
  if (file === undefined) throw new Error('start: no command');
  return spawn(file, args, { stdio: 'pipe' });
}

/** Ends a started command and waits until it is gone. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

/** `ip -batch` in a node's namespace. */
export async function ip(node: string, lines: readonly string[]): Promise<void> {
  await run(node, ['ip', '-batch', '-'], { input: lines.join('\n') });
}

/** Writes sysctls by their dotted name, all by one shell. */
async function sysctl(
  node: string,
  values: Readonly<Record<string, number | string>>,
): Promise<void> {
  await run(node, ['sh', '-e'], { input: sysctlScript(values) });
}

function sysctlScript(values: Readonly<Record<string, number | string>>): string {
  return Object.entries(values)
    .map(([key, value]) => `echo '${value}' > /proc/sys/${key.replaceAll('.', '/')}\n`)
    .join('');
}

/** Builds the network from nothing. */
export async function buildTopology(options: TopologyOptions = {}): Promise<Topology> {
  const directors = number(options.directors ?? [SELF], 11);
  const backends = number(options.backends ?? ['be1', 'be2', 'be3'], 21);
  const onLan = ['router', ...[...directors, ...backends].map((node) => node.name)];
  const namespaces = ['sw', 'client', ...onLan].filter((name) => name !== SELF);
  // built into the kernel of some hosts, and then modprobe may know nothing of them
  await run(SELF, ['modprobe', '-a', 'veth', 'bridge', 'dummy', 'ip_vs'], { mayFail: true });
  await ip(SELF, [
    ...namespaces.map((name) => `netns add ${name}`),
    'link add eth0 netns client type veth peer name eth1 netns router',
    ...onLan
      .filter((name) => name !== SELF)
      .map((name) => `link add eth0 netns ${name} type veth peer name ${name} netns sw`),
    // last: once an eth0 is here, the kernel refuses to make another one elsewhere
    ...onLan
      .filter((name) => name === SELF)
      .map((name) => `link add eth0 type veth peer name ${name} netns sw`),
  ]);
  await ip('sw', [
    'link add br0 type bridge forward_delay 0 mcast_snooping 0',
    'link set br0 up',
    ...onLan.map((name) => `link set ${name} master br0 up`),
  ]);
  await configure('client', false, CLIENT_LINES);
  await configure('router', true, ROUTER_LINES);
  for (const node of directors) await configure(node.name, true, lanLines(node));
  const gateway = options.repliesVia === 'router' ? undefined : directors[0];
  for (const node of backends) {
    await configure(node.name, false, [...lanLines(node), ...replyLines(node, gateway)]);
    if (gateway !== undefined) {
      await run(node.name, [
        'ip',
        '-6',
        'rule',
        'add',
        'from',
        node.v6,
        'lookup',
        '100',
        'prio',
        '100',
      ]);
    }
  }
  return { directors, backends };
}

function number(names: readonly string[], first: number): readonly LabNode[] {
  return names.map((name, i) => ({ name, v4: `10.0.0.${first + i}`, v6: `fd00::${first + i}` }));
}

const CLIENT_LINES = [
  'address add 10.9.0.2/24 dev eth0',
  'address add fd09::2/64 dev eth0 nodad',
  'route add default via 10.9.0.1',
  'route add default via fd09::1',
];

const ROUTER_LINES = [
  'link set eth1 up',
  'address add 10.9.0.1/24 dev eth1',
  'address add fd09::1/64 dev eth1 nodad',
  'address add 10.0.0.1/24 dev eth0',
  'address add fd00::1/64 dev eth0 nodad',
  'route add 192.0.2.0/24 via 10.0.0.11',
  'route add 2001:db8::/64 via fd00::11',
];

function lanLines(node: LabNode): readonly string[] {
  return [
    `address add ${node.v4}/24 dev eth0`,
    `address add ${node.v6}/64 dev eth0 nodad`,
    'route add default via 10.0.0.1',
    'route add default via fd00::1',
  ];
}

/** NAT replies (their source is the backend's own address) go back through the director, DR and TUN replies (source VIP) do not. */
function replyLines(node: LabNode, gateway: LabNode | undefined): readonly string[] {
  if (gateway === undefined) return [];
  return [
    `rule add from ${node.v4} lookup 100 prio 100`,
    `route add default via ${gateway.v4} table 100`,
    'route add 10.0.0.0/24 dev eth0 table 100',
    `route add default via ${gateway.v6} table 100`,
    'route add fd00::/64 dev eth0 table 100',
  ];
}

/** One process per namespace: sysctls and addresses together. */
async function configure(node: string, forwards: boolean, lines: readonly string[]): Promise<void> {
  const script =
    `cd /proc/sys/net; for i in all default eth0; do\n` +
    `echo 0 > ipv6/conf/$i/accept_dad\n` +
    `for k in rp_filter send_redirects accept_redirects; do echo 0 > ipv4/conf/$i/$k; done; done\n` +
    (forwards ? 'echo 1 > ipv4/ip_forward; echo 1 > ipv6/conf/all/forwarding\n' : '') +
    `exec ip -batch - << 'END'\n${['link set lo up', 'link set eth0 up', ...lines].join('\n')}\nEND\n`;
  await run(node, ['sh', '-e'], { input: script });
}

/** Gives backends the VIPs on a dummy interface that answers no ARP and no ND: what DR and TUN need. */
export async function addVipsToBackends(
  backends: readonly LabNode[],
  vips: readonly string[],
): Promise<void> {
  for (const { name } of backends) {
    await sysctl(name, { 'net.ipv4.conf.all.arp_ignore': 1, 'net.ipv4.conf.all.arp_announce': 2 });
    await ip(name, [
      'link add vip0 type dummy',
      'link set vip0 up',
      ...vips.map(
        (vip) => `address add ${vip}/${vip.includes(':') ? '128 dev vip0 nodad' : '32 dev vip0'}`,
      ),
    ]);
  }
}

/** Lets backends take tunnelled packets: ipip, IPv6 in IPv4 and IPv6, GRE, and GUE on UDP port 6080. */
export async function openTunnels(backends: readonly LabNode[]): Promise<void> {
  const modules = ['ipip', 'sit', 'ip6_tunnel', 'ip_gre', 'fou', 'fou6'];
  for (const module of modules) await run(SELF, ['modprobe', module], { mayFail: true });
  for (const { name } of backends) {
    await ip(name, [
      ...['tunl0', 'sit0', 'ip6tnl0', 'gre0'].map((device) => `link set ${device} up`),
      'fou add port 6080 gue',
    ]);
    await sysctl(name, { 'net.ipv4.conf.tunl0.rp_filter': 0, 'net.ipv4.conf.gre0.rp_filter': 0 });
  }
}

/** Starts the TCP, UDP and SCTP server (server.c) on every backend; each answers with the backend's name. */
export async function startServers(
  backends: readonly LabNode[],
  ports: readonly number[] = [80, 81],
): Promise<readonly ChildProcess[]> {
  return Promise.all(
    backends.map(async ({ name }) => {
      const child = start(name, [`${BUILD}/server`, name, ...ports.map(String)]);
      if (child.stdout === null) throw new Error('server without stdout');
      const lines = createInterface({ input: child.stdout });
      await Promise.race([
        once(lines, 'line'),
        once(child, 'exit').then(([code]) => {
          throw new Error(`${name}: the server ended with ${String(code)}; built? (make lab)`);
        }),
      ]);
      // it lives as long as the lab, and need not be stopped for the test to end
      child.unref();
      lines.close();
      for (const pipe of [child.stdin, child.stdout, child.stderr])
        if (pipe instanceof Socket) pipe.unref();
      return child;
    }),
  );
}

/** How often each backend answered; `errors` only when some connection failed. */
export type Answers = Readonly<Record<string, number>>;

/** Opens `connections` fresh connections from a node and counts who answered (client.c count). */
export async function countAnswers(
  node: string,
  protocol: 'tcp' | 'udp' | 'sctp',
  address: string,
  port: number,
  connections: number,
  source?: string,
): Promise<Answers> {
  const from = source === undefined ? [] : ['-s', source];
  const { stdout } = await run(
    node,
    [`${BUILD}/client`, ...from, 'count', protocol, address, `${port}`, `${connections}`],
    { mayFail: true, timeoutMs: 10_000 + connections * 2_000 },
  );
  const words = clientWords(stdout);
  const counts = Object.entries(words).filter(([, value]) => /^[0-9]+$/.test(value));
  return Object.fromEntries(
    counts.map(([key, value]) => [key, Number(value)] as const).filter(([, n]) => n > 0),
  );
}

/** The NAME=VALUE words of the client's last line (client.c). */
export function clientWords(stdout: string): Readonly<Record<string, string>> {
  const line = stdout.trimEnd().split('\n').at(-1) ?? '';
  return Object.fromEntries(
    line.split(' ').map((word) => {
      const at = word.indexOf('=');
      return [word.slice(0, at), word.slice(at + 1)] as const;
    }),
  );
}

/** The command line of client.c, for a stream or probe that runs beside a test. */
export function clientCommand(...args: readonly (string | number)[]): readonly string[] {
  return [`${BUILD}/client`, ...args.map(String)];
}
