/**
 * Options of the metadata service.
 */
import type { OptionTable } from './option.ts'

export const daemonOptions = {
  daemon: { type: 'boolean', alias: ['d'], act: true, summary: 'stay and be the EC2 metadata service' },
  listen: {
    type: 'string',
    value: 'HOST:PORT',
    default: '169.254.169.254:80',
    summary: 'where the metadata service listens; any other than the default needs no root',
  },
  'refresh-interval': {
    type: 'integer',
    value: 'SECONDS',
    range: [1, 43_200],
    default: 2700,
    summary: 'renew at the latest after this time',
  },
  'require-imdsv2': { type: 'boolean', summary: 'answer only requests that carry an IMDSv2 token' },
  'allow-from': {
    type: 'string',
    alias: ['allowed-cidr'],
    value: 'CIDR',
    repeat: true,
    summary: 'also answer callers from these addresses',
  },
  'allow-host': { type: 'string', value: 'NAME', repeat: true, summary: 'also answer requests for this Host' },
  'container-endpoint': {
    type: 'string',
    value: 'HOST:PORT',
    summary: 'also hand out credentials as ECS does, to who has the token; port 0 takes a free one',
  },
  'also-role': {
    type: 'string',
    value: 'NAME|ARN',
    repeat: true,
    summary: 'another role for the container endpoint, beside the one that is chosen',
  },
  'allow-user': {
    type: 'string',
    value: 'NAME|UID',
    repeat: true,
    summary: 'let this user of this machine read the credentials, too (Linux)',
  },
  'metadata-config': { type: 'string', value: 'FILE', summary: 'proxy.yaml to serve instead of the built-in tree' },
  'system-username': { type: 'string', value: 'NAME', summary: 'user to become when started by root' },
  background: { type: 'boolean', act: true, summary: 'with -d: sign in here, then serve in the background' },
  force: {
    type: 'boolean',
    act: true,
    summary: 'take the address even on a machine with a metadata service of its own',
  },
} as const satisfies OptionTable
