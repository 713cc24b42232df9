/**
 * Debian's SimpleSAMLphp 1.19 as the identity provider, under PHP's own web server, with a configuration in a temporary folder.
 */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '../../scripts/demo-http.ts'
import { startServer } from './server.ts'

export interface Person {
  readonly password: string
  /** `role-arn,provider-arn` or the other way round. */
  readonly roles: readonly string[]
  /** `RoleSessionName`; the user name if left out. */
  readonly sessionName?: string
  /** `SessionDuration` in seconds; no such attribute if left out. */
  readonly duration?: number
}

/** A service provider, as the identity provider knows it. */
export interface Service {
  readonly entityId: string
  /** Where it takes responses. */
  readonly consumer: string
}

/** An identity provider, as a service provider knows it. */
export interface Upstream {
  readonly entityId: string
  readonly signOn: string
  /** Of its assertions: base64 of DER. */
  readonly certificate: string
}

/** Where one is going to be, for others that have to know it before. */
export interface Place {
  readonly host: string
  readonly port: number
}

export interface SimpleSamlPhpOptions {
  /** 127.0.0.1 and a free port if left out. */
  readonly place?: Place
  /** Knows nobody itself, and signs people in there. */
  readonly upstream?: Upstream
  /** Another service provider beside AWS. */
  readonly service?: Service
  /** By user name; `alice` with three roles if left out. */
  readonly people?: Readonly<Record<string, Person>>
  /** Asks whether the attributes may be released: each time, or once and then remembered in a cookie. */
  readonly consent?: 'each time' | 'once'
  /** Lets the person choose between the sources `staff` and `students`; everybody is in `staff`. */
  readonly multiauth?: boolean
  /** "Too short interval between single sign on events" for the second sign-in within ten seconds. */
  readonly warnShortInterval?: boolean
  /** How long a sign-in lasts, in seconds; eight hours if left out. */
  readonly sessionSeconds?: number
}

export interface SimpleSamlPhp {
  /** The sign-in page for AWS: what `--url` takes. */
  readonly url: string
  readonly entityId: string
  /** Certificate whose key signs the assertions, PEM. */
  readonly certificateFile: string
  /** What another service provider needs to know. */
  readonly federation: Upstream
  /** Ends every session, as when the server is started anew with an empty store. */
  endSessions(): void
  /** `POST /simplesaml/module.php/…`, one a request, oldest first. */
  requests(): string[]
  /** What PHP and SimpleSAMLphp have logged. */
  log(): string
  stop(): Promise<void>
}

/** Its way of signing in by way of another. */
const source = 'upstream'
const program = '/usr/share/simplesamlphp/www'
const attribute = 'https://aws.amazon.com/SAML/Attributes'
const serviceProvider = 'urn:amazon:webservices'
const uri = 'urn:oasis:names:tc:SAML:2.0:attrname-format:uri'
const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent'

const provider = 'arn:aws:iam::123456789012:saml-provider/example'
export const aliceRoles: readonly string[] = [
  'arn:aws:iam::123456789012:role/admin',
  'arn:aws:iam::123456789012:role/developer',
  'arn:aws:iam::210987654321:role/team/ops/read-only',
]
export const alice: Person = {
  password: 'correct horse & <battery>',
  roles: aliceRoles.map(role => `${role},${provider.replace('123456789012', role.split(':')[4] ?? '')}`),
  sessionName: 'alice@example.org',
  duration: 3600,
}

export async function startSimpleSamlPhp(options: SimpleSamlPhpOptions = {}): Promise<SimpleSamlPhp> {
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-ssp-'))
  const { host, port } = options.place ?? { host: '127.0.0.1', port: await freePort() }
  const base = baseOf({ host, port })
  const entityId = `${base}saml2/idp/metadata.php`
  for (const name of ['config', 'metadata', 'cert', 'log', 'data', 'tmp', 'sessions', 'web'])
    mkdirSync(join(folder, name))
  symlinkSync(program, join(folder, 'web', 'simplesaml'))
  await signingKey(join(folder, 'cert'))
  writePhp(join(folder, 'config', 'config'), 'config', configuration(folder, base, options))
  writePhp(join(folder, 'config', 'authsources'), 'config', sources(options))
  const hosted = {
    host: '__DEFAULT__',
    privatekey: 'idp.key',
    certificate: 'idp.crt',
    auth: options.upstream ? source : options.multiauth ? 'choice' : 'staff',
  }
  writePhp(join(folder, 'metadata', 'saml20-idp-hosted'), 'metadata', { [entityId]: hosted })
  writePhp(join(folder, 'metadata', 'saml20-sp-remote'), 'metadata', {
    [serviceProvider]: amazon(options),
    ...(options.service && {
      [options.service.entityId]: { AssertionConsumerService: options.service.consumer, 'attributes.NameFormat': uri },
    }),
  })
  if (options.upstream) {
    const { entityId: id, signOn, certificate } = options.upstream
    const remote = { SingleSignOnService: signOn, certData: certificate }
    writePhp(join(folder, 'metadata', 'saml20-idp-remote'), 'metadata', { [id]: remote })
  }

  const url = `${base}saml2/idp/SSOService.php?spentityid=${serviceProvider}`
  const settings = ['-d', 'display_errors=0', '-d', 'log_errors=1', '-d', 'error_reporting=22519']
  const server = await startServer('php', [...settings, '-S', `${host}:${port}`, '-t', join(folder, 'web')], {
    probe: entityId,
    env: { SIMPLESAMLPHP_CONFIG_DIR: join(folder, 'config'), TMPDIR: join(folder, 'tmp') },
  })
  return {
    url,
    entityId,
    certificateFile: join(folder, 'cert', 'idp.crt'),
    federation: {
      entityId,
      signOn: `${base}saml2/idp/SSOService.php`,
      certificate: readFileSync(join(folder, 'cert', 'idp.crt'), 'utf8').replace(/-----.*?-----|\s/g, ''),
    },
    endSessions: () => {
      for (const file of readdirSync(join(folder, 'sessions'))) rmSync(join(folder, 'sessions', file))
    },
    requests: () => [...server.output().matchAll(/\[\d{3}\]: ((?:GET|POST|HEAD) \S+)/g)].map(match => match[1] ?? ''),
    log: server.output,
    stop: async () => {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The service provider that one with an `upstream` is there. */
export function serviceAt(place: Place): Service {
  const module = `${baseOf(place)}module.php/saml/sp`
  return { entityId: `${module}/metadata.php/${source}`, consumer: `${module}/saml2-acs.php/${source}` }
}

function baseOf({ host, port }: Place): string {
  return `http://${host}:${port}/simplesaml/`
}

/** PHP that reads its value from JSON beside it: nothing has to be quoted for PHP. */
function writePhp(stem: string, variable: string, value: object): void {
  writeFileSync(`${stem}.json`, JSON.stringify(value))
  writeFileSync(`${stem}.php`, `<?php $${variable} = json_decode(file_get_contents('${stem}.json'), true);\n`)
}

async function signingKey(folder: string): Promise<void> {
  const files = ['-keyout', join(folder, 'idp.key'), '-out', join(folder, 'idp.crt')]
  const request = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=idp.example.org',
    ...files,
  ]
  await promisify(execFile)('openssl', request)
}

function configuration(folder: string, base: string, options: SimpleSamlPhpOptions): object {
  const seconds = options.sessionSeconds ?? 8 * 60 * 60
  return {
    baseurlpath: base,
    certdir: `${folder}/cert/`,
    loggingdir: `${folder}/log/`,
    datadir: `${folder}/data/`,
    tempdir: `${folder}/tmp`,
    metadatadir: `${folder}/metadata/`,
    'metadata.sources': [{ type: 'flatfile' }],
    secretsalt: 'a salt for tests only',
    'auth.adminpassword': 'an administrator for tests only',
    'admin.checkforupdates': false,
    technicalcontact_name: 'Tests',
    technicalcontact_email: 'tests@example.org',
    timezone: 'UTC',
    'logging.handler': 'errorlog',
    'logging.level': 5,
    'enable.saml20-idp': true,
    'module.enable': { core: true, saml: true, exampleauth: true, consent: true, multiauth: true },
    'store.type': 'phpsession',
    'session.duration': seconds,
    'session.datastore.timeout': seconds,
    'session.state.timeout': 3600,
    'session.cookie.name': 'SimpleSAMLSessionID',
    'session.cookie.path': '/',
    'session.cookie.secure': false,
    'session.cookie.samesite': null,
    'session.phpsession.cookiename': 'SimpleSAML',
    'session.phpsession.savepath': `${folder}/sessions`,
    'session.phpsession.httponly': true,
    'session.authtoken.cookiename': 'SimpleSAMLAuthToken',
    'language.default': 'en',
    'language.cookie.secure': false,
    'theme.use': 'default',
  }
}

function sources(options: SimpleSamlPhpOptions): object {
  const people: Record<string, Record<string, string[]>> = {}
  for (const [name, person] of Object.entries(options.people ?? { alice })) {
    people[`${name}:${person.password}`] = {
      uid: [name],
      [`${attribute}/Role`]: [...person.roles],
      [`${attribute}/RoleSessionName`]: [person.sessionName ?? name],
      ...(person.duration !== undefined && { [`${attribute}/SessionDuration`]: [String(person.duration)] }),
    }
  }
  return {
    admin: ['core:AdminPassword'],
    staff: { 0: 'exampleauth:UserPass', ...people },
    ...(options.upstream && { [source]: { 0: 'saml:SP', idp: options.upstream.entityId } }),
    students: { 0: 'exampleauth:UserPass', 'bob:secret': { uid: ['bob'] } },
    choice: {
      0: 'multiauth:MultiAuth',
      sources: { staff: { text: { en: 'Members of staff' } }, students: { text: { en: 'Students' } } },
    },
  }
}

/** AWS as SimpleSAMLphp knows it. The assertion is not encrypted; both it and the response are signed. */
function amazon(options: SimpleSamlPhpOptions): object {
  const consent = {
    class: 'consent:Consent',
    ...(options.consent === 'once' && { store: 'consent:Cookie' }),
    focus: 'yes',
    checked: options.consent === 'once',
  }
  return {
    name: { en: 'Amazon Web Services' },
    AssertionConsumerService: 'https://signin.aws.amazon.com/saml',
    NameIDFormat: persistent,
    'simplesaml.nameidattribute': 'uid',
    'attributes.NameFormat': uri,
    authproc: {
      ...(options.warnShortInterval && { 20: { class: 'core:WarnShortSSOInterval' } }),
      ...(options.consent !== undefined && { 90: consent }),
    },
  }
}
