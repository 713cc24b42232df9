/**
 * Options of the role, and of the chain that follows it.
 */
import type { OptionTable } from './option.ts'

export const roleOptions = {
  list: { type: 'boolean', alias: ['l'], act: true, summary: 'list the roles and stop' },
  filter: {
    type: 'string',
    alias: ['f'],
    value: 'REGEX',
    mayBeEmpty: true,
    summary: 'only roles whose ARN matches, ignoring case',
  },
  'numbers-only': { type: 'boolean', alias: ['n'], act: true, summary: 'list only the numbers of the roles and stop' },
  'role-number': {
    type: 'integer',
    alias: ['r'],
    value: 'N',
    range: [1, 100_000],
    summary: 'take role N of the filtered list',
  },
  role: {
    type: 'string',
    value: 'NAME|ARN',
    again: 'also-role',
    summary: 'take exactly this role; under -d a second one is for the container endpoint',
  },
  refresh: { type: 'boolean', act: true, summary: 'take the role of the last run again' },
  'session-duration': {
    type: 'integer',
    value: 'SECONDS',
    range: [900, 43_200],
    summary: 'length of the session, 900 to 43200',
  },
  'min-ttl': {
    type: 'integer',
    value: 'SECONDS',
    range: [0, 43_200],
    default: 0,
    summary: 'credentials that are good for less than this are replaced before they are handed out',
  },
  region: {
    type: 'string',
    value: 'REGION',
    summary: "region of STS and of the metadata; default: the role's partition",
  },
} as const satisfies OptionTable

export const chainOptions = {
  chain: {
    type: 'string',
    value: 'ROLE_ARN',
    repeat: true,
    summary: 'then assume this role, or alias of config.yaml, with the role before',
  },
  'external-id': { type: 'string', value: 'ID', summary: 'what the last role of the chain asks for' },
  'role-session-name': {
    type: 'string',
    value: 'NAME',
    summary: 'name of the session in a chain or of a job; default: that of the session before',
  },
  'session-policy': {
    type: 'string',
    value: 'FILE|ARN',
    repeat: true,
    summary: 'let the session do only what this policy allows too',
  },
  'session-tag': { type: 'string', value: 'KEY=VALUE', repeat: true, summary: 'tag of the last session of the chain' },
  'source-identity': { type: 'string', value: 'NAME', summary: 'who is behind the sessions of the chain' },
  'switch-role-session-duration': {
    type: 'integer',
    value: 'SECONDS',
    range: [900, 43_200],
    default: 3600,
    summary: 'length of the sessions in the chain; AWS allows one hour',
  },
  'assume-role': { type: 'boolean', summary: 'assume the role that the next four options name' },
  'dest-role-arn': { type: 'string', value: 'ARN', summary: 'the same as one --chain' },
  'dest-role-alias': { type: 'string', alias: ['a'], value: 'NAME', summary: 'a role of aliases: in config.yaml' },
  'dest-account': { type: 'string', value: 'ID', summary: 'account of the role; with --dest-role-name' },
  'dest-role-name': { type: 'string', value: 'NAME', summary: 'name of the role; with --dest-account' },
} as const satisfies OptionTable
