// `vipvs simulate`: the assigner on manifests, offline. Same input, same bytes: there is no clock unless --now gives one.
import { objectKey, type ClusterObject } from '../api/cluster.ts';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { API_VERSION } from '../api/pool.ts';
import type { ObjectRef } from '../api/problem.ts';
import type { AssignerConfig, EventNote } from '../assigner/decide/decision.ts';
import { simulate } from '../assigner/simulate.ts';
import { formatTimestamp, parseTimestamp } from '../api/timestamp.ts';
import { loadManifests } from '../files/manifests.ts';
import { formatManifestProblem } from '../files/parse-document.ts';
import { quoted } from '../net/address.ts';
import { choiceFlag, optionalFlag, switchFlag, UsageError } from '../runtime/flags.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { objectsText } from './data-text.ts';
import { filesFlag, requireClassFlag } from './flag-catalogue.ts';
import { saidOf } from './said-of-manifests.ts';

const DETAILS = `Reads Pools, IPs, Services, Namespaces, Nodes, ServiceCIDRs and EndpointSlices, runs the assigner until nothing
changes, and prints every object as it ends, then the Events that would be written. The output is valid input. A document
that can't be used is named on stderr, the others go on, and the exit code is 1. Fields without effect and Services of type
LoadBalancer that are left alone are named there, too.

Without --now there is no clock: conditions carry no times, and an address that is held back stays so. The objects are
all there is: an address that a status shows and no Pool holds is given up, as \`vipvs assigner\` does after a minute.`;

export const simulateCommand = defineCommand({
  summary: 'run the assigner on manifests and print every object as it ends',
  details: DETAILS,
  flags: {
    files: filesFlag,
    output: choiceFlag(
      { flags: '-o, --output <format>', description: 'form of the output', defaultText: 'yaml' },
      ['yaml', 'json'],
    ),
    requireClass: requireClassFlag,
    defaultClass: switchFlag({
      flags: '--default-class',
      description: 'Services without a loadBalancerClass are ours, as they are without this flag',
    }),
    now: optionalFlag(
      { flags: '--now <time>', description: 'the time at which all this happens' },
      'an RFC 3339 time such as 2026-01-31T12:00:00Z',
      (text) => (/^\d{4}-\d\d-\d\dT/.test(text) ? parseTimestamp(text) : undefined),
    ),
  },
  run: async (io, flags) => {
    const manifests = await loadManifests(flags.files, io);
    const [unreadable] = manifests.unreadable;
    if (unreadable !== undefined) {
      throw new UsageError(`simulate: ${formatManifestProblem(unreadable)}`);
    }
    if (flags.defaultClass && flags.requireClass) {
      throw new UsageError('simulate: --default-class and --require-class contradict each other');
    }
    io.stderr(saidOf(manifests));
    const config = {
      loadBalancerClass: LOAD_BALANCER_CLASS,
      handleUnset: !flags.requireClass,
      holdSeconds: 0,
    };
    io.stderr(manifests.objects.map((object) => passedOver(object, config)).join(''));
    const { objects, events } = simulate(manifests.objects, config, flags.now);
    const all = [...objects, ...events.map((event, i) => eventObject(event, i + 1, flags.now))];
    io.stdout(objectsText(all, flags.output));
    return manifests.problems.length > 0 ? EXIT_FAILED : EXIT_OK;
  },
});

/** What became of a Service that asks for a load balancer and gets nothing from us. */
function passedOver(object: ClusterObject, config: AssignerConfig): string {
  if (object.kind !== 'Service' || object.spec.type !== 'LoadBalancer') return '';
  const { loadBalancerClass } = object.spec;
  if (loadBalancerClass === undefined) {
    return config.handleUnset
      ? ''
      : `${objectKey(object)}: passed over: it has no loadBalancerClass, and --require-class was given\n`;
  }
  if (loadBalancerClass === config.loadBalancerClass) return '';
  const own = `its loadBalancerClass is ${quoted(loadBalancerClass)}, not ${config.loadBalancerClass}`;
  return `${objectKey(object)}: passed over: ${own}\n`;
}

/** events.k8s.io/v1: longer notes are refused. */
const NOTE_MAX = 1024;

/** As it would be written, numbered in order: an API server would make the name unique. */
function eventObject(event: EventNote, number: number, nowMs: number | undefined): object {
  const { regarding, type, reason, note } = event;
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${regarding.name}.${number}`,
      namespace: regarding.namespace ?? 'default',
    },
    ...(nowMs === undefined ? {} : { eventTime: formatTimestamp(nowMs) }),
    reportingController: 'vipvs.io/assigner',
    action: 'Assign',
    type,
    reason,
    regarding: { apiVersion: apiVersionOf(regarding), ...regarding },
    note: note.length > NOTE_MAX ? `${note.slice(0, NOTE_MAX - 1)}…` : note,
  };
}

function apiVersionOf(ref: ObjectRef): string {
  return ref.kind === 'Pool' || ref.kind === 'IP' ? API_VERSION : 'v1';
}
