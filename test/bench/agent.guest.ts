// Runs in the lab's guest: starts the program that is measured and tells the host what becomes of it and of IPVS.
//   node agent.mjs PORT        the host's agent-guest.ts listens there
// A change of IPVS is seen by a probe in the kernel, not by asking again and again: the guest has one processor.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { IpvsSocket } from '../../src/ipvs-node/kernel/ipvs/socket.ts';
import { serviceKeyOf } from '../../src/ipvs-node/kernel/ipvs/values.ts';
import { parseIp } from '../../src/net/address.ts';
import { numberedOrderSchema, type Order, type Report, type Usage } from './agent-protocol.ts';

const HOST = '10.0.2.2';
const POLL_MS = 100;
const TRACING = '/sys/kernel/tracing';
/** The kernel's handler of every generic netlink command that writes to IPVS, when it returns. */
const PROBE = 'r:vipvs/written ip_vs_genl_set_cmd\n';

const execute = promisify(execFile);
const socket = connect(Number(process.argv[2]), HOST);
socket.setNoDelay(true);
let measured: ChildProcess | undefined;
let errors = '';

function tell(report: Report): void {
  socket.write(`${JSON.stringify(report)}\n`);
}

async function work(order: Order): Promise<Omit<Report, 'id'>> {
  switch (order.do) {
    case 'ping':
      return {};
    case 'run': {
      const [file = '', ...args] = order.command;
      const { stdout } = await execute(file, args, { maxBuffer: 1 << 26 });
      return { text: stdout };
    }
    case 'start': {
      const [file = '', ...args] = order.command;
      errors = '';
      measured = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      measured.stderr?.setEncoding('utf8').on('data', (text: string) => (errors += text));
      await once(measured, 'spawn');
      return {};
    }
    case 'await':
      await untilProgrammed(order);
      return {};
    case 'check':
      check(order.virtualServers, order.realServersEach);
      return {};
    case 'usage':
      return { usage: usageOf(pidOf()) };
    case 'observe':
      observe();
      return {};
    case 'stop': {
      const child = measured;
      if (child === undefined) return {};
      measured = undefined;
      const gone = child.exitCode !== null ? Promise.resolve() : once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      return { text: errors };
    }
  }
}

function pidOf(): number {
  if (measured?.pid === undefined || measured.exitCode !== null) {
    throw new Error(`the program does not run:\n${errors.slice(-4000)}`);
  }
  return measured.pid;
}

/**
 * Cheap, for the guest has one processor: every virtual server is a use of the kernel's module, and the real servers are
 * asked for of some. That all are there is checked once at the end.
 */
async function untilProgrammed(order: Extract<Order, { do: 'await' }>): Promise<void> {
  const ipvs = IpvsSocket.open();
  const keys = order.samples.map((vip) =>
    serviceKeyOf({ vip: parseIp(vip), port: 80, protocol: 'TCP' }),
  );
  const want = order.realServersEach;
  for (;;) {
    pidOf();
    const uses = readFileSync('/sys/module/ip_vs/refcnt', 'utf8').trim();
    if (Number(uses) >= order.virtualServers) {
      const { entries } = await ipvs.dumpDests(keys);
      if (entries.every((reals) => reals !== undefined && reals.length >= want)) break;
    }
    await sleep(POLL_MS);
  }
  await ipvs.close();
}

function check(virtualServers: number, realServersEach: number): void {
  const table = readFileSync('/proc/net/ip_vs', 'utf8');
  const lines = (pattern: RegExp): number => table.match(pattern)?.length ?? 0;
  const [servers, reals] = [lines(/^TCP /gm), lines(/^ {2}-> (?!Remote)/gm)];
  if (servers >= virtualServers && reals >= virtualServers * realServersEach) return;
  throw new Error(`IPVS has ${servers} virtual servers and ${reals} real servers`);
}

function usageOf(pid: number): Usage {
  // proc(5), schedstat: nanoseconds on a processor; utime and stime count in steps of 10 ms
  let cpuNs = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    cpuNs += Number(text.split(' ', 1)[0]);
  }
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
  const received = readFileSync('/sys/class/net/host0/statistics/rx_bytes', 'utf8');
  return {
    cpuMs: cpuNs / 1e6,
    rssMb: megabytes('VmRSS'),
    peakRssMb: megabytes('VmHWM'),
    receivedBytes: Number(received),
  };
}

function observe(): void {
  writeFileSync(`${TRACING}/kprobe_events`, PROBE);
  writeFileSync(`${TRACING}/events/vipvs/written/enable`, '1');
  // a read of this file waits until there is something in it
  createReadStream(`${TRACING}/trace_pipe`).on('data', () => tell({ id: 0 }));
}

async function prepare(): Promise<void> {
  await execute('mount', ['-t', 'tracefs', 'tracefs', TRACING]);
  await execute('modprobe', ['-a', 'ip_vs', 'ip_vs_rr', 'dummy']);
  await execute('ip', ['link', 'add', 'vips', 'type', 'dummy']);
  await execute('ip', ['link', 'set', 'vips', 'up']);
}

await once(socket, 'connect');
await prepare();
tell({ id: 0 });
for await (const line of createInterface({ input: socket })) {
  const { id, order } = numberedOrderSchema.parse(JSON.parse(line));
  void work(order).then(
    (report) => tell({ id, ...report }),
    (error: unknown) => tell({ id, error: String(error) }),
  );
}
measured?.kill('SIGKILL');
process.exit(0);
