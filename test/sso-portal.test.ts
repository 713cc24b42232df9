/** Which IAM Identity Center, and where its services are. */
import { describe, expect, test } from 'bun:test'
import type { Settings } from '../src/options.ts'
import { findPortal } from '../src/sso-portal.ts'
import { testSettings } from './context.ts'

const url = 'https://d-1234567890.awsapps.com/start'
const shared = `[profile work]
sso_session = corp
[sso-session corp]
sso_start_url = ${url}
sso_region = eu-west-1
[sso-session "two words"]
sso_start_url = https://other.awsapps.com/start
sso_region = us-east-1
`
const find = (settings: Partial<Settings>, text = '', env: Record<string, string> = {}) =>
  findPortal(testSettings(settings), text, env)

test.each([
  ['us-east-1', 'amazonaws.com', 'aws'],
  ['us-gov-west-1', 'amazonaws.com', 'aws-us-gov'],
  ['cn-north-1', 'amazonaws.com.cn', 'aws-cn'],
  ['us-iso-east-1', 'c2s.ic.gov', 'aws-iso'],
  ['us-isob-east-1', 'sc2s.sgov.gov', 'aws-iso-b'],
  ['eusc-de-east-1', 'amazonaws.eu', 'aws-eusc'],
])('%s', (ssoRegion, suffix, partition) => {
  const portal = find({ url, ssoRegion })
  expect([portal.oidcUrl, portal.accessUrl, portal.partition.name]).toEqual([
    `https://oidc.${ssoRegion}.${suffix}`,
    `https://portal.sso.${ssoRegion}.${suffix}`,
    partition,
  ])
})

test('other addresses, as the SDKs are told', () => {
  const all = { AWS_ENDPOINT_URL: 'https://all.example/' }
  const own = { ...all, AWS_ENDPOINT_URL_SSO: 'https://portal.example/x/' }
  const at = (env: Record<string, string>): string[] => {
    const { oidcUrl, accessUrl } = find({ url, ssoRegion: 'eu-west-1' }, '', env)
    return [oidcUrl, accessUrl]
  }
  expect(at(all)).toEqual(['https://all.example', 'https://all.example'])
  expect(at(own)).toEqual(['https://all.example', 'https://portal.example/x'])
  expect(at({ ...own, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' })[0]).toBe('https://oidc.eu-west-1.amazonaws.com')
})

describe('from ~/.aws/config', () => {
  test.each([
    [{ ssoSession: 'corp' }, ['corp', url, 'eu-west-1']],
    [{ ssoSession: 'two words' }, ['two words', 'https://other.awsapps.com/start', 'us-east-1']],
    [{ url }, ['corp', url, 'eu-west-1']],
    [{ ssoRegion: 'us-east-1' }, ['two words', 'https://other.awsapps.com/start', 'us-east-1']],
    [{ url: `${url}/#/` }, ['corp', url, 'eu-west-1']],
    // Another region than the session's is another portal.
    [{ url, ssoRegion: 'us-east-1' }, [undefined, url, 'us-east-1']],
    [
      { url: 'https://ssoins-1.portal.eu-north-1.app.aws/' },
      [undefined, 'https://ssoins-1.portal.eu-north-1.app.aws/', 'eu-north-1'],
    ],
  ])('%p', (settings, found) => {
    const { session, startUrl, region } = find(settings, shared)
    expect([session, startUrl, region]).toEqual(found as string[])
  })

  test('without a session: as it was given, but for the page in it', () => {
    expect(find({ url: `${url}/#/`, ssoRegion: 'eu-west-1' }).startUrl).toBe(`${url}/`)
  })

  test('what is missing is named', () => {
    expect(() => find({})).toThrow('needs its start URL')
    expect(() => find({}, shared)).toThrow('needs its start URL')
    expect(() => find({ url })).toThrow('the region of https://d-1234567890.awsapps.com/start is not known')
    expect(() => find({ url: 'd-1234567890', ssoRegion: 'eu-west-1' })).toThrow('is no start URL')
    expect(() => find({ url, ssoRegion: 'europe' })).toThrow('is not an AWS region')
    expect(() => find({ ssoSession: 'crop' }, shared)).toThrow('has no [sso-session crop]')
  })
})
