// The fake kernel keeps the contract that the real one keeps.
import { parseIp } from '../../src/net/address.ts';
import { FakeKernel } from './fake-kernel.ts';
import { kernelContract } from './kernel.contract.ts';

kernelContract('fake', () => {
  const kernel = new FakeKernel();
  return Promise.resolve({
    kernel,
    interface: 'eth0',
    addForeign: (server) => {
      kernel.addForeign({ server, realServers: new Map() });
      return Promise.resolve();
    },
    flush: () => {
      kernel.flush();
      return Promise.resolve();
    },
    addForeignAddress: (address) => {
      kernel.addForeignAddress(parseIp(address), 'eth0');
      return Promise.resolve();
    },
    removeAddress: (address) => {
      kernel.removeAddress(parseIp(address), 'eth0');
      return Promise.resolve();
    },
    close: () => kernel.close(),
  });
});
