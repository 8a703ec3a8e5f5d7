// All metrics of vipvs as one typed tree. Labels come from closed sets or from Pools, never from Services or VIPs:
// the number of series must not grow with the traffic. docs/reference/metrics.md is generated from here.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const METRIC_PREFIX = 'vipvs_';

/** 0.5 ms (one changed endpoint) to 10 s (20,000 virtual servers on a slow kernel). */
const DURATION_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const NANOSECONDS = 1e9;

export interface MetricDescription {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

type DelaySampler = Pick<
  ReturnType<typeof monitorEventLoopDelay>,
  'enable' | 'disable' | 'max' | 'reset'
>;

/** Makes metrics of one registry, all with our prefix, and keeps what the reference page needs. */
class Maker {
  readonly registry = new Registry();
  readonly catalogue: MetricDescription[] = [];

  counter<const L extends string>(name: string, help: string, labels: readonly L[]): Counter<L> {
    return new Counter(this.#describe('counter', name, help, labels));
  }

  /** `read` is called when somebody asks for the metrics. */
  gauge<const L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    read?: () => number,
  ): Gauge<L> {
    const description = this.#describe('gauge', name, help, labels);
    if (read === undefined) return new Gauge(description);
    return new Gauge({
      ...description,
      collect() {
        this.set(read());
      },
    });
  }

  seconds<const L extends string>(name: string, help: string, labels: readonly L[]): Histogram<L> {
    const description = this.#describe('histogram', name, help, labels);
    return new Histogram({ ...description, buckets: DURATION_BUCKETS });
  }

  #describe<L extends string>(
    type: MetricDescription['type'],
    shortName: string,
    help: string,
    labelNames: readonly L[],
  ) {
    const name = METRIC_PREFIX + shortName;
    this.catalogue.push({ name, type, help, labels: labelNames });
    return { name, help, labelNames, registers: [this.registry] };
  }
}

/** Five samples a second of the event loop: at the usual fifty they would be half of what an idle process does. */
export function createMetrics(delay: DelaySampler = monitorEventLoopDelay({ resolution: 200 })) {
  const make = new Maker();
  return {
    registry: make.registry,
    catalogue: make.catalogue,
    info: make.gauge('build_info', 'Always 1; the version is in the label.', ['version']),
    rounds: roundMetrics(make),
    kernel: kernelMetrics(make),
    assigner: assignerMetrics(make),
    source: sourceMetrics(make),
    process: processMetrics(make, delay),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

function roundMetrics(make: Maker) {
  return {
    durationSeconds: make.seconds('round_duration_seconds', 'Time of one round of work.', [
      'component',
      'kind',
    ]),
    total: make.counter('round_total', 'Rounds of work by outcome (ok, failed).', [
      'component',
      'kind',
      'outcome',
    ]),
    lastSuccessTimestampSeconds: make.gauge(
      'last_success_timestamp_seconds',
      'When the last round without a failure ended.',
      ['component'],
    ),
  };
}

function kernelMetrics(make: Maker) {
  return {
    opsTotal: make.counter('kernel_ops_total', 'Operations sent to the kernel, by their result.', [
      'op',
      'result',
    ]),
    driftTotal: make.counter(
      'kernel_drift_total',
      'Differences that somebody else made in the kernel and that were repaired, by what it was (virtual_server, real_server, address, firewall, sysctl).',
      ['kind'],
    ),
    dumpInterruptedTotal: make.counter(
      'netlink_dump_interrupted_total',
      'Dumps of the kernel that were torn by a change and read again.',
      [],
    ),
    virtualServers: make.gauge('virtual_servers', 'Virtual servers that this node holds.', []),
    realServers: make.gauge('real_servers', 'Real servers by state (active, draining).', ['state']),
    eventToKernelSeconds: make.seconds(
      'event_to_kernel_seconds',
      'Time from a changed object to the kernel holding the change.',
      [],
    ),
  };
}

function assignerMetrics(make: Maker) {
  return {
    poolAddresses: make.gauge(
      'pool_addresses',
      'Addresses of a Pool by state (capacity, used, free).',
      ['pool', 'state'],
    ),
    services: make.gauge('services', 'Services that ask us for an address, by state.', ['state']),
    problems: make.gauge('problems', 'Objects that are wrong or can not be satisfied.', []),
    leader: make.gauge('leader', '1 while this process decides about addresses.', []),
  };
}

function sourceMetrics(make: Maker) {
  return {
    synced: make.gauge(
      'source_synced',
      '1 while the source of the objects has been read whole.',
      [],
    ),
    objects: make.gauge('source_objects', 'Objects in use, by kind.', ['kind']),
    watchRestartsTotal: make.counter(
      'watch_restarts_total',
      'Watches that had to be started again.',
      ['resource', 'reason'],
    ),
    eventsDroppedTotal: make.counter(
      'events_dropped_total',
      'Events that were not written: too many waited, or the API server refused them.',
      [],
    ),
    stateWriteFailuresTotal: make.counter(
      'state_write_failures_total',
      'Writes of the state file that failed and are tried again.',
      [],
    ),
  };
}

function processMetrics(make: Maker, delay: DelaySampler) {
  return {
    eventLoopDelaySeconds: make.gauge(
      'event_loop_delay_seconds',
      'Longest delay of the event loop since the last reading; 0 in the first one.',
      [],
      () => {
        // sampling wakes an idle process: nobody pays for it before somebody reads it
        if (delay.enable()) return 0;
        const longestNs = delay.max;
        delay.reset();
        return longestNs / NANOSECONDS;
      },
    ),
    residentMemoryBytes: make.gauge(
      'resident_memory_bytes',
      'Resident memory of the process.',
      [],
      () => process.memoryUsage.rss(),
    ),
    /** Ends the sampling of the event loop. */
    stop: (): void => void delay.disable(),
  };
}
