// A state with one of everything, for the tests of the state file and of what reads it.
import type { State } from '../../../src/files/state.ts';

export function exampleState(n = 1): State {
  return {
    savedAt: '2026-01-02T03:04:05.000Z',
    process: {
      pid: 42,
      startTicks: '4711',
      node: 'director',
      version: '0.1.0',
      startedAt: '2026-01-02T03:00:00.000Z',
    },
    ips: Array.from({ length: n }, (_, i) => ({
      apiVersion: 'vipvs.io/v1alpha1' as const,
      kind: 'IP' as const,
      metadata: { name: `192.0.2.${i}` },
      spec: {
        address: `192.0.2.${i}`,
        poolName: 'public',
        retain: false,
        claims: [
          {
            namespace: 'default',
            name: `web-${i}`,
            ports: [{ port: 80, protocol: 'TCP' as const }],
          },
        ],
      },
      status: { phase: 'Active' as const },
    })),
    services: Array.from({ length: n }, (_, i) => ({
      key: `default/web-${i}`,
      status: { loadBalancer: { ingress: [{ ip: `192.0.2.${i}` }] } },
      firstSeen: '2026-01-01T00:00:00Z',
    })),
    pools: [
      {
        name: 'public',
        status: { phase: 'Active', capacity: 10, allocatable: 9 },
        firstSeen: undefined,
      },
    ],
    events: [],
    problems: ['a.yaml:1:1: naïve ✓ "quoted"\n'],
    kept: [],
  };
}
