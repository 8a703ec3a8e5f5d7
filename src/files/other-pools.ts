// Whose address pools an object holds that vipvs does not read but in `vipvs import`. Pure.
import { isRecord, textField } from './raw-fields.ts';

const PRODUCTS: Readonly<Record<string, string>> = {
  'metallb.io IPAddressPool': 'MetalLB',
  'metallb.io AddressPool': 'MetalLB',
  'cilium.io CiliumLoadBalancerIPPool': 'Cilium',
  'purelb.io ServiceGroup': 'PureLB',
  'network.kubesphere.io Eip': 'OpenELB',
  'inwinstack.com Pool': 'inwinstack',
};

export function poolsOfOthers(raw: unknown): string | undefined {
  const apiVersion = textField(raw, 'apiVersion') ?? '';
  const kind = textField(raw, 'kind') ?? '';
  const type = `${apiVersion.split('/', 1)[0] ?? ''} ${kind}`;
  if (Object.hasOwn(PRODUCTS, type)) return PRODUCTS[type];
  const data = isRecord(raw) && type === 'v1 ConfigMap' ? raw['data'] : undefined;
  if (!isRecord(data)) return undefined;
  if (textField(data, 'config')?.includes('address-pools') === true) return 'MetalLB';
  return Object.keys(data).some((key) => /^(cidr|range)-./.test(key)) ? 'kube-vip' : undefined;
}
