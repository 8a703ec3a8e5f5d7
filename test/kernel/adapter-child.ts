// A second process for adapter.kernel.ts: `instance` tries to open the kernel and prints what happened; `batch COUNT`
// programs virtual servers until it is killed, and prints `running` before the first batch.
import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { ipFromBigInt } from '../../src/net/address.ts';

const [role, runDirectory = '', countText = '0'] = process.argv.slice(2);

if (role === 'instance') {
  try {
    const kernel = await LinuxKernel.open({ runDirectory });
    process.stdout.write('opened\n');
    await kernel.close();
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
} else {
  const kernel = await LinuxKernel.open({ runDirectory });
  const servers = Array.from({ length: Number(countText) }, (_, i) => ({
    vip: ipFromBigInt(4, 0x0a64_0000n + BigInt(i)),
    port: 80,
    protocol: 'TCP' as const,
    scheduler: 'rr' as const,
    schedulerFlags: [],
    persistenceSeconds: 0,
  }));
  process.stdout.write('running\n');
  for (;;) {
    await kernel.run(servers.map((server) => ({ op: 'vs.add', server })));
    await kernel.run(servers.map((server) => ({ op: 'vs.del', server })));
  }
}
