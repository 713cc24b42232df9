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
  ipv6: { type: 'boolean', summary: 'answer at the IPv6 address of the metadata service, too: fd00:ec2::254' },
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
  'metadata-config': {
    type: 'string',
    value: 'FILE',
    summary: 'what to serve: a proxy.yaml, or the JSON of amazon-ec2-metadata-mock',
  },
  'metadata-profile': {
    type: 'string',
    value: 'NAME',
    values: ['classic', 'ec2'],
    default: 'classic',
    summary: 'the built-in tree: classic, 21 entries; ec2, all that an instance of today has',
  },
  'system-username': { type: 'string', value: 'NAME', summary: 'user to become when started by root' },
  background: { type: 'boolean', act: true, summary: 'with -d: sign in here, then serve in the background' },
  force: {
    type: 'boolean',
    act: true,
    summary: 'take the address even on a machine with a metadata service of its own',
  },
} as const satisfies OptionTable

/** Of `grant` alone: acts, not settings. */
export const grantOptions = {
  role: {
    type: 'string',
    value: 'NAME|ARN',
    act: true,
    summary: 'role of the session; default: the one that is served',
  },
  policy: {
    type: 'string',
    value: 'FILE|ARN',
    repeat: true,
    act: true,
    summary: 'let it do only what this policy allows too',
  },
  ttl: {
    type: 'integer',
    value: 'SECONDS',
    range: [1, 1_000_000],
    act: true,
    summary: 'when the token ends; default: with the daemon',
  },
  revoke: {
    type: 'string',
    value: 'FILE|all',
    act: true,
    summary: 'end the token in this file, or all that were granted',
  },
} as const satisfies OptionTable

/** Of `simulate` alone: acts, not settings. */
export const simulateOptions = {
  in: {
    type: 'integer',
    value: 'SECONDS',
    range: [0, 1_000_000],
    act: true,
    summary: 'when it happens; default: 120, and for maintenance a day',
  },
  action: {
    type: 'string',
    value: 'ACTION',
    values: ['terminate', 'stop', 'hibernate'],
    act: true,
    summary: 'of a spot interruption: terminate, stop or hibernate',
  },
  code: {
    type: 'string',
    value: 'CODE',
    values: ['system-reboot', 'instance-reboot', 'system-maintenance', 'instance-retirement', 'instance-stop'],
    act: true,
    summary: 'of a maintenance event: system-reboot, instance-stop, instance-retirement …',
  },
} as const satisfies OptionTable
