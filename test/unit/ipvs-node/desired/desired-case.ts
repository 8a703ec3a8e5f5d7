// One Service table: objects in, the text of `plan -o rules` and the problems out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../../src/api/cluster.ts';
import { desiredNode } from '../../../../src/ipvs-node/desired/all-services.ts';
import type { NodeView } from '../../../../src/ipvs-node/desired/service.ts';
import { formatNodeState } from '../../../../src/ipvs-node/model/format.ts';
import type { NodeState } from '../../../../src/ipvs-node/model/state.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { NODE, service, storeOf } from '../objects.ts';

export interface DesiredCase {
  readonly name: string;
  readonly given: readonly ClusterObject[];
  readonly node?: NodeView;
  readonly host?: readonly string[];
  /** Without the sysctls. */
  readonly want: readonly string[];
  /** `Reason: part of the message` */
  readonly problems?: readonly string[];
}

export const RR = '-A -t 192.0.2.10:80 -s rr';
export const ADDRESS = 'ip address add 192.0.2.10/32 dev eth0';
export const backend = (address: string, weight = 1): string =>
  `-a -t 192.0.2.10:80 -r ${address} -m -w ${weight}`;
export const annotated = (annotations: Readonly<Record<string, string>>): ClusterObject =>
  service({ metadata: { annotations } });
export const DR = annotated({ 'vipvs.io/forwarding': 'dr' });

function withoutSysctls(state: NodeState): readonly string[] {
  const lines = formatNodeState(state).split('\n');
  return lines.filter((line) => line !== '' && !line.startsWith('sysctl'));
}

export function checkDesired(cases: readonly DesiredCase[]): void {
  for (const { name, given, node: view = NODE, host = [], want, problems = [] } of cases) {
    test(name, () => {
      const hostAddresses = new Set(host.map(parseIp));
      const desired = desiredNode(storeOf(...given), view, hostAddresses);
      assert.deepEqual(withoutSysctls(desired.state), want);
      const lines = desired.problems.map(({ reason, message }) => `${reason}: ${message}`);
      assert.equal(lines.length, problems.length, lines.join('\n'));
      for (const [i, problem] of problems.entries()) {
        const [reason = '', ...part] = problem.split(': ');
        const line = lines[i] ?? '';
        assert.ok(line.startsWith(`${reason}: `) && line.includes(part.join(': ')), line);
      }
    });
  }
}
