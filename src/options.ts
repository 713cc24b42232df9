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
  /** With `repeat`: a list of config.yaml as it stands, else the one value; never split at commas. */
  readonly verbatim?: true
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
    summary:
      'kind of identity provider: simplesamlphp, shibboleth, adfs, keycloak, okta, entra, onelogin, jumpcloud, authentik, auth0, idaptive, shell, browser, form, web-identity',
  },
  url: {
    type: 'string',
    alias: ['okta-url', 'okta-domain', 'aws-app-endpoint'],
    value: 'URL',
    summary: "the identity provider's sign-in page for AWS",
  },
  'app-id': {
    type: 'string',
    alias: ['aws-app-id', 'appkey'],
    value: 'ID',
    summary: 'application for AWS at the identity provider, where the URL does not say',
  },
  'client-secret': {
    type: 'string',
    value: 'SECRET',
    secret: true,
    summary: 'secret of that client',
  },
  'tenant-id': { type: 'string', value: 'ID', summary: 'tenant at Idaptive, where --url does not say' },
  'vanity-id': { type: 'string', value: 'NAME', summary: 'name of the tenant in its address, where it has one' },
  'domain-name': { type: 'string', value: 'NAME', summary: 'domain of the tenant; default: my.idaptive.app' },
  'auth-preferences': {
    type: 'string',
    value: 'NAME',
    repeat: true,
    summary: 'ways to sign in at Idaptive, by their names there; the first that is offered is taken',
  },
  'client-id': {
    type: 'string',
    value: 'ID',
    summary: 'client of the API of the identity provider, as its administrator made it',
  },
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
  'assertion-command': {
    type: 'string',
    value: 'COMMAND',
    repeat: true,
    verbatim: true,
    summary: 'program that prints the SAMLResponse, for --provider shell',
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

export const tokenOptions = {
  'token-source': {
    type: 'string',
    value: 'NAME',
    values: ['github', 'gitlab', 'bitbucket', 'circleci', 'buildkite', 'azure', 'google', 'kubernetes'],
    summary: 'where the OIDC token of web-identity comes from; default: what the job offers (google: never by itself)',
  },
  'token-file': { type: 'string', value: 'FILE', summary: 'take the OIDC token from FILE, anew each time' },
  'token-command': {
    type: 'string',
    value: 'COMMAND',
    summary: 'take the OIDC token from what COMMAND prints; started without a shell',
  },
  'token-variable': {
    type: 'string',
    value: 'NAME',
    summary: 'take the OIDC token from the environment variable NAME',
  },
  audience: { type: 'string', value: 'NAME', summary: 'audience of the OIDC token; default: sts.amazonaws.com' },
  'service-connection': { type: 'string', value: 'ID', summary: 'service connection of Azure Pipelines' },
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

/** Of `exec` alone. */
export const execOptions = {
  serve: { type: 'boolean', act: true, summary: 'hand it an endpoint that renews, instead of keys' },
} as const satisfies OptionTable

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

export const coreOptions = {
  ...signInOptions,
  ...tokenOptions,
  ...roleOptions,
  ...chainOptions,
  ...exporterOptions,
  ...profileOptions,
  ...consoleOptions,
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
