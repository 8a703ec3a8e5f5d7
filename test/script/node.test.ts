// The node's scenarios: manifests in, what the kernel holds out, with one operation in ten failing. The steps:
//   set                manifests
//   delete             `Kind key` lines
//   kernel [SECONDS]   waits (20 s if not said) and compares the kernel: ipvsadm-save text, then addresses
//   firewall           compares the nft sets that are not empty
//   services           compares one line for each Service that asks for something
//   connections        `VIRTUAL-SERVER REAL-SERVER ACTIVE` lines
//   hands              what others do: `flush`, `add IPVSADM-RULE`, `address add|del IP INTERFACE`, `link INTERFACE up|down`
//   source gone|back   the directory vanishes, or is there again
//   restart            another agent takes over; it must not write anything
//   faults P           another probability of faults
import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { type Kind, KINDS } from '../../src/api/cluster.ts';
import { parseManifestText } from '../../src/files/manifests.ts';
import { formatManifestProblem } from '../../src/files/parse-document.ts';
import { parseObserved } from '../../src/ipvs-node/model/observed-text.ts';
import { parseIp } from '../../src/net/address.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { AgentUnderTest } from '../unit/ipvs-node/reconcile/agent-under-test.ts';
import { runScript, scriptFiles, type Step } from './script.ts';

const FOLDER = join(import.meta.dirname, 'node');
const FAULTS = 0.1;
const SETTLE_SECONDS = 20;

class World {
  readonly #kernel = new FakeKernel({ faultProbability: FAULTS, schedulers: ['rr', 'wrr', 'sh'] });
  #under = new AgentUnderTest({ kernel: this.#kernel });

  async start(): Promise<void> {
    this.#under.agent.setSynced(true);
    await this.#wait(SETTLE_SECONDS);
  }

  stop(): Promise<void> {
    return this.#under.agent.stop();
  }

  readonly steps: Readonly<Record<string, Step>> = {
    set: (body) => {
      const { loaded, problems } = parseManifestText('manifest', body);
      assert.deepEqual(problems.map(formatManifestProblem), []);
      this.#under.set(...loaded.map(({ object }) => object));
      return undefined;
    },
    delete: (body) => {
      for (const [kind, key] of namesIn(body)) this.#under.delete(kind, key);
      return undefined;
    },
    kernel: async (_, seconds) => {
      await this.#wait(seconds === '' ? SETTLE_SECONDS : Number(seconds));
      return this.#kernel.dump();
    },
    firewall: () =>
      [...this.#kernel.firewall]
        .flatMap(([set, elements]) => [...elements.keys()].sort().map((key) => `${set} ${key}`))
        .join('\n'),
    services: () => this.#services(),
    connections: (body) => {
      for (const line of body.split('\n')) this.#connect(line);
      return undefined;
    },
    hands: (body) => {
      for (const line of body.split('\n')) this.#byHand(line);
      return undefined;
    },
    source: (_, state) => {
      this.#under.agent.setSynced(state === 'back');
      return undefined;
    },
    restart: () => this.#restart(),
    faults: (_, probability) => {
      this.#kernel.faultProbability = Number(probability);
      return undefined;
    },
  };

  async #wait(seconds: number): Promise<void> {
    await this.#under.advance(seconds * 1000);
  }

  #services(): string {
    return [...this.#under.reports]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([service, { isProgrammed, problems }]) => [
        `${service} ${isProgrammed ? 'Programmed' : 'not programmed'}`,
        ...problems.map(({ reason, message }) => `  ${reason}: ${message}`),
      ])
      .join('\n');
  }

  #connect(line: string): void {
    const [server, real, active] = line.split(' ');
    for (const [key, { realServers }] of this.#kernel.virtualServers) {
      for (const realKey of realServers.keys()) {
        if (key !== server || realKey !== real) continue;
        this.#kernel.setConnections(key, realKey, Number(active));
        return;
      }
    }
    assert.fail(`not in the kernel: ${line}`);
  }

  #byHand(line: string): void {
    const [verb, first = '', second = '', third = ''] = line.split(' ');
    if (verb === 'flush') this.#kernel.flush();
    else if (verb === 'link') this.#kernel.setLink(first, second === 'up');
    else if (verb === 'address' && first === 'add') {
      this.#kernel.addForeignAddress(parseIp(second), third);
    } else if (verb === 'address') this.#kernel.removeAddress(parseIp(second), third);
    else {
      const { observed, errors } = parseObserved(line.replace(/^add /, ''), () => false);
      assert.deepEqual(errors, []);
      for (const server of observed.virtualServers?.values() ?? []) this.#kernel.addForeign(server);
    }
  }

  async #restart(): Promise<undefined> {
    await this.#under.agent.stop();
    const probability = this.#kernel.faultProbability;
    this.#kernel.faultProbability = 0;
    this.#kernel.log.length = 0;
    const objects = [...this.#under.store.objects()];
    this.#under = new AgentUnderTest({ kernel: this.#kernel, objects });
    await this.start();
    assert.deepEqual(
      this.#kernel.log.map(({ op }) => op),
      [],
    );
    this.#kernel.faultProbability = probability;
    return undefined;
  }
}

function namesIn(body: string): readonly (readonly [Kind, string])[] {
  return body.split('\n').map((line) => {
    const [name = '', key = ''] = line.split(' ');
    const kind = KINDS.find((each) => each === name);
    assert.ok(kind !== undefined, line);
    return [kind, key];
  });
}

for (const file of scriptFiles(FOLDER)) {
  test(`node: ${basename(file, '.txtar')}`, async () => {
    const world = new World();
    await world.start();
    await runScript(file, world.steps);
    await world.stop();
  });
}
