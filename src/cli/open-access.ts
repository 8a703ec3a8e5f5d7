// The way to the API server for a command, from its flags and the environment.
import { KubeConfigError, loadKubeAccess, type KubeAccess } from '../kube/config.ts';
import { UsageError } from '../runtime/flags.ts';
import type { CliIo } from './command.ts';

/** A kubeconfig that is not there or says nothing useful is wrong use: one line, exit 2. */
export async function openAccess(
  command: string,
  io: CliIo,
  values: { readonly kubeconfig: string | undefined; readonly context: string | undefined },
): Promise<KubeAccess> {
  const { kubeconfig, context } = values;
  try {
    return await loadKubeAccess({ kubeconfig, context, env: io.env });
  } catch (error) {
    if (!(error instanceof KubeConfigError)) throw error;
    throw new UsageError(`${command}: ${error.message}`);
  }
}
