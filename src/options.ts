/**
 * The one table of options. Flags, `CLOUDTOKEN_<OPTION>` variables, `defaults:` keys, help and completions
 * all come from it; a provider's or exporter's own options have the same shape.
 */

export type OptionValue = string | number | boolean | readonly string[]

export interface Option {
  readonly type: 'boolean' | 'string' | 'integer'
  readonly summary: string
  /** One-letter spellings and older long ones. */
  readonly alias?: readonly string[]
  /** Name of the value in the help: `--url URL`. */
  readonly value?: string
  readonly default?: OptionValue
  /** May be given several times; the value is a list. */
  readonly repeat?: true
  /** Never echoed, never handed to another process. */
  readonly secret?: true
  /** Only the command line may say it: an act, not a setting. */
  readonly act?: true
  /** The only values allowed. */
  readonly values?: readonly string[]
  /** Bounds of an integer, both allowed. */
  readonly range?: readonly [number, number]
}

export type OptionTable = Readonly<Record<string, Option>>

export const signInOptions = {
  provider: {
    type: 'string',
    value: 'TYPE',
    summary: 'kind of identity provider: simplesamlphp, shibboleth, adfs, keycloak, browser, form',
  },
  url: { type: 'string', value: 'URL', summary: "the identity provider's sign-in page for AWS" },
  identity: { type: 'string', value: 'NAME', summary: 'entry of identities: in config.yaml' },
  username: { type: 'string', alias: ['u'], value: 'NAME', summary: 'user name at the identity provider' },
  password: {
    type: 'string',
    alias: ['p'],
    value: 'PASSWORD',
    secret: true,
    summary: 'password; other users can see it, prefer --password-file',
  },
  'password-file': { type: 'string', value: 'FILE', summary: 'read the password from FILE (0600)' },
  'password-prompt': { type: 'boolean', act: true, summary: 'ask for the password even if one is stored' },
  'skip-keyring': { type: 'boolean', summary: 'neither read nor save the password in the OS keyring' },
  'keyring-name': {
    type: 'string',
    value: 'NAME',
    default: 'cloudtoken',
    summary: 'service name of the password in the OS keyring',
  },
  'saml-response': {
    type: 'string',
    value: 'FILE',
    act: true,
    summary: 'take a SAMLResponse from FILE (- for stdin) instead of signing in',
  },
  browser: { type: 'boolean', summary: 'sign in with your own browser, whatever the provider' },
  'browser-path': { type: 'string', value: 'FILE', summary: 'program of the browser, where another one is wanted' },
  'browser-timeout': {
    type: 'integer',
    value: 'SECONDS',
    range: [1, 3600],
    default: 300,
    summary: 'how long the browser window waits for the sign-in',
  },
  headless: { type: 'boolean', summary: 'browser without a window: only while the session of the last sign-in lives' },
  'auth-source': { type: 'string', value: 'NAME', summary: 'sign-in source to choose where the page offers several' },
  organization: { type: 'string', value: 'NAME', summary: 'organisation to choose where the page asks for one' },
  domain: { type: 'string', value: 'NAME', summary: 'domain of the user name, where the sign-in page wants one' },
  'mfa-method': {
    type: 'string',
    value: 'NAME',
    summary: 'second factor to use where several are offered: push, a device; ask shows the menu again',
  },
  'mfa-code': {
    type: 'string',
    alias: ['mfa-passcode'],
    value: 'CODE',
    secret: true,
    summary: 'one-time code for this sign-in',
  },
  'mfa-command': { type: 'string', value: 'COMMAND', summary: 'program that prints the one-time code' },
  consent: {
    type: 'string',
    value: 'ask|accept|refuse',
    values: ['ask', 'accept', 'refuse'],
    default: 'ask',
    summary: 'answer to consent and terms-of-use pages',
  },
  'no-input': { type: 'boolean', summary: 'never ask; fail when a person is needed' },
} as const satisfies OptionTable

export const roleOptions = {
  list: { type: 'boolean', alias: ['l'], act: true, summary: 'list the roles and stop' },
  filter: { type: 'string', alias: ['f'], value: 'REGEX', summary: 'only roles whose ARN matches, ignoring case' },
  'numbers-only': { type: 'boolean', alias: ['n'], act: true, summary: 'list only the numbers of the roles and stop' },
  'role-number': {
    type: 'integer',
    alias: ['r'],
    value: 'N',
    range: [1, 100_000],
    summary: 'take role N of the filtered list',
  },
  role: { type: 'string', value: 'NAME|ARN', summary: 'take exactly this role' },
  refresh: { type: 'boolean', act: true, summary: 'take the role of the last run again' },
  'session-duration': {
    type: 'integer',
    value: 'SECONDS',
    range: [900, 43_200],
    summary: 'length of the session, 900 to 43200',
  },
  region: {
    type: 'string',
    value: 'REGION',
    summary: "region of STS and of the metadata; default: the role's partition",
  },
} as const satisfies OptionTable

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
} as const satisfies OptionTable

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

/** Of `exec` alone. */
export const execOptions = {
  serve: { type: 'boolean', act: true, summary: 'hand it an endpoint that renews, instead of keys' },
} as const satisfies OptionTable

export const generalOptions = {
  'config-dir': { type: 'string', alias: ['cloudtoken-dir'], value: 'DIR', summary: 'folder of config.yaml' },
  'config-file': { type: 'string', value: 'FILE', summary: 'config.yaml itself' },
  init: { type: 'boolean', alias: ['i'], act: true, summary: 'write skeleton configuration files and stop' },
  unset: { type: 'boolean', alias: ['U'], act: true, summary: 'remove what cloudtoken stored and wrote, and stop' },
  quiet: { type: 'boolean', alias: ['q'], summary: 'say only what is needed' },
  debug: { type: 'boolean', summary: 'say each step; secrets stay hidden' },
  'debug-with-secrets': { type: 'boolean', summary: 'accepted for old scripts; the same as --debug' },
  'skip-update-check': { type: 'boolean', summary: 'accepted for old scripts; there is no update check' },
  json: { type: 'boolean', act: true, summary: 'print the result as JSON' },
  version: { type: 'boolean', alias: ['V', 'v'], act: true, summary: 'print the version and stop' },
  help: { type: 'boolean', alias: ['h'], act: true, summary: 'print this help and stop' },
} as const satisfies OptionTable

export const coreOptions = {
  ...signInOptions,
  ...roleOptions,
  ...exporterOptions,
  ...daemonOptions,
  ...generalOptions,
}

type Camel<S extends string> = S extends `${infer Head}-${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S
type ValueOf<O extends Option> = O extends { repeat: true }
  ? readonly string[]
  : O['type'] extends 'boolean'
    ? boolean
    : O extends { default: string }
      ? string
      : O extends { default: number }
        ? number
        : (O['type'] extends 'integer' ? number : string) | undefined

/** Every option resolved: camelCase names; booleans are never undefined, lists never absent. */
export type Settings = {
  readonly [K in keyof typeof coreOptions & string as Camel<K>]: ValueOf<(typeof coreOptions)[K]>
} & {
  /** Options of a provider or exporter outside the core table, by camelCase name. */
  readonly extra: Readonly<Record<string, OptionValue>>
}

/** `session-duration` and `session_duration` are `sessionDuration` in code. */
export function camelCase(name: string): string {
  return name.replace(/[-_]+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
