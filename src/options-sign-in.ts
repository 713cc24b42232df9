/**
 * Options of a sign-in: who you are, where, and with what.
 */
import type { OptionTable } from './option.ts'

export const signInOptions = {
  provider: {
    type: 'string',
    value: 'TYPE',
    summary:
      'kind of identity provider: simplesamlphp, shibboleth, adfs, keycloak, okta, entra, onelogin, jumpcloud, authentik, auth0, idaptive, pingfederate, pingone, forgerock, f5, netiq, akamai, google, shell, browser, form, identity-center, web-identity, keys, profile, environment',
  },
  url: {
    type: 'string',
    alias: ['okta-url', 'okta-domain', 'aws-app-endpoint', 'sso-start-url'],
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
    mayBeEmpty: true,
    secret: true,
    summary: 'password; other users can see it, prefer --password-file',
  },
  'password-file': { type: 'string', value: 'FILE', summary: 'read the password from FILE (0600)' },
  'password-prompt': { type: 'boolean', act: true, summary: 'ask for the password even if one is stored' },
  'secret-store': {
    type: 'string',
    value: 'WHERE',
    values: ['auto', 'keyring', 'passphrase', 'machine', 'none'],
    default: 'auto',
    summary:
      'what guards cookies and passwords at rest: keyring, passphrase, machine or none; default: keyring, else machine',
  },
  'secret-passphrase': {
    type: 'string',
    value: 'TEXT',
    secret: true,
    summary: 'passphrase of the secret store, where nobody can be asked; best as CLOUDTOKEN_SECRET_PASSPHRASE',
  },
  'skip-keyring': { type: 'boolean', summary: 'leave the OS keyring alone' },
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
  'sso-region': { type: 'string', value: 'REGION', summary: 'region of IAM Identity Center' },
  'sso-session': {
    type: 'string',
    value: 'NAME',
    summary: 'take start URL and region of IAM Identity Center from this [sso-session] of ~/.aws/config',
  },
  'device-code': {
    type: 'boolean',
    summary: 'sign in to IAM Identity Center with a code on any device, not in the browser of this one',
  },
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
  'mfa-serial': {
    type: 'string',
    value: 'ARN',
    summary: 'MFA device whose codes go with the access key, for --provider keys, profile or environment',
  },
  'source-profile': {
    type: 'string',
    value: 'NAME',
    summary: 'profile under ~/.aws to begin with, for --provider profile; default: default',
  },
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
