// Builds what the cluster tier needs and takes minutes, beside the tests that come before it: the control plane, then
// helm, then the image. Says something only where there is something to build; a failure is told by the tests that need it.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';

const SCRIPTS = ['controlplane/build.sh', 'controlplane/build-helm.sh', 'image/build.sh'];

/** Resolves when all is built, or can't be. */
export async function buildInBackground(say: (text: string) => void): Promise<void> {
  for (const script of SCRIPTS) {
    const child = spawn(path.join(import.meta.dirname, script), {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const lines = createInterface({ input: child.stderr });
    lines.on('line', (line) => say(`(in the background) ${line}`));
    await new Promise<void>((resolve) =>
      child.once('close', () => resolve()).once('error', () => resolve()),
    );
  }
}
