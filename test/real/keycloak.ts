/**
 * Keycloak itself, in development mode on loopback, with a realm made for the test. Its programs stay where they were
 * installed; what it writes goes to a folder of its own.
 */
import { createHmac } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keycloakHome } from '../../scripts/components.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { startServer } from './server.ts'
import type { Service, Upstream } from './simplesamlphp.ts'

/** A service provider of the realm beside AWS, such as an identity provider that signs people in here. */
export interface KeycloakOptions {
  readonly service?: Service
}

export interface Keycloak {
  /** The client for AWS: what `--url` takes. */
  readonly url: string
  readonly origin: string
  /** The same in a realm that tries Kerberos before it asks for a password. */
  readonly ticketUrl: string
  /** What another service provider needs to know of the realm. */
  federation(): Promise<Upstream>
  /** Everybody has to sign in again. */
  endSessions(): Promise<void>
  stop(): Promise<void>
}

export const password = 'correct horse & <battery>'
export const role = 'arn:aws:iam::123456789012:role/admin'
const amazon = 'https://signin.aws.amazon.com/saml'
const attributes = 'https://aws.amazon.com/SAML/Attributes'
const admin = { name: 'admin', password: 'an administrator for tests only' }

const secrets = { Phone: 'secret of the phone', Tablet: 'secret of the tablet' } as const

/** The code that a device shows now (RFC 6238, as Keycloak is set up by default). */
export function codeOf(device: keyof typeof secrets, now: number = Date.now()): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30_000)))
  const digest = createHmac('sha1', secrets[device]).update(counter).digest()
  const offset = (digest.at(-1) ?? 0) & 0xf
  return String((digest.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** The first start after an installation builds the server and takes about a minute. */
export async function startKeycloak({ service }: KeycloakOptions = {}): Promise<Keycloak> {
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-keycloak-'))
  cpSync(join(keycloakHome, 'bin'), join(home, 'bin'), { recursive: true })
  for (const name of ['lib', 'conf', 'providers', 'themes', 'version.txt'])
    symlinkSync(join(keycloakHome, name), join(home, name))
  mkdirSync(join(home, 'data', 'import'), { recursive: true })
  for (const name of ['corp', 'tickets'])
    writeFileSync(join(home, 'data', 'import', `${name}.json`), JSON.stringify(realm(name, service)))
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const args = ['start-dev', '--db=dev-mem', '--import-realm', '--http-host=127.0.0.1', `--http-port=${port}`]
  const server = await startServer('sh', [join(home, 'bin', 'kc.sh'), ...args], {
    probe: `${origin}/realms/corp`,
    patienceMs: 150_000,
    env: {
      // Compiled in haste: it serves a dozen pages.
      JAVA_OPTS_APPEND: '-Xmx512m -XX:TieredStopAtLevel=1',
      KC_BOOTSTRAP_ADMIN_USERNAME: admin.name,
      KC_BOOTSTRAP_ADMIN_PASSWORD: admin.password,
    },
  })
  async function administer(path: string, body?: object): Promise<void> {
    const form = new URLSearchParams({ ...grant, username: admin.name, password: admin.password })
    const granted = await fetch(`${origin}/realms/master/protocol/openid-connect/token`, { method: 'POST', body: form })
    const { access_token: token } = (await granted.json()) as { access_token: string }
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const answer = await fetch(`${origin}/admin/realms/${path}`, {
      method: 'POST',
      headers,
      ...(body && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  }
  // Nobody has a ticket; what matters is that the server asks for one.
  await administer('tickets/components', kerberos)
  return {
    url: `${origin}/realms/corp/protocol/saml/clients/amazon-aws`,
    ticketUrl: `${origin}/realms/tickets/protocol/saml/clients/amazon-aws`,
    origin,
    async federation() {
      const entityId = `${origin}/realms/corp`
      const descriptor = await (await fetch(`${entityId}/protocol/saml/descriptor`)).text()
      const certificate = /X509Certificate>([^<]+)</.exec(descriptor)?.[1]
      if (certificate === undefined) throw new Error(`no certificate in ${descriptor}`)
      return { entityId, signOn: `${entityId}/protocol/saml`, certificate }
    },
    endSessions: () => administer('corp/logout-all'),
    async stop() {
      await server.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

const kerberos = {
  name: 'kerberos',
  providerId: 'kerberos',
  providerType: 'org.keycloak.storage.UserStorageProvider',
  config: {
    kerberosRealm: ['CORP.TEST'],
    serverPrincipal: ['HTTP/idp.corp.test@CORP.TEST'],
    keyTab: ['/nonexistent.keytab'],
    allowPasswordAuthentication: ['false'],
    enabled: ['true'],
    priority: ['0'],
    cachePolicy: ['DEFAULT'],
  },
}

const grant = { grant_type: 'password', client_id: 'admin-cli' }

function realm(name: string, service?: Service): object {
  const actions = ['UPDATE_PASSWORD', 'TERMS_AND_CONDITIONS', 'CONFIGURE_TOTP', 'UPDATE_PROFILE']
  return {
    realm: name,
    enabled: true,
    sslRequired: 'none',
    clients: [
      client('urn:amazon:webservices', amazon, { saml_idp_initiated_sso_url_name: 'amazon-aws' }),
      ...(service ? [client(service.entityId, service.consumer, { saml_name_id_format: 'username' })] : []),
    ],
    requiredActions: actions.map(alias => ({ alias, name: alias, providerId: alias, enabled: true })),
    users: [
      user('alice'),
      user('olga', { devices: ['Phone'] }),
      user('otto', { devices: ['Phone', 'Tablet'] }),
      user('chen', { devices: ['Tablet'] }),
      user('uma', { action: 'UPDATE_PASSWORD' }),
      user('terry', { action: 'TERMS_AND_CONDITIONS' }),
      user('cora', { action: 'CONFIGURE_TOTP' }),
      user('pia', { action: 'UPDATE_PROFILE' }),
      { ...user('dora'), enabled: false },
    ],
  }
}

function client(clientId: string, consumer: string, more: Readonly<Record<string, string>>): object {
  const mapper = (
    name: string,
    protocolMapper: string,
    attribute: string,
    shown = `${attributes}/${name}`,
  ): object => ({
    name,
    protocol: 'saml',
    protocolMapper,
    config: {
      'user.attribute': attribute,
      'attribute.name': shown,
      'attribute.nameformat': 'URI Reference',
    },
  })
  return {
    clientId,
    protocol: 'saml',
    enabled: true,
    fullScopeAllowed: false,
    defaultClientScopes: [],
    redirectUris: [consumer],
    attributes: {
      saml_assertion_consumer_url_post: consumer,
      'saml.server.signature': 'true',
      'saml.assertion.signature': 'true',
      'saml.client.signature': 'false',
      'saml.authnstatement': 'true',
      ...more,
    },
    protocolMappers: [
      mapper('Role', 'saml-user-attribute-mapper', 'aws_role'),
      mapper('RoleSessionName', 'saml-user-property-mapper', 'username'),
      mapper('uid', 'saml-user-property-mapper', 'username', 'uid'),
    ],
  }
}

interface Particulars {
  readonly devices?: readonly (keyof typeof secrets)[]
  readonly action?: string
}

function user(username: string, { devices = [], action }: Particulars = {}): object {
  const totp = { subType: 'totp', period: 30, digits: 6, algorithm: 'HmacSHA1' }
  const otp = devices.map(device => ({
    type: 'otp',
    userLabel: device,
    secretData: JSON.stringify({ value: secrets[device] }),
    credentialData: JSON.stringify(totp),
  }))
  return {
    username,
    enabled: true,
    email: `${username}@example.org`,
    firstName: username,
    lastName: 'Example',
    credentials: [{ type: 'password', value: password }, ...otp],
    attributes: { aws_role: [`${role},${role.replace(/:role\/.*/, ':saml-provider/keycloak')}`] },
    requiredActions: action === undefined ? [] : [action],
  }
}
