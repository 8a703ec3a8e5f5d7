// The only door to npm `netlink`: links and addresses of this network namespace, by messages of our own codec over its
// raw socket (docs/decisions/0004). It adds what the package lacks: interrupted dumps, lost answers, timeouts, batches.
// Invariant: an answer is complete or it is an error; what is missing from a dump that failed is not absent.
//
// Two defects of netlink 0.3.0 (src/binding.cc PollHandler) shape this file. Closing a socket inside one of its own
// callbacks uses a watcher that is gone. And a receive buffer that overflows ABORTS the process: libuv reports the
// error as status EBADF, and the error object is made with a null string. So no socket here can overflow.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

import { RawNetlinkSocket } from 'netlink/dist/raw.js';

import { OperationalError } from '../../../runtime/errors.ts';
import { SerialQueue } from '../../../runtime/serial-queue.ts';
import { errnoName } from '../errno.ts';
import {
  decodeMessages,
  encodeAddress,
  encodeDump,
  type AddressChange,
  type AddressRecord,
  type LinkRecord,
  type RtMessage,
} from './rtnetlink-codec.ts';

const NETLINK_ROUTE = 0;
// linux/rtnetlink.h RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR
const MONITOR_GROUPS = [1, 5, 9];
/** 8,000 address notifications of about 1 KiB each in the kernel's count: one full batch of VIPs and more. */
const MONITOR_BUFFER_BYTES = 8 << 20;
/** Losses are looked for after this many notifications: there are none while the buffer is nearly empty. */
const MONITOR_CHECK_EVERY = 64;
/**
 * Messages per send. The ACK is asked for on the last one only. A default receive buffer (212,992 bytes) holds 237
 * error answers, measured: a batch in which all fail does not overflow it. Dumps never do (af_netlink.c netlink_dump
 * waits for room).
 */
const MOST_PER_BATCH = 128;
const LEAST_PER_BATCH = 4;
/**
 * The kernel works inside send(), so a batch stalls the event loop. Deleting one of 5,000 IPv6 addresses takes it 3 ms
 * (measured): batches shrink while they take longer than this.
 */
const BATCH_TARGET_MS = 20;
/** Longest silence of the kernel while an answer is due; it answers inside send(), so this is for a broken one. */
const SILENCE_MS = 5_000;
const DUMP_ATTEMPTS = 4;

/** The dump could not be read whole: nothing may be concluded from it. */
export class IncompleteDumpError extends OperationalError {
  constructor(message: string) {
    super('kernel-failed', message);
  }
}

/** `ok`, an errno name, or `unknown` where the kernel's answer was lost: it may have happened. */
export type ChangeOutcome = string;

export type RtEvent =
  | { readonly kind: 'address'; readonly removed: boolean; readonly address: AddressRecord }
  | { readonly kind: 'link'; readonly removed: boolean; readonly link: LinkRecord }
  /** Notifications were lost: read everything again. */
  | { readonly kind: 'lost' };

type Answer = { readonly kind: 'messages'; readonly messages: readonly RtMessage[] } | Loss;
interface Loss {
  readonly kind: 'loss';
  readonly why: string;
}

function openSocket(): RawNetlinkSocket {
  // 0 = the kernel's defaults: a batch is 15 KiB
  return new RawNetlinkSocket(NETLINK_ROUTE, { recvBufferSize: 0, sendBufferSize: 0 });
}

function deliver(socket: RawNetlinkSocket, receive: (answer: Answer) => void): void {
  socket.on('message', (datagram, sender) => {
    if (sender.port !== 0) return; // only the kernel may speak to us
    try {
      receive({ kind: 'messages', messages: decodeMessages(datagram) });
    } catch (error) {
      receive({ kind: 'loss', why: String(error) });
    }
  });
  socket.on('error', (error) => receive({ kind: 'loss', why: error.code }));
  socket.on('truncatedMessage', () => receive({ kind: 'loss', why: 'truncated message' }));
}

function outcomeOf(errno: number): ChangeOutcome {
  return errno === 0 ? 'ok' : errnoName(errno);
}

/** Requests one after the other: dumps and batches of address changes. */
export class RtNetlink {
  readonly #socket = openSocket();
  #seq = 0;
  readonly #queue = new SerialQueue();
  #receive: (answer: Answer) => void = () => undefined;
  #dumpsInterrupted = 0;

  constructor() {
    deliver(this.#socket, (answer) => this.#receive(answer));
  }

  /** How many dumps the kernel called inconsistent so far; each was read again. */
  get dumpsInterrupted(): number {
    return this.#dumpsInterrupted;
  }

  /** Throws IncompleteDumpError. */
  async links(): Promise<readonly LinkRecord[]> {
    const messages = await this.#dump('links');
    return messages.flatMap((message) => (message.kind === 'link' ? [message.link] : []));
  }

  /** Throws IncompleteDumpError. */
  async addresses(): Promise<readonly AddressRecord[]> {
    const messages = await this.#dump('addresses');
    return messages.flatMap((message) => (message.kind === 'address' ? [message.address] : []));
  }

  /** Runs the changes in order and answers for each; one that fails does not stop the next. */
  async change(changes: readonly AddressChange[]): Promise<readonly ChangeOutcome[]> {
    const outcomes: ChangeOutcome[] = [];
    let length = LEAST_PER_BATCH;
    while (outcomes.length < changes.length) {
      const batch = changes.slice(outcomes.length, outcomes.length + length);
      const started = performance.now();
      outcomes.push(...(await this.#queue.run(() => this.#changeBatch(batch))));
      const slow = performance.now() - started > BATCH_TARGET_MS;
      length = slow ? Math.max(LEAST_PER_BATCH, length / 2) : Math.min(MOST_PER_BATCH, length * 2);
    }
    return outcomes;
  }

  close(): void {
    setImmediate(() => this.#socket.close());
  }

  #takeSeq(count: number): number {
    if (this.#seq > 0xffffffff - count) this.#seq = 0;
    const first = this.#seq + 1;
    this.#seq += count;
    return first;
  }

  async #dump(what: 'addresses' | 'links'): Promise<readonly RtMessage[]> {
    for (let attempt = 1; ; attempt++) {
      const result = await this.#queue.run(() => this.#dumpOnce(what));
      if (result !== 'interrupted') return result;
      this.#dumpsInterrupted++;
      if (attempt === DUMP_ATTEMPTS) {
        throw new IncompleteDumpError(`the ${what} changed during each of ${attempt} dumps`);
      }
    }
  }

  async #dumpOnce(what: 'addresses' | 'links'): Promise<readonly RtMessage[] | 'interrupted'> {
    const seq = this.#takeSeq(1);
    const found: RtMessage[] = [];
    const dump = { interrupted: false };
    const loss = await this.#exchange([encodeDump(what, seq)], (messages) => {
      for (const message of messages) {
        if (message.seq !== seq) continue; // the rest of a dump that was given up
        if (message.interrupted) dump.interrupted = true;
        if (message.kind === 'done' || message.kind === 'ack') {
          return message.errno === 0 ? 'end' : `the kernel said ${errnoName(message.errno)}`;
        }
        found.push(message);
      }
      return 'more';
    });
    if (loss !== undefined) throw new IncompleteDumpError(`dump of ${what}: ${loss}`);
    return dump.interrupted ? 'interrupted' : found;
  }

  async #changeBatch(changes: readonly AddressChange[]): Promise<readonly ChangeOutcome[]> {
    const first = this.#takeSeq(changes.length);
    const last = changes.length - 1;
    const outcomes = new Array<ChangeOutcome | undefined>(changes.length);
    const datagrams = changes.map((change, i) => encodeAddress(change, first + i, i === last));
    const loss = await this.#exchange(datagrams, (messages) => {
      for (const message of messages) {
        const i = message.seq - first;
        if (message.kind === 'ack' && i >= 0 && i <= last) outcomes[i] = outcomeOf(message.errno);
      }
      return outcomes[last] === undefined ? 'more' : 'end';
    });
    // no answer and the last one's ACK has come: the operation succeeded
    return Array.from(outcomes, (outcome) => outcome ?? (loss === undefined ? 'ok' : 'unknown'));
  }

  /** Sends and reads until `consume` says 'end' (undefined) or answers were lost (why). */
  async #exchange(
    datagrams: readonly Uint8Array[],
    consume: (messages: readonly RtMessage[]) => 'more' | 'end' | (string & {}),
  ): Promise<string | undefined> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<string | undefined>((resolve) => {
        timer = setTimeout(() => resolve(`no answer within ${SILENCE_MS} ms`), SILENCE_MS);
        this.#receive = (answer) => {
          timer?.refresh();
          const state = answer.kind === 'loss' ? answer.why : consume(answer.messages);
          if (state === 'end') resolve(undefined);
          else if (state !== 'more') resolve(state);
        };
        this.#socket.send(Buffer.concat(datagrams), {}, (error) => {
          if (error !== undefined) resolve(error.code);
        });
      });
    } finally {
      clearTimeout(timer);
      this.#receive = () => undefined;
    }
  }
}

/** Sets SO_RCVBUFFORCE and NETLINK_NO_ENOBUFS; throws where it can't. The package has neither. */
export type TuneSocket = (fd: number, receiveBufferBytes: number) => void;

/** What /proc/net/netlink says of a socket: net/netlink/af_netlink.c netlink_native_seq_show. */
function socketLine(port: number): { readonly drops: number; readonly inode: string } {
  for (const line of readFileSync('/proc/self/net/netlink', 'utf8').split('\n')) {
    // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode
    const [, protocol, portText, , , , , , drops, inode] = line.trim().split(/\s+/);
    if (protocol === String(NETLINK_ROUTE) && portText === String(port) && inode !== undefined) {
      return { drops: Number(drops), inode };
    }
  }
  throw new Error(`netlink socket ${port} is not in /proc/self/net/netlink`);
}

/** The package keeps its descriptor to itself; the socket's port leads to its inode, and that to the descriptor. */
function descriptorOf(port: number): number {
  const wanted = `socket:[${socketLine(port).inode}]`;
  for (const fd of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) === wanted) return Number(fd);
    } catch {
      continue; // closed since the listing, as the listing's own one is
    }
  }
  throw new Error(`netlink socket ${port} has no descriptor in /proc/self/fd`);
}

/** Tells of changes of links and addresses, whoever made them. */
export class RtMonitor {
  readonly #socket = openSocket();
  readonly #port: number;
  readonly #listener: (event: RtEvent) => void;
  #unchecked = 0;
  #drops = 0;
  #closed = false;

  constructor(listener: (event: RtEvent) => void, tune: TuneSocket) {
    this.#listener = listener;
    this.#port = this.#socket.address().port;
    try {
      tune(descriptorOf(this.#port), MONITOR_BUFFER_BYTES);
      deliver(this.#socket, (answer) => this.#receive(answer));
      for (const group of MONITOR_GROUPS) this.#socket.addMembership(group);
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
    setImmediate(() => this.#socket.close());
  }

  #receive(answer: Answer): void {
    if (answer.kind === 'loss') {
      this.#listener({ kind: 'lost' });
      return;
    }
    for (const message of answer.messages) {
      if (message.kind === 'address' || message.kind === 'link') this.#listener(message);
    }
    this.#unchecked += answer.messages.length;
    if (this.#unchecked < MONITOR_CHECK_EVERY) return;
    this.#unchecked = -Infinity; // once per burst, when what is queued has been read
    setImmediate(() => this.#checkDrops());
  }

  #checkDrops(): void {
    this.#unchecked = 0;
    if (this.#closed) return;
    const { drops } = socketLine(this.#port);
    if (drops === this.#drops) return;
    this.#drops = drops;
    this.#listener({ kind: 'lost' });
  }
}
