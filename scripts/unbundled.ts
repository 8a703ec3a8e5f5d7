// Packages that no bundle takes in: those with native code, which they look for beside their own files, and bunyan's
// optional ones, which it asks for and does without.
export const UNBUNDLED = [
  'koffi',
  'netlink',
  'dtrace-provider',
  'mv',
  'safe-json-stringify',
  'source-map-support',
];
