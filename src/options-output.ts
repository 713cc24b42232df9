/**
 * Options of where the credentials go.
 */
import type { OptionTable } from './option.ts'

export const exporterOptions = {
  'json-tokens': { type: 'string', alias: ['j'], value: 'FILE', summary: 'where to write tokens.json' },
  temp: { type: 'boolean', alias: ['t'], act: true, summary: 'for this shell only: tokens.tmp, and no other file' },
  export: { type: 'boolean', alias: ['e'], act: true, summary: 'print the shell assignments of the last run and stop' },
  shell: {
    type: 'string',
    value: 'SHELL',
    values: ['sh', 'fish', 'powershell', 'cmd', 'dotenv', 'json'],
    summary: 'sh, fish, powershell, cmd, dotenv or json; default: the shell that is running',
  },
  profile: { type: 'string', value: 'NAME', summary: 'section of ~/.aws/credentials' },
  'ci-env': {
    type: 'boolean',
    summary: 'hand the credentials to the next steps of this CI job, hidden in its log; write no other file',
  },
} as const satisfies OptionTable

export const profileOptions = {
  all: { type: 'boolean', act: true, summary: 'take every role that --filter leaves, each into a profile of its own' },
  'profile-name': {
    type: 'string',
    value: 'TEMPLATE',
    default: '{account}-{role}',
    summary: 'names of those profiles; {account} {name} {role} {path} {partition}',
  },
  'dry-run': { type: 'boolean', act: true, summary: 'show what would change under ~/.aws; write no credentials' },
} as const satisfies OptionTable

/** Of `setup-profiles` alone. */
export const setupOptions = {
  remove: { type: 'boolean', act: true, summary: 'remove all profiles that setup-profiles wrote' },
} as const satisfies OptionTable

export const consoleOptions = {
  'generate-url': {
    type: 'boolean',
    alias: ['g', 'print'],
    summary: 'print a URL that signs in to the AWS console; it is as good as a password',
  },
  'open-url': { type: 'boolean', summary: 'open that URL in the browser' },
  service: {
    type: 'string',
    alias: ['generate-url-suffix'],
    value: 'NAME',
    summary: 'where in the console: s3, ec2, cloudformation … or a path',
  },
  duration: {
    type: 'integer',
    alias: ['generate-url-duration'],
    value: 'SECONDS',
    range: [900, 43_200],
    default: 43_200,
    summary: 'length of the console session, where AWS takes one',
  },
} as const satisfies OptionTable

/** Of `exec` alone. */
export const execOptions = {
  serve: { type: 'boolean', act: true, summary: 'hand it an endpoint that renews, instead of keys' },
} as const satisfies OptionTable
