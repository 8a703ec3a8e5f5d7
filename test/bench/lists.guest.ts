// Runs in the lab's guest: reads what an agent reads at its start and does nothing with it, which is what any program of
// Node needs at least. Node's own start and the loading of this program are part of its time.
//   node lists.mjs KUBECONFIG
import { ENDPOINT_SLICE_LIST, SERVICE_LIST } from '../../src/ipvs-node/source/project.ts';
import { loadKubeAccess } from '../../src/kube/config.ts';
import { readList } from '../../src/kube/list.ts';
import { IPS } from '../../src/kube/own-kinds.ts';
import type { Message } from '../../src/kube/protobuf.ts';
import {
  collectionPath,
  ENDPOINT_SLICES,
  SERVICES,
  type Resource,
} from '../../src/kube/resource.ts';
import { HttpApiClient } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';

const LISTS: readonly { readonly resource: Resource; readonly protobuf?: Message }[] = [
  { resource: IPS },
  { resource: SERVICES, protobuf: SERVICE_LIST },
  { resource: ENDPOINT_SLICES, protobuf: ENDPOINT_SLICE_LIST },
];

const access = await loadKubeAccess({ kubeconfig: process.argv[2], env: {} });
const client = new HttpApiClient({
  access,
  clock: systemClock,
  log: silentLog,
  userAgent: 'vipvs/bench',
});
const { signal } = new AbortController();

async function read({ resource, ...how }: (typeof LISTS)[number]): Promise<number> {
  const path = collectionPath(resource);
  const onPages = (): void => undefined;
  let count = 0;
  await readList({ client, path, signal, onPages, ...how }, () => [String((count += 1)), count]);
  return count;
}

const counts = await Promise.all(LISTS.map(read));
await client.close();
process.stdout.write(`${counts.join(' ')}\n`);
