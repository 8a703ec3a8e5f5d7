// A stand-in for a program.
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** `text`: a shell script. */
export async function program(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, `#!/bin/sh\n${text}\n`);
  await chmod(file, 0o755);
}
