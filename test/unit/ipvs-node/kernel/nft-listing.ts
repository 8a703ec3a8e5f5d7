// A listing of the table `inet vipvs`.
import { FIREWALL_SETS } from '../../../../src/ipvs-node/model/firewall.ts';
import { LAYOUT_CHAIN } from '../../../../src/ipvs-node/kernel/firewall/nft-script.ts';

/** What nft 1.0.6 prints, cut down to what is read. */
export function listing(change: (items: object[]) => object[] = (items) => items): string {
  const chains = { [LAYOUT_CHAIN]: 0, vip4: 6, vip6: 6, input: 2, postrouting: 4 };
  const elements: Partial<Record<string, unknown>> = {
    vips4: ['192.0.2.10'],
    ports4: [{ concat: ['192.0.2.10', 6, 80] }, { concat: ['192.0.2.10', 'udp', 53] }],
    sources4: [
      { concat: ['192.0.2.10', 132, 80, { prefix: { addr: '10.0.0.0', len: 8 } }] },
      { concat: ['192.0.2.10', 6, 80, '10.1.2.3'] },
    ],
    local4: [{ prefix: { addr: '10.1.0.0', len: 16 } }, { range: ['10.2.0.1', '10.2.0.9'] }],
  };
  const items = [
    { metainfo: { version: '1.0.6' } },
    { table: { family: 'inet', name: 'vipvs' } },
    ...FIREWALL_SETS.map((name) => ({
      set: { name, ...(elements[name] === undefined ? {} : { elem: elements[name] }) },
    })),
    ...Object.entries(chains).flatMap(([name, rules]) => [
      { chain: { name } },
      ...Array.from({ length: rules }, () => ({ rule: { chain: name } })),
    ]),
  ];
  return JSON.stringify({ nftables: change(items) });
}
