// Addresses in use stay the same: for each source system, what `vipvs import` prints is accepted by `vipvs check`, and
// with it and the Services `vipvs simulate` gives every Service exactly what it had. The patches of the report are applied
// here by a merge of our own (RFC 7386), so that nothing of src/migration proves itself.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { fixtureText } from '../../fixtures/read-fixture.ts';
import { isObject, type JsonObject } from '../../../src/migration/json.ts';
import { runCli } from '../cli/run-cli.ts';
import { rawObjects } from './read-objects.ts';

interface Case {
  readonly name: string;
  /** What every Service of the fixture has, and must have afterwards. */
  readonly has: Readonly<Record<string, readonly string[]>>;
  /** Where entries of the fixture are wrong on purpose. */
  readonly code?: 1;
}

const CASES: readonly Case[] = [
  {
    name: 'metallb',
    has: {
      'default/web': ['192.0.2.7'],
      'default/both': ['192.0.2.70', '2001:db8:1::5'],
      'kube-system/dns-tcp': ['198.51.100.10'],
      'kube-system/dns-udp': ['198.51.100.10'],
      'tenant-a/shop': ['203.0.113.9'],
      'default/old': ['192.0.2.0'],
    },
  },
  { name: 'metallb-config', has: { 'default/web': ['198.51.100.17'] } },
  {
    name: 'kube-vip',
    has: {
      'default/web': ['192.0.2.9'],
      'development/api': ['198.51.100.1', '2001:db8:2::1'],
      'development/metrics': ['198.51.100.1'],
      'finance/ledger': ['203.0.113.2'],
      'audit/trail': ['203.0.113.3'],
      'default/dhcp': ['192.0.2.150'],
    },
  },
  {
    name: 'purelb',
    has: {
      'default/web': ['192.0.2.103'],
      'default/both': ['198.51.100.3', '2001:db8:3::3'],
      'shop/cart': ['203.0.113.5'],
      'default/guest': ['203.0.113.6'],
      'bank/teller': ['203.0.113.70'],
      'bank/vault': ['203.0.113.70'],
    },
  },
  {
    name: 'openelb',
    has: {
      'default/web': ['192.0.2.22'],
      'project/one': ['192.0.2.23'],
      'other/two': ['192.0.2.23'],
      'default/guest': ['198.51.100.2'],
      'project/own': ['198.51.100.1'],
      'default/asked': ['203.0.113.7'],
    },
  },
  {
    name: 'cilium',
    has: {
      'default/web': ['192.0.2.110', '2001:db8:4::a'],
      'default/one': ['192.0.2.150'],
      'tenant-a/two': ['192.0.2.150'],
      'tenant-b/shop': ['198.51.100.3'],
      'infra/gateway': ['203.0.113.5'],
      'default/left': ['203.0.113.70'],
    },
  },
  {
    name: 'inwinstack',
    has: {
      'default/nginx': ['172.22.132.200'],
      'default/inside': ['172.22.131.193'],
      'team/one': ['172.22.132.202'],
      'team/two': ['172.22.132.202'],
    },
  },
  {
    name: 'kube-keepalived-vip',
    has: { 'default/echoheaders': ['10.4.0.50'], 'default/direct': ['10.4.0.51'] },
    code: 1,
  },
  {
    name: 'kube-loadbalancer',
    has: { 'default/web': ['10.0.0.10'], 'default/db': ['10.0.0.11'] },
  },
];

for (const { name, has, code } of CASES) {
  test(`${name}: addresses in use stay the same`, async () => {
    const text = fixtureText(`migration/${name}.yaml`);
    const imported = await runCli(['import', '-f', '-', '-o', 'json'], { stdin: text });
    assert.equal(imported.code, code ?? 0, imported.stderr);
    const checked = await runCli(['check', '-f', '-'], { stdin: imported.stdout });
    assert.equal(checked.code, 0, checked.stdout);

    const services = rawObjects(text).filter(({ kind }) => kind === 'Service');
    const patches = patchesIn(imported.stderr);
    const required = services.map((raw) => ofOurClass(applied(raw, patches, ['required'])));
    assertKept(await simulated(imported.stdout, required), has);

    // the old controller cleared every status on its way out
    const all = services.map((raw) => ofOurClass(applied(raw, patches, ['required', 'safety'])));
    const cleared = all.map((raw) => ({ ...raw, status: {} }));
    assertKept(await simulated(imported.stdout, cleared), has);
  });
}

test('the proof can fail: without the patches a shared address is lost', async () => {
  const text = fixtureText('migration/kube-vip.yaml');
  const imported = await runCli(['import', '-f', '-', '-o', 'json'], { stdin: text });
  const services = rawObjects(text).filter(({ kind }) => kind === 'Service');
  const ended = await simulated(imported.stdout, services);
  assert.notDeepEqual(ended['development/metrics'], ['198.51.100.1']);
});

test('import answers the same bytes whatever the order of the documents is', async () => {
  for (const { name } of CASES) {
    const text = fixtureText(`migration/${name}.yaml`);
    const reversed = text.split('\n---\n').reverse().join('\n---\n');
    const one = await runCli(['import', '-f', '-'], { stdin: text });
    const other = await runCli(['import', '-f', '-'], { stdin: reversed });
    assert.equal(other.stdout, one.stdout, name);
  }
});

test('two systems with the same addresses: both are named, and nobody loses one', async () => {
  const openelb = 'apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: e}\n';
  const text = `${fixtureText('migration/metallb.yaml')}\n---\n${openelb}spec: {address: 192.0.2.8-192.0.2.40, protocol: vip}\n`;
  const { stdout, stderr, code } = await runCli(['import', '-f', '-'], { stdin: text });
  assert.equal(code, 0, stderr);
  assert.match(
    stderr,
    /Eip e: 192\.0\.2\.8\/29 is in IPAddressPool metallb-system\/production, too/,
  );
  const checked = await runCli(['check', '-f', '-'], { stdin: stdout });
  assert.equal(checked.code, 0, checked.stdout);
});

type Addresses = Readonly<Record<string, readonly string[]>>;

/** Each has what it had; who had none (a pending Service) may get one that nobody has. */
function assertKept(ended: Addresses, has: Addresses): void {
  const kept = Object.entries(ended).filter(([key]) => has[key] !== undefined);
  assert.deepEqual(Object.fromEntries(kept), has);
  const taken = Object.values(has).flat();
  const fresh = Object.entries(ended).filter(([key]) => has[key] === undefined);
  assert.deepEqual(
    fresh.flatMap(([, ips]) => ips).filter((ip) => taken.includes(ip)),
    [],
  );
}

interface Patch {
  readonly need: string;
  readonly patch: JsonObject;
}

function patchesIn(report: string): ReadonlyMap<string, Patch> {
  const data: unknown = JSON.parse(report);
  assert.ok(isObject(data) && Array.isArray(data['patches']));
  const found = new Map<string, Patch>();
  for (const entry of data['patches'].filter(isObject)) {
    const { service, need, patch } = entry;
    assert.ok(isObject(service) && isObject(patch) && typeof need === 'string');
    found.set(`${String(service['namespace'])}/${String(service['name'])}`, { need, patch });
  }
  return found;
}

function applied(
  raw: JsonObject,
  patches: ReadonlyMap<string, Patch>,
  needs: readonly string[],
): JsonObject {
  const found = patches.get(keyOf(raw));
  return found !== undefined && needs.includes(found.need) ? merged(raw, found.patch) : raw;
}

function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result: Record<string, unknown> = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) Reflect.deleteProperty(result, key);
    else if (isObject(value)) result[key] = merged(isObject(result[key]) ? result[key] : {}, value);
    else result[key] = value;
  }
  return result;
}

/** What the report says to do about another class: create the Service again with ours. */
function ofOurClass(raw: JsonObject): JsonObject {
  const spec = isObject(raw['spec']) ? raw['spec'] : {};
  return spec['loadBalancerClass'] === undefined
    ? raw
    : { ...raw, spec: { ...spec, loadBalancerClass: 'vipvs.io/vipvs' } };
}

function keyOf({ metadata }: JsonObject): string {
  assert.ok(isObject(metadata));
  return `${String(metadata['namespace'])}/${String(metadata['name'])}`;
}

/** The addresses of all Services that have some, as `vipvs simulate` ends. */
async function simulated(imported: string, services: readonly JsonObject[]): Promise<Addresses> {
  const stdin = `${imported}---\n${services.map((raw) => JSON.stringify(raw)).join('\n---\n')}\n`;
  const { code, stdout, stderr } = await runCli(['simulate', '-f', '-', '--default-class'], {
    stdin,
  });
  assert.equal(code, 0, stderr);
  const ended: Record<string, readonly string[]> = {};
  for (const document of parseAllDocuments(stdout)) {
    const raw: unknown = document.toJS();
    if (!isObject(raw) || raw['kind'] !== 'Service') continue;
    const ips = ingressOf(raw);
    if (ips.length > 0) ended[keyOf(raw)] = ips;
  }
  return ended;
}

function ingressOf({ status }: JsonObject): readonly string[] {
  const balancer = isObject(status) ? status['loadBalancer'] : undefined;
  const ingress: unknown = isObject(balancer) ? balancer['ingress'] : undefined;
  const entries: readonly unknown[] = Array.isArray(ingress) ? ingress : [];
  return entries.filter(isObject).map(({ ip }) => String(ip));
}
