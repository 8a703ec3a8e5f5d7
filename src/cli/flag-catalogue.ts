// The flags that more than one command has, so that they look and read the same everywhere.
import {
  choiceFlag,
  listFlag,
  LISTEN_ALLOWED,
  optionalFlag,
  parseInterfaceName,
  parseListen,
  parseNonEmpty,
  switchFlag,
  valueFlag,
} from '../runtime/flags.ts';

const DEFAULT_STATE_DIR = '/var/lib/vipvs';
const DEFAULT_RUN_DIR = '/run/vipvs';

/** -f of simulate, plan and check: manifests.ts loadManifests takes the paths. */
export const filesFlag = listFlag(
  {
    flags: '-f, --filename <path...>',
    description: 'manifests: a file, a directory (with its sub-directories), or - for stdin',
    complete: 'files',
  },
  1,
  'a file, a directory, or -',
);

/** Which Services are ours; the same in check, simulate, plan and standalone. */
export const requireClassFlag = switchFlag({
  flags: '--require-class',
  description: 'leave Services without a loadBalancerClass alone',
});

export const nodeNameFlag = optionalFlag(
  {
    flags: '--node-name <name>',
    description: 'name of this node (default: the host name)',
    env: 'VIPVS_NODE_NAME',
  },
  'a node name: lower case letters, digits, - and .',
  (text) => (/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(text) ? text : undefined),
);

export const bindInterfaceFlag = optionalFlag(
  {
    flags: '--bind-iface <name>',
    description: 'interface that gets the VIPs, such as eth0',
    env: 'VIPVS_BIND_IFACE',
  },
  'an interface name of at most 15 characters',
  parseInterfaceName,
);

export const stateDirFlag = valueFlag(
  {
    flags: '--state-dir <dir>',
    description: 'directory of the state file',
    env: 'VIPVS_STATE_DIR',
    defaultText: DEFAULT_STATE_DIR,
    complete: 'files',
  },
  'a directory',
  parseNonEmpty,
);

export const runDirFlag = valueFlag(
  {
    flags: '--run-dir <dir>',
    description: 'directory of the lock and of the record of what is ours in the kernel',
    env: 'VIPVS_RUN_DIR',
    defaultText: DEFAULT_RUN_DIR,
    complete: 'files',
  },
  'a directory',
  parseNonEmpty,
);

export const kubeconfigFlag = optionalFlag(
  {
    flags: '--kubeconfig <file>',
    description:
      'kubeconfig (default: the ServiceAccount of the Pod, then $KUBECONFIG, then ~/.kube/config)',
    complete: 'files',
  },
  'a file',
  parseNonEmpty,
);

export const contextFlag = optionalFlag(
  {
    flags: '--context <name>',
    description: 'context of the kubeconfig (default: its current one)',
  },
  'the name of a context',
  parseNonEmpty,
);

export const leaseNamespaceFlag = valueFlag(
  {
    flags: '--lease-namespace <name>',
    description: 'namespace of the Lease',
    env: 'POD_NAMESPACE',
    defaultText: 'vipvs-system',
  },
  'a namespace: lower case letters, digits and -',
  (text) => (/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text) ? text : undefined),
);

export const listenFlag = valueFlag(
  {
    flags: '--listen <address>',
    description: 'serve /healthz, /readyz and /metrics here; off: nowhere',
    env: 'VIPVS_LISTEN',
    defaultText: '127.0.0.1:9472',
  },
  LISTEN_ALLOWED,
  parseListen,
);

export const logLevelFlag = choiceFlag(
  {
    flags: '--log-level <level>',
    description: 'least level of the log on stderr',
    env: 'VIPVS_LOG_LEVEL',
    defaultText: 'info',
  },
  ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
);

export const logFormatFlag = choiceFlag(
  {
    flags: '--log-format <format>',
    description: 'auto: text on a terminal, JSON otherwise',
    env: 'VIPVS_LOG_FORMAT',
    defaultText: 'auto',
  },
  ['auto', 'text', 'json'],
);
