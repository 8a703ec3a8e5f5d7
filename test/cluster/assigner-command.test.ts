// `vipvs assigner` as its own process, with its own token: health, takeover, and how it ends.
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { until } from '../api/clocks.ts';
import { NAMESPACE, pool, service, startWorld } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';

const VIPVS = `${import.meta.dirname}/../../bin/vipvs`;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

class Command {
  readonly port: number;
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  stderr = '';

  private constructor(port: number, kubeconfig: string) {
    this.port = port;
    const args = ['assigner', '--kubeconfig', kubeconfig, '--default-class'];
    this.child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', VIPVS, ...args, '--listen', `127.0.0.1:${port}`],
      { stdio: ['ignore', 'inherit', 'pipe'] },
    );
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exit = new Promise((resolve) => this.child.once('exit', resolve));
  }

  static async start(plane: ControlPlane): Promise<Command> {
    return new Command(await freePort(), await plane.kubeconfig('assigner'));
  }

  async get(path: string): Promise<{ readonly status: number; readonly body: string }> {
    try {
      const answer = await fetch(`http://127.0.0.1:${this.port}${path}`);
      return { status: answer.status, body: await answer.text() };
    } catch {
      return { status: 0, body: '' }; // it does not listen yet
    }
  }

  async untilReady(): Promise<void> {
    await until('it is ready', async () => (await this.get('/readyz')).status === 200);
  }

  async leads(): Promise<boolean> {
    return /^vipvs_leader 1$/m.test((await this.get('/metrics')).body);
  }
}

suite('vipvs assigner', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let first: Command;
  let second: Command;

  before(async () => {
    plane = await startWorld();
    await plane.kubectl(['apply', '-f', '-'], { stdin: pool('public', '10.6.0.0/28') });
    first = await Command.start(plane);
    await first.untilReady();
    await until('the first leads', () => first.leads());
    second = await Command.start(plane);
    await second.untilReady();
  });
  after(async () => {
    for (const { child } of [first, second]) child.kill('SIGKILL');
    await plane.stop();
  });

  const serve = async (name: string): Promise<void> => {
    await plane.kubectl(['apply', '-f', '-'], { stdin: service(name) });
    await until(`${name} has an address`, async () => {
      const path = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
      return (await plane.kubectl(['get', 'svc', name, '-o', path])) !== '';
    });
  };

  test('answers for its health, and shows what it counts', async () => {
    await serve('one');
    assert.equal((await first.get('/healthz')).status, 200);
    await until('the Pool is counted', async () =>
      (await first.get('/metrics')).body.includes(
        'vipvs_pool_addresses{pool="public",state="used"} 1',
      ),
    );
    const { body } = await first.get('/metrics');
    assert.match(body, /^vipvs_services\{state="assigned"\} 1$/m);
    assert.match(body, /^vipvs_source_synced 1$/m);
    assert.equal(await second.leads(), false);
  });

  test('SIGTERM ends it with 0, and the other one goes on at once', async () => {
    first.child.kill('SIGTERM');
    assert.equal(await first.exit, 0, first.stderr);
    await serve('two');
    assert.equal(await second.leads(), true);
  });

  test('a lost lease ends it with 1, and says why', async () => {
    await plane.kubectl([
      ...['patch', 'lease', '-n', NAMESPACE, 'vipvs-assigner', '--type=merge'],
      ...['-p', '{"spec":{"holderIdentity":"somebody else"}}'],
    ]);
    assert.equal(await second.exit, 1);
    assert.match(second.stderr, /lost the lease: .*somebody else/);
  });
});
