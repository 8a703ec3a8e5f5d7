// Which objects the import reads, and what turns those of each source system into ours. Pure.
import { convertCilium, isCilium } from './cilium.ts';
import { convertInwinstack, isInwinstack } from './inwinstack.ts';
import { convertKeepalivedVip, isKeepalivedVip } from './keepalived-vip.ts';
import { convertKubeLoadbalancer, isKubeLoadbalancer } from './kube-loadbalancer.ts';
import { convertKubeVip, isKubeVip } from './kube-vip.ts';
import { convertMetallb, isMetallb } from './metallb.ts';
import { SYSTEMS, type Converted, type SourceObject, type System } from './model.ts';
import { convertOpenelb, isOpenelb } from './openelb.ts';
import { convertPurelb, isPurelb } from './purelb.ts';
import { isService } from './services.ts';
import type { SystemContext } from './system.ts';

interface SourceSystem {
  readonly owns: (object: SourceObject) => boolean;
  readonly convert: (objects: readonly SourceObject[], context: SystemContext) => Converted;
}

export const SOURCES: Readonly<Record<System, SourceSystem>> = {
  metallb: { owns: isMetallb, convert: convertMetallb },
  'kube-vip': { owns: isKubeVip, convert: convertKubeVip },
  purelb: { owns: isPurelb, convert: convertPurelb },
  openelb: { owns: isOpenelb, convert: convertOpenelb },
  cilium: { owns: isCilium, convert: convertCilium },
  inwinstack: { owns: isInwinstack, convert: convertInwinstack },
  'kube-keepalived-vip': { owns: isKeepalivedVip, convert: convertKeepalivedVip },
  'kube-loadbalancer': { owns: isKubeLoadbalancer, convert: convertKubeLoadbalancer },
};

/** The source system that an object belongs to. */
export function systemOf(object: SourceObject): System | undefined {
  return SYSTEMS.find((system) => SOURCES[system].owns(object));
}

/** Namespaces decide whom Pools serve, and Nodes which addresses no VIP may have. */
const CORE_KINDS = ['Namespace', 'Node'];

/** Any other object is left aside. */
export function isRead(object: SourceObject): boolean {
  if (isService(object) || systemOf(object) !== undefined) return true;
  return object.group === '' && CORE_KINDS.includes(object.kind);
}
