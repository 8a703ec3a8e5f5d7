// The built library and this program agree about its ABI, and whoever can't use it is told why.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

import { IpvsSocket } from '../../src/ipvs-node/kernel/ipvs/socket.ts';
import { library, trimAllocator } from '../../src/ipvs-node/kernel/libvipvs.ts';
import { OperationalError } from '../../src/runtime/errors.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

test('the library loads: its version and every record size are ours', () => {
  assert.ok(library().run.info.name.includes('vipvs_run'));
});

test('freed memory goes back to the system where the C library is glibc', () => {
  const isGlibc = JSON.stringify(process.report.getReport()).includes('"glibcVersionRuntime"');
  assert.equal(trimAllocator(), isGlibc);
});

test(
  'a kernel without IPVS is named',
  { skip: existsSync('/proc/net/ip_vs') && 'this kernel has IPVS' },
  () => {
    assert.throws(
      () => IpvsSocket.open(),
      (error) =>
        error instanceof OperationalError &&
        ['ipvs-missing', 'not-permitted'].includes(error.code) &&
        /IPVS/.test(error.message),
    );
  },
);

const files = [
  { name: 'missing', file: '/nonexistent/libvipvs.so', want: /\/nonexistent\/libvipvs\.so can not be loaded.*make -C native/ },
  { name: 'another library', file: 'libc.so.6', want: /libc\.so\.6 is not libvipvs/ },
] as const; // prettier-ignore
for (const { name, file, want } of files) {
  test(`a library that is ${name} is refused with the way out`, () => {
    // in a process of its own: this one has loaded the right library already
    const program = `
      import { library } from './src/ipvs-node/kernel/libvipvs.ts';
      try { library(); } catch (error) { console.log(error.code + ' ' + error.message); }`;
    const said = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', program], {
      cwd: ROOT,
      env: { ...process.env, VIPVS_LIBRARY: file },
      encoding: 'utf8',
    });
    assert.match(said, /^library-missing /);
    assert.match(said, want);
  });
}
