// Runs inside the lab's guest (test/lab/run -n): builds the network with two directors that reach the host, and then does
// what the test on the host asks for, several things at a time.
//   node guest-hands.mjs http://10.0.2.2:PORT
import type { ChildProcess } from 'node:child_process';
import { buildTopology, ip, run, SELF, start, startServers, stop } from '../lab/topology.ts';
import { DIRECTORS, numberedJobSchema, type Answer, type Job } from './guest-protocol.ts';

const [host = ''] = process.argv.slice(2);

interface Started {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
}
const started: Started[] = [];

async function work(job: Job): Promise<Omit<Answer, 'id'>> {
  switch (job.do) {
    case 'run': {
      const input = job.input === undefined ? {} : { input: job.input };
      return run(job.node, job.command, { ...input, mayFail: true, timeoutMs: 60_000 });
    }
    case 'start': {
      const child = start(job.node, job.command);
      const entry: Started = { child, stdout: '', stderr: '' };
      child.stdout?.setEncoding('utf8').on('data', (text: string) => (entry.stdout += text));
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (entry.stderr += text));
      started.push(entry);
      return { code: 0, stdout: `${started.length - 1}`, stderr: '' };
    }
    case 'read':
    case 'stop': {
      const entry = started[job.process];
      if (entry === undefined) return { code: 1, stdout: '', stderr: 'no such process' };
      if (job.do === 'stop') await stop(entry.child, job.signal);
      const { child, stdout, stderr } = entry;
      return { code: child.exitCode ?? (child.signalCode === null ? -1 : 128), stdout, stderr };
    }
    case 'end':
      return { code: 0, stdout: '', stderr: '' };
  }
}

async function main(): Promise<void> {
  const { backends } = await buildTopology({ directors: DIRECTORS });
  await startServers(backends);
  for (const [i, name] of DIRECTORS.entries()) {
    await ip(SELF, [`link add api0 link host0 netns ${name} type macvlan mode bridge`]);
    await ip(name, ['link set api0 up', `address add 10.0.2.${21 + i}/24 dev api0`]);
  }
  for (;;) {
    const answer = await fetch(`${host}/next`, { method: 'POST' });
    const { id, job } = numberedJobSchema.parse(await answer.json());
    const done = work(job).then(async (outcome) => {
      const body = JSON.stringify({ id, ...outcome });
      await (await fetch(`${host}/done`, { method: 'POST', body })).text();
    });
    if (job.do !== 'end') continue;
    await done;
    for (const { child } of started) await stop(child, 'SIGKILL');
    process.exit(0);
  }
}

await main();
