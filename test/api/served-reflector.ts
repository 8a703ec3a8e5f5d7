// A reflector of Services on a scripted API server, over real HTTPS. Time passes only in sleeps, which are written down;
// random() is 0, so there is no jitter.
import assert from 'node:assert/strict';
import { loadKubeAccess } from '../../src/kube/config.ts';
import { Reflector, type ReflectorOptions } from '../../src/kube/reflector.ts';
import { SERVICES } from '../../src/kube/resource.ts';
import { HttpApiClient } from '../../src/kube/transport.ts';
import { MemoryLog, QuickClock, until } from './clocks.ts';
import { FakeServer } from './fake-server.ts';
import { LineSink, project } from './line-sink.ts';

export class ServedReflector {
  readonly fake: FakeServer;
  readonly clock = new QuickClock();
  readonly log = new MemoryLog();
  readonly sink = new LineSink();
  readonly stopping = new AbortController();
  reflector: Reflector<string>;
  running: Promise<void> | undefined;
  readonly #client: HttpApiClient;

  static async prepare(): Promise<ServedReflector> {
    const fake = await FakeServer.start();
    return new ServedReflector(
      fake,
      await loadKubeAccess({ kubeconfig: fake.kubeconfig(), env: {} }),
    );
  }

  private constructor(fake: FakeServer, access: Awaited<ReturnType<typeof loadKubeAccess>>) {
    this.fake = fake;
    const { clock, log } = this;
    this.#client = new HttpApiClient({ access, clock, log, userAgent: 'test' });
    this.reflector = this.#make({});
  }

  #make(other: Partial<ReflectorOptions<string>>): Reflector<string> {
    const { clock, log, sink } = this;
    const options = { client: this.#client, resource: SERVICES, project, sink, log, clock };
    return new Reflector({ ...options, random: () => 0, ...other });
  }

  start(other: Partial<ReflectorOptions<string>> = {}): void {
    this.reflector = this.#make(other);
    this.running = this.reflector.run(this.stopping.signal);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    await this.#client.close();
    await this.fake.stop();
  }

  async lines(want: readonly string[]): Promise<void> {
    await until(`lines ${want.join(', ')}`, () => this.sink.lines.length >= want.length);
    assert.deepEqual(this.sink.lines, want);
  }

  queries(kind: 'list' | 'watch', parameter: string): readonly (string | null)[] {
    return this.fake.seen(kind).map((request) => request.query.get(parameter));
  }
}
