/**
 * Options of every command, and of those that sign in to nothing.
 */
import type { OptionTable } from './option.ts'

export const generalOptions = {
  'config-dir': { type: 'string', alias: ['cloudtoken-dir'], value: 'DIR', summary: 'folder of config.yaml' },
  'config-file': { type: 'string', value: 'FILE', summary: 'config.yaml itself' },
  init: { type: 'boolean', alias: ['i'], act: true, summary: 'write skeleton configuration files and stop' },
  unset: { type: 'boolean', alias: ['U'], act: true, summary: 'remove what cloudtoken stored and wrote, and stop' },
  'plugin-timeout': {
    type: 'integer',
    value: 'SECONDS',
    range: [1, 3600],
    default: 120,
    summary: 'how long a plugin may take, without the time in which you answer it',
  },
  quiet: { type: 'boolean', alias: ['q'], summary: 'say only what is needed' },
  debug: { type: 'boolean', summary: 'say each step; secrets stay hidden' },
  'debug-with-secrets': { type: 'boolean', summary: 'accepted for old scripts; the same as --debug' },
  'skip-update-check': { type: 'boolean', summary: 'accepted for old scripts; there is no update check' },
  json: { type: 'boolean', act: true, summary: 'print the result as JSON' },
  version: { type: 'boolean', alias: ['V', 'v'], act: true, summary: 'print the version and stop' },
  help: { type: 'boolean', alias: ['h'], act: true, summary: 'print this help and stop' },
} as const satisfies OptionTable

/** Of `plugins new` alone. */
export const pluginOptions = {
  kind: {
    type: 'string',
    value: 'KIND',
    values: ['provider', 'exporter', 'stage'],
    summary: 'what new is to write: provider, exporter or stage',
  },
  lang: {
    type: 'string',
    value: 'LANG',
    values: ['ts', 'sh', 'python'],
    summary: 'in which language: ts, sh or python',
  },
} as const satisfies OptionTable

/** Of `upgrade` alone: acts, not settings. */
export const upgradeOptions = {
  check: { type: 'boolean', act: true, summary: 'say whether there is a newer release, and stop' },
  to: { type: 'string', value: 'VERSION', act: true, summary: 'take this release, an older one too' },
  'base-url': { type: 'string', value: 'URL', act: true, summary: 'where the releases are' },
  key: {
    type: 'string',
    value: 'KEY',
    act: true,
    summary: 'public key (minisign) that has to have signed the release; default: the one built in',
  },
} as const satisfies OptionTable
