import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wantedFamilies } from '../../../../src/assigner/decide/families.ts';
import type { Family } from '../../../../src/net/address.ts';
import { service } from '../objects.ts';

interface Row {
  readonly name: string;
  readonly spec: Readonly<Record<string, unknown>>;
  readonly known?: readonly Family[];
  readonly want: string;
}

const ROWS: readonly Row[] = [
  { name: 'nothing said', spec: {}, want: 'one 4 6' },
  { name: 'what is held decides', spec: {}, known: [6], want: 'one 6' },
  { name: 'both held or asked for', spec: {}, known: [6, 4], want: 'all 4 6' },
  {
    name: 'Single with both',
    spec: { ipFamilyPolicy: 'SingleStack' },
    known: [4, 6],
    want: 'one 4 6',
  },
  { name: 'ipFamilies', spec: { ipFamilies: ['IPv6'] }, want: 'one 6' },
  { name: 'ipFamilies empty', spec: { ipFamilies: [], clusterIPs: ['fd00::1'] }, want: 'one 6' },
  {
    name: 'two ipFamilies without a policy',
    spec: { ipFamilies: ['IPv6', 'IPv4'] },
    want: 'all 6 4',
  },
  { name: 'clusterIP', spec: { clusterIP: '10.0.0.1' }, want: 'one 4' },
  { name: 'headless', spec: { clusterIP: 'None' }, want: 'one 4 6' },
  {
    name: 'Require',
    spec: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] },
    want: 'all 6 4',
  },
  {
    name: 'Prefer by hand',
    spec: { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4'] },
    want: 'most 4 6',
  },
  {
    name: 'Prefer on a cluster of one family',
    spec: { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4'], clusterIPs: ['10.0.0.1'] },
    want: 'most 4',
  },
  {
    name: 'Prefer, headless',
    spec: { ipFamilyPolicy: 'PreferDualStack', clusterIPs: ['None'] },
    want: 'most 4 6',
  },
];

for (const { name, spec, known = [], want } of ROWS) {
  test(`families: ${name}`, () => {
    const { mode, families } = wantedFamilies(service('s', { spec }), known);
    assert.equal([mode, ...families].join(' '), want);
  });
}
