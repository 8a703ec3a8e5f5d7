// Runs in the lab: `vipvs standalone` with 10,000 Services of 5 endpoints each, its memory when everything is in the
// kernel. Prints one JSON line.   memory.guest.ts PATH-OF-BIN/VIPVS
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { POOL_YAML, serviceOf, sliceOf } from './objects.ts';

const SERVICES = 10_000;
const ENDPOINTS = 5;
const LIMIT_MS = 240_000;
const DIR = '/tmp/manifests';

function memoryMb(pid: number, field: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1024);
}

execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('ip', ['link', 'add', 'vips', 'type', 'dummy']);
execFileSync('ip', ['link', 'set', 'vips', 'up']);
mkdirSync(DIR);
writeFileSync(`${DIR}/pool.yaml`, POOL_YAML);
for (let i = 0; i < SERVICES; i++) {
  const service = { ...serviceOf(i), status: undefined };
  // JSON is YAML; one file for each Service, as people keep them
  const documents = [service, sliceOf(i, ENDPOINTS)].map((each) => JSON.stringify(each));
  writeFileSync(`${DIR}/s${i}.yaml`, documents.join('\n---\n'));
}
const startMs = performance.now();
const command = ['standalone', '-f', DIR, '--bind-iface', 'vips'];
const places = ['--state-dir', '/tmp/state', '--run-dir', '/tmp/run', '--node-name', 'bench'];
const child = spawn(process.argv[2] ?? '', [...command, ...places, '--log-level', 'warn'], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
const pid = child.pid ?? 0;
for (;;) {
  const ready = await fetch('http://127.0.0.1:9472/readyz').catch(() => undefined);
  if (ready?.ok === true) {
    const rules = readFileSync('/proc/net/ip_vs', 'utf8').match(/^TCP/gm)?.length ?? 0;
    if (rules >= SERVICES) break;
  }
  if (performance.now() - startMs > LIMIT_MS || child.exitCode !== null) {
    throw new Error(`standalone is not ready: ${(await ready?.text()) ?? 'no answer'}`);
  }
  await sleep(200);
}
const readyMs = performance.now() - startMs;
await sleep(15_000);
const result = {
  services: SERVICES,
  endpointsEach: ENDPOINTS,
  readySeconds: Math.round(readyMs / 100) / 10,
  residentMb: memoryMb(pid, 'VmRSS'),
  peakMb: memoryMb(pid, 'VmHWM'),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
child.kill('SIGTERM');
