import { describe, expect, test } from 'bun:test'
import { checkNames, parseValue, readConfig, resolveSettings } from '../src/config.ts'
import { findIdentity, identityFolder, namesIn, planOf } from '../src/identity.ts'
import { nearest } from '../src/names.ts'
import { camelCase, type Option } from '../src/option.ts'
import { coreOptions } from '../src/options.ts'
import { testSettings } from './context.ts'

const config = (value: unknown) => readConfig(value, 'config.yaml')
const settle = (sources: Parameters<typeof resolveSettings>[2]) => resolveSettings(coreOptions, {}, sources)

describe('resolveSettings', () => {
  test('defaults of the table; booleans are never undefined, lists never absent', () => {
    const settings = settle({})
    expect(settings.refreshInterval).toBe(2700)
    expect(settings.listen).toBe('169.254.169.254:80')
    expect(settings.quiet).toBe(false)
    expect(settings.allowFrom).toEqual([])
    expect(settings.role).toBeUndefined()
  })

  test('every option of the table arrives under its camelCase name', () => {
    expect(Object.keys(settle({})).sort()).toEqual([...Object.keys(coreOptions).map(camelCase), 'extra'].sort())
  })

  test('dash and underscore, older names, plugin settings, and null are understood', () => {
    const read = config({
      defaults: { session_duration: 900, allowed_cidr: '10.0.0.0/8', role: null, saml: { 'role-number': 2 } },
    })
    expect(settle({ config: read, plugins: ['saml'] })).toMatchObject({
      sessionDuration: 900,
      allowFrom: ['10.0.0.0/8'],
      role: undefined,
      roleNumber: 2,
    })
    expect(settle({ config: read }).roleNumber).toBeUndefined()
  })

  test('an act can only be said on the command line', () => {
    const sources = { config: config({ defaults: { daemon: true, list: true } }), env: { CLOUDTOKEN_DAEMON: 'true' } }
    expect(settle(sources)).toMatchObject({ daemon: false, list: false })
  })

  test('an empty variable is none; older names work as variables too', () => {
    expect(settle({ env: { CLOUDTOKEN_LISTEN: '', CLOUDTOKEN_ALLOWED_CIDR: '::1' } })).toMatchObject({
      listen: '169.254.169.254:80',
      allowFrom: ['::1'],
    })
  })

  test('what a secret option holds is not in the message', () => {
    const secret: Option = { type: 'integer', secret: true, summary: '' }
    expect(() => parseValue(secret, 'hunter2', 'x')).toThrow(/^x: the value is not a whole number$/)
  })
})

describe('adfs_url and okta_url of the original', () => {
  test('are the url of that plugin', () => {
    const read = config({ adfs_url: 'https://adfs.example/', plugins: { auth: ['adfs', 'saml'] } })
    expect(settle({ config: read, plugins: ['adfs'] }).url).toBe('https://adfs.example/')
  })
})

describe('planOf', () => {
  const plan = (value: unknown, settings = {}) => planOf(config(value), testSettings(settings))
  test('--provider, the stages, and the shape of the URL', () => {
    expect(plan({ plugins: { auth: ['form', 'saml'] } }, { provider: 'simplesamlphp' })).toMatchObject({
      auth: ['form'],
      provider: 'simplesamlphp',
    })
    expect(plan({ plugins: { auth: ['idp', 'saml'] } }, { url: 'https://x/simplesaml/' })).toMatchObject({
      auth: [],
      guess: 'simplesamlphp',
    })
    expect(plan({}, { url: 'https://x/login' })).toMatchObject({ provider: undefined, guess: 'form' })
    expect(plan({}, { url: 'https://x/adfs/ls/IdpInitiatedSignOn.aspx' }).guess).toBe('adfs')
    expect(plan({}, { url: 'https://x/idp/startSSO.ping?PartnerSpId=urn:amazon:webservices' }).guess).toBe(
      'pingfederate',
    )
    for (const path of [
      'idpssoinit?metaAlias=/alpha/idp',
      'saml2/jsp/idpSSOInit.jsp?metaAlias=/idp',
      'XUI/?realm=/alpha',
    ]) {
      expect(plan({}, { url: `https://x/am/${path}` }).guess).toBe('forgerock')
    }
    expect(plan({}, { url: 'https://auth.pingone.com.au/082dba86' }).guess).toBe('pingone')
    expect(plan({}, { url: 'https://x/saml20/idp/startsso' }).guess).toBe('pingone')
    expect(plan({}, { url: 'https://x/saml/idp/res?id=/Common/AWS' }).guess).toBe('f5')
    expect(plan({}, { url: 'https://x/nidp/saml2/idpsend?PID=1' }).guess).toBe('netiq')
    expect(plan({}, { url: 'https://accounts.google.com/o/saml2/initsso?idpid=1&spid=2' }).guess).toBe('google')
    expect(plan({}, { url: 'https://x/sso/idp/profile/SAML2/SOAP/ECP' }).guess).toBe('shibboleth')
    expect(plan({}, { url: 'https://x/login', samlResponse: '-' }).provider).toBe('saml-response')
    expect(plan({})).toMatchObject({ preAuth: [], auth: [], provider: undefined, guess: undefined })
  })
  test('what auth names after the role step is given the credentials first', () => {
    const stages = { pre_auth: ['version_check', 'vpn'], auth: ['one', 'form', 'saml', 'two'], post_auth: ['three'] }
    const whole = plan({ plugins: stages })
    expect(whole).toMatchObject({ preAuth: ['vpn'], auth: ['one', 'form'], exporters: ['two', 'three'] })
    expect(namesIn(whole)).toEqual(['vpn', 'one', 'form', 'two', 'three'])
  })
  test('exporters: all three when nothing is said, none when the stage is empty', () => {
    expect(plan({}, { url: 'https://x' }).exporters).toHaveLength(3)
    expect(plan({ plugins: { post_auth: null } }, { url: 'https://x' }).exporters).toEqual([])
  })
})

test('findIdentity: default, the only one, none', () => {
  expect(findIdentity(config({ identities: { default: { url: 'a' }, b: null } }), undefined).name).toBe('default')
  expect(findIdentity(config({ identities: { b: { user_name: 1 } } }), undefined).values).toEqual({ 'user-name': 1 })
  expect(findIdentity(config({}), undefined).name).toBeUndefined()
  expect(() => findIdentity(config({}), 'work')).toThrow('no identity "work"')
})

test('identityFolder is safe as a name, and differs by URL and user', () => {
  const folder = (url: string, user: string) => identityFolder('form', testSettings({ url }), user)
  expect(folder('https://idp.example/../x?a=/', '../../etc/passwd')).toMatch(/^[\w@.-]{1,100}$/)
  expect(new Set([folder('https://a/1', 'u'), folder('https://a/2', 'u'), folder('https://a/1', 'v')]).size).toBe(3)
})

test('checkNames names the place', () => {
  expect(() => checkNames(config({ identities: { work: { urll: 1 } } }), coreOptions)).toThrow(
    'unknown option identities.work.urll',
  )
  expect(() => checkNames(config({ defaults: { 'mfa-method': 'push' } }), coreOptions)).not.toThrow()
})

test('nearest', () => {
  expect(nearest('sesion-duration', ['session-duration', 'region'])).toBe('session-duration')
  expect(nearest('entirely-different', ['session-duration', 'region'])).toBeUndefined()
  expect(nearest('foo', ['f5'])).toBeUndefined()
})
