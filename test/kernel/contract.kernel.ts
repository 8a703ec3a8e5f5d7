// The Linux adapter keeps the same contract as the fake kernel of the tests.
import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import { formatVirtualServer } from '../../src/net/ipvsadm.ts';
import { kernelContract } from '../contract/kernel.contract.ts';
import { SELF, ip, run } from '../lab/topology.ts';
import { DEVICE, RUN, makeDevice, openKernel } from './adapter-lab.ts';

kernelContract('Linux', async () => {
  await makeDevice();
  const kernel = await openKernel();
  return {
    kernel,
    interface: DEVICE,
    addForeign: async (server) => {
      await run(SELF, ['ipvsadm', '-A', ...formatVirtualServer(server).split(' ')]);
    },
    flush: async () => {
      await run(SELF, ['ipvsadm', '-C']);
    },
    addForeignAddress: async (address) => {
      await ip(SELF, [`address add ${address}/32 dev ${DEVICE}`]);
    },
    removeAddress: async (address) => {
      await ip(SELF, [`address del ${address}/32 dev ${DEVICE}`]);
    },
    close: async () => {
      await kernel.close();
      await cleanUp({ runDirectory: RUN, dryRun: false });
      await run(SELF, ['ipvsadm', '-C']);
    },
  };
});
