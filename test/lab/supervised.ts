// vipvs-keepalived in a lab of two directors on one link: the test's own namespace, where the supervisor runs, and
// `peer`, where a plain keepalived plays the other director. And an agent that says what the test wants it to.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';

import { SELF, ip, run, start, stop } from './topology.ts';

const PEER = 'peer';
export const SUPERVISOR = `${import.meta.dirname}/../../native/build/vipvs-keepalived`;
const WAIT_MS = 60_000;
const LOOK_MS = 20;
/** An emulated processor can't send more than a few at five adverts a second. */
const MANY_GROUPS = 8;

export async function buildLink(): Promise<void> {
  await run(SELF, ['modprobe', 'veth'], { mayFail: true });
  await ip(SELF, [
    `netns add ${PEER}`,
    `link add eth0 type veth peer name eth0 netns ${PEER}`,
    'link set lo up',
    'link set eth0 up',
    'address add 10.0.0.1/24 dev eth0',
  ]);
  await ip(PEER, ['link set lo up', 'link set eth0 up', 'address add 10.0.0.2/24 dev eth0']);
}

/** Waits for it, generously; says what it waited for. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${WAIT_MS} ms: ${what}`);
    await delay(LOOK_MS);
  }
}

/** keepalived.conf with these groups; a group's priority is 200 plus its track_file's value. */
function configOf(dir: string, groups: readonly string[]): string {
  return [
    `global_defs {\n router_id lab\n vrrp_version 3\n vrrp_notify_fifo ${dir}/notify.fifo root\n script_user root\n enable_script_security\n}`,
    ...groups.map(
      (group, i) =>
        `vrrp_track_file t${i} {\n file ${dir}/priority/${group}\n weight 1\n}\n` +
        `vrrp_instance ${group} {\n state BACKUP\n interface eth0\n virtual_router_id ${i + 1}\n priority 200\n advert_int ${groups.length > MANY_GROUPS ? 1 : 0.2}\n` +
        ` notify_deleted\n track_file { t${i} weight 1 }\n virtual_ipaddress { 169.254.7.${i + 1}/32 dev lo scope host }\n}`,
    ),
  ].join('\n');
}

async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}

/** The directory that supervisor and agent share, from the agent's side. */
export class SharedDir {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  async create(groups: readonly string[], value: number): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    for (const folder of ['priority', 'vips', 'state']) {
      await mkdir(`${this.path}/${folder}`, { recursive: true });
    }
    for (const group of groups) await this.write(`priority/${group}`, `${value}\n`);
  }

  write(name: string, text: string): Promise<void> {
    return writeWhole(`${this.path}/${name}`, text);
  }

  configure(groups: readonly string[]): Promise<void> {
    return this.write('keepalived.conf', configOf(this.path, groups));
  }

  /** The file's text, or '' where there is none. */
  read(name: string): string {
    const path = `${this.path}/${name}`;
    return existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  }

  async reaches(group: string, standing: string): Promise<void> {
    await until(`${group} is ${standing}`, () => this.read(`state/${group}`) === standing);
  }
}

export class Supervised {
  readonly dir: SharedDir;
  readonly name: string;
  readonly said: string[] = [];
  readonly #child: ChildProcess;
  readonly exited: Promise<unknown>;

  constructor(dir: SharedDir, name: string, flags: readonly string[] = []) {
    this.dir = dir;
    this.name = name;
    this.#child = start(SELF, [SUPERVISOR, '--dir', dir.path, '--name', name, ...flags]);
    this.exited = once(this.#child, 'exit');
    if (this.#child.stderr === null) throw new Error('no stderr');
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.said.push(line));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  has(part: string | RegExp): boolean {
    return this.said.some((line) =>
      typeof part === 'string' ? line.includes(part) : part.test(line),
    );
  }

  async says(part: string | RegExp): Promise<void> {
    await until(`the supervisor says ${String(part)}`, () => this.has(part));
  }

  terminate(): void {
    this.#child.kill('SIGTERM');
  }

  async stop(): Promise<void> {
    await stop(this.#child);
  }

  /** The process that keepalived's own pid file names. */
  keepalivedPid(file = 'keepalived.pid'): number {
    return Number(this.dir.read(file));
  }
}

export type Manner = 'acts' | 'hangs' | 'pongs';

/** `acts`: says done to all, `pongs`: lives and does nothing, `hangs`: reads nothing, as a process that is stopped. */
export class FakeAgent {
  readonly heard: string[] = [];
  readonly #socket: Socket;
  manner: Manner;
  closed = false;

  private constructor(socket: Socket, manner: Manner) {
    this.#socket = socket;
    this.manner = manner;
    socket.on('close', () => (this.closed = true));
    socket.on('error', () => undefined);
    createInterface({ input: socket })
      .on('line', (line) => this.#take(line))
      .on('error', () => undefined);
    if (manner === 'hangs') socket.pause();
  }

  static async connect(name: string, manner: Manner): Promise<FakeAgent> {
    let agent: FakeAgent | undefined;
    await until(`an agent connects to ${name}`, async () => {
      const socket = connect({ path: `\0vipvs-vrrp/${name}` });
      const [outcome] = await Promise.race([
        once(socket, 'connect').then(() => ['connected']),
        once(socket, 'error').then(() => ['refused']),
      ]).catch(() => ['refused']);
      if (outcome !== 'connected') return false;
      agent = new FakeAgent(socket, manner);
      return true;
    });
    assert.ok(agent);
    return agent;
  }

  hang(): void {
    this.manner = 'hangs';
    this.#socket.pause();
  }

  goOn(manner: Manner): void {
    this.manner = manner;
    this.#socket.resume();
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  close(): void {
    this.#socket.destroy();
  }

  async hears(line: string | RegExp): Promise<void> {
    await until(
      `the agent hears ${String(line)}, not only ${this.heard.slice(-5).join(' | ')}`,
      () =>
        this.heard.some((heard) => (typeof line === 'string' ? heard === line : line.test(heard))),
    );
  }

  #take(line: string): void {
    this.heard.push(line);
    const [word, first, second] = line.split(' ');
    if (word === 'ping') this.say(`pong ${first ?? ''}\n`);
    if (word === 'state' && this.manner === 'acts')
      this.say(`done ${first ?? ''} ${second ?? ''}\n`);
  }
}

/** The other director: keepalived alone, which holds what it is told to by its own track_files. */
export class PeerDirector {
  readonly dir: SharedDir;
  #child: ChildProcess | undefined;

  constructor(dir: SharedDir) {
    this.dir = dir;
  }

  async begin(groups: readonly string[]): Promise<void> {
    await this.dir.create(groups, -100);
    await this.dir.configure(groups);
    const files = ['-p', `${this.dir.path}/p`, '-r', `${this.dir.path}/v`];
    const config = `${this.dir.path}/keepalived.conf`;
    this.#child = start(PEER, ['keepalived', '-n', '-l', '-G', '-P', '-f', config, ...files]);
    this.#child.stderr?.resume();
    await until('the peer runs', () => this.dir.read('v') !== '');
  }

  /** Takes a group that is held with a priority of 200 or less, or lets it go. */
  async takes(group: string, takes: boolean): Promise<void> {
    await this.dir.write(`priority/${group}`, takes ? '40\n' : '-100\n');
  }

  async end(): Promise<void> {
    if (this.#child !== undefined) await stop(this.#child);
  }
}

/** The VIPs on the link of the supervised director. */
export async function boundVips(): Promise<readonly string[]> {
  const { stdout } = await run(SELF, ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
  const found = [...stdout.matchAll(/inet6? ([^ /]+)\/(\d+)/g)];
  return found.flatMap(([, address, prefix]) =>
    address !== undefined && (prefix === '32' || prefix === '128') ? [address] : [],
  );
}

export async function boundBecome(want: readonly string[]): Promise<void> {
  let last: readonly string[] = [];
  await until(`the VIPs ${want.join(' ')} are bound`, async () => {
    last = [...(await boundVips())].sort();
    return last.join() === [...want].sort().join();
  });
}
