// `vipvs simulate`: the assigner on manifests, offline. Same input, same bytes: there is no clock unless --now gives one.
import { stringify } from 'yaml';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { API_VERSION } from '../api/pool.ts';
import type { ObjectRef } from '../api/problem.ts';
import type { EventNote } from '../assigner/decide/decision.ts';
import { simulate } from '../assigner/simulate.ts';
import { formatTimestamp, parseTimestamp } from '../api/timestamp.ts';
import { loadManifests } from '../files/manifests.ts';
import { formatManifestProblem } from '../files/parse-document.ts';
import { choiceFlag, optionalFlag, switchFlag, UsageError } from '../runtime/flags.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { filesFlag } from './flag-catalogue.ts';

const DETAILS = `Reads Pools, IPs, Services, Namespaces, Nodes and EndpointSlices, runs the assigner until nothing changes, and prints
every object as it ends, then the Events that would be written. The output is valid input. A document that can't be
used is named on stderr, the others go on, and the exit code is 1.

Without --now there is no clock: conditions carry no times, and an address that is held back stays so.`;

export const simulateCommand = defineCommand({
  summary: 'run the assigner on manifests and print every object as it ends',
  details: DETAILS,
  flags: {
    files: filesFlag,
    output: choiceFlag(
      { flags: '-o, --output <format>', description: 'form of the output', defaultText: 'yaml' },
      ['yaml', 'json'],
    ),
    defaultClass: switchFlag({
      flags: '--default-class',
      description: 'Services of type LoadBalancer without a loadBalancerClass are ours too',
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
    for (const problem of manifests.problems) io.stderr(`${formatManifestProblem(problem)}\n`);
    const config = {
      loadBalancerClass: LOAD_BALANCER_CLASS,
      handleUnset: flags.defaultClass,
      holdSeconds: 0,
    };
    const { objects, events } = simulate(manifests.objects, config, flags.now);
    const all = [...objects, ...events.map((event, i) => eventObject(event, i + 1, flags.now))];
    io.stdout(flags.output === 'json' ? jsonText(all) : yamlText(all));
    return manifests.problems.length > 0 ? EXIT_FAILED : EXIT_OK;
  },
});

function jsonText(items: readonly object[]): string {
  return `${JSON.stringify({ apiVersion: 'v1', kind: 'List', items }, null, 2)}\n`;
}

function yamlText(items: readonly object[]): string {
  return items
    .map((item) =>
      stringify(item, { aliasDuplicateObjects: false, compat: 'yaml-1.1', lineWidth: 0 }),
    )
    .join('---\n');
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
