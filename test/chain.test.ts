import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { followChain, planChain, sessionNameFrom, type Aliases } from '../src/chain.ts'
import { createHttp } from '../src/http.ts'
import { createLog } from '../src/log.ts'
import type { Settings } from '../src/options.ts'
import type { Credentials } from '../src/types.ts'
import { testSettings } from './context.ts'
import { failureOf } from './failure.ts'
import { assumed, startFakeSts, stsError, type FakeSts } from './fake-sts.ts'

const now = Date.parse('2026-03-01T10:00:00Z')
const first: Credentials = {
  accessKeyId: 'ASIAFIRST',
  secretAccessKey: 'first secret',
  sessionToken: 'first token',
  expiration: new Date('2026-03-01T18:00:00Z'),
  issued: new Date(now),
  roleArn: 'arn:aws-cn:iam::123456789012:role/Base',
  accountId: '123456789012',
  samlProvider: 'arn:aws-cn:iam::123456789012:saml-provider/corp',
  issuer: 'https://idp.example.com',
  assumedRoleArn: 'arn:aws-cn:sts::123456789012:assumed-role/Base/ada@example.com',
}
const one = 'arn:aws-cn:iam::111111111111:role/One'
const two = 'arn:aws-cn:iam::222222222222:role/team/Two'
const reply = { ...assumed({ action: 'AssumeRole' }) }
const next = { ...reply, body: reply.body.replace(/<Issuer>.*<\/SubjectType>/, '') }

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-chain-'))
afterAll(() => rmSync(folder, { recursive: true }))
let sts: FakeSts
beforeEach(async () => {
  sts = await startFakeSts()
})
afterEach(() => sts.stop())

const plan = (settings: Partial<Settings>, aliases: Aliases = {}) => planChain(testSettings(settings), aliases)

function follow(settings: Partial<Settings>, aliases: Aliases = {}): Promise<Credentials> {
  return followChain(first, {
    chain: plan(settings, aliases),
    username: 'ada',
    env: sts.env,
    http: createHttp(),
    now: () => now,
    log: createLog({ stderr: () => {} }),
  })
}

describe('following', () => {
  test('T12 one role: signed by the session before, under its name, for one hour at most', async () => {
    sts.queue('AssumeRole', next)
    const credentials = await follow({ chain: [one], switchRoleSessionDuration: 43_200 })
    expect(sts.requests[0]?.parameters).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: one,
      RoleSessionName: 'ada@example.com',
      DurationSeconds: '3600',
    })
    expect(sts.requests[0]?.headers['authorization']).toContain('Credential=ASIAFIRST/')
    expect(sts.requests[0]?.headers['x-amz-security-token']).toBe('first token')
    expect(credentials).toEqual({
      accessKeyId: 'ASIAFAKEFAKEFAKEFAKE',
      secretAccessKey: 'fake/secret+key',
      sessionToken: 'fake-session-token==',
      expiration: new Date('2026-03-01T11:00:00Z'),
      issued: new Date(now),
      roleArn: one,
      accountId: '111111111111',
      samlProvider: 'arn:aws-cn:iam::123456789012:saml-provider/corp',
      issuer: 'https://idp.example.com',
      assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/Admin/ada@example.com',
    })
  })

  test('several: each signed by the one before; external id, tags and policy for the last, source identity for the first', async () => {
    const file = join(folder, 'policy.json')
    writeFileSync(file, '{ "Version": "2012-10-17",\n  "Statement": [] }\n')
    const managed = 'arn:aws-cn:iam::aws:policy/ReadOnlyAccess'
    sts.queue('AssumeRole', next, next)
    const credentials = await follow({
      chain: [one, two],
      roleSessionName: 'release',
      switchRoleSessionDuration: 900,
      externalId: 'ext-1',
      sourceIdentity: 'ada',
      sessionTag: ['team=blue', 'empty='],
      sessionPolicy: [file, managed],
    })
    expect(credentials.roleArn).toBe(two)
    const [hop, last] = sts.requests
    expect(hop?.parameters).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: one,
      RoleSessionName: 'release',
      DurationSeconds: '900',
      SourceIdentity: 'ada',
    })
    expect(last?.headers['authorization']).toContain('Credential=ASIAFAKEFAKEFAKEFAKE/')
    expect(last?.parameters).toMatchObject({
      RoleArn: two,
      RoleSessionName: 'release',
      ExternalId: 'ext-1',
      'Tags.member.1.Key': 'team',
      'Tags.member.1.Value': 'blue',
      'Tags.member.2.Key': 'empty',
      'Tags.member.2.Value': '',
      Policy: '{"Version":"2012-10-17","Statement":[]}',
      'PolicyArns.member.1.arn': managed,
    })
    expect(last?.parameters).not.toHaveProperty('SourceIdentity')
  })

  test('the older options: ARN, alias, account and name in the partition of the session before', async () => {
    sts.queue('AssumeRole', next, next, next)
    await follow({ assumeRole: true, destRoleArn: one })
    await follow({ destRoleAlias: 'audit' }, { audit: two })
    await follow({ destAccount: '333333333333', destRoleName: 'team/Three' })
    expect(sts.requests.map(({ parameters }) => parameters['RoleArn'])).toEqual([
      one,
      two,
      'arn:aws-cn:iam::333333333333:role/team/Three',
    ])
  })

  test('no role: the credentials stay as they are, and nobody is asked', async () => {
    expect(await follow({})).toBe(first)
  })

  test.each([
    ['AccessDenied', 403, 'not authorized', 'assumed-role/Base/ada@example.com may not assume', 'trust policy'],
    ['ExpiredToken', 403, 'expired', 'have expired', 'cloudtoken'],
    ['MalformedPolicyDocument', 400, 'syntax', 'session policy', '--session-policy'],
    ['PackedPolicyTooLarge', 400, '120 percent', 'too large', '--session-tag'],
    ['ValidationError', 400, "1 validation error: 'externalId'", 'does not accept', '--external-id'],
    ['ValidationError', 400, 'DurationSeconds is below 900', 'does not accept', 'one hour'],
    ['RegionDisabledException', 403, 'off', 'not enabled in the region', '--region'],
  ])('%s (%d) in plain words', async (code, status, said, message, hint) => {
    sts.queue('AssumeRole', stsError(code, said, status))
    const error = await failureOf(() => follow({ chain: [one] }))
    expect([error.kind, error.code]).toEqual(['sts', code])
    expect(error.message).toContain(message)
    expect(error.hint).toContain(hint)
  })
})

describe('planning', () => {
  test('a scope without a chain narrows the sign-in itself', () => {
    const arn = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
    expect(plan({ sessionPolicy: [arn] })).toMatchObject({ hops: [], scope: { policyArns: [arn] } })
    expect(plan({ sessionPolicy: [arn], chain: [one] })).toMatchObject({
      hops: [{ scope: { policyArns: [arn] } }],
      scope: {},
    })
  })

  test.each<[string, Partial<Settings>, string]>([
    ['no ARN, no alias', { chain: ['prod'] }, 'neither the ARN of a role nor one of the aliases'],
    ['the ARN of something else', { chain: ['arn:aws:iam::1:user/x'] }, 'no ARN of a role'],
    ['an alias that is no role', { chain: ['odd'] }, 'does not stand for the ARN of a role'],
    ['an alias of nothing', { destRoleAlias: 'constructor' }, 'neither the ARN'],
    ['an act without a role', { assumeRole: true }, 'does not say which role'],
    ['two ways', { destRoleArn: one, destRoleAlias: 'audit' }, 'in several ways'],
    ['no account', { destRoleName: 'X' }, 'but not its account'],
    ['no name', { destAccount: '123456789012' }, 'but not its role name'],
    ['an account that is none', { destAccount: '12', destRoleName: 'X' }, 'twelve digits'],
    ['a name that is none', { destAccount: '123456789012', destRoleName: 'X Y' }, 'no name of a role'],
    ['external id without a chain', { externalId: 'x1' }, '--external-id is for'],
    ['tags without a chain', { sessionTag: ['a=b'] }, '--session-tag is for'],
    ['source identity without a chain', { sourceIdentity: 'ada' }, '--source-identity is for'],
    ['a tag without a value', { chain: [one], sessionTag: ['a'] }, 'is not KEY=VALUE'],
    ['a session name with a blank', { roleSessionName: 'a b' }, '--role-session-name'],
    ['a policy file that is not there', { sessionPolicy: ['/absent'] }, 'there is no file'],
    ['two policy files', { sessionPolicy: ['/absent', '/other'] }, 'one policy document'],
  ])('%s is refused before anybody signs in', async (_, settings, message) => {
    const error = await failureOf(() => plan(settings, { audit: two, odd: 'x' }))
    expect(['usage', 'config']).toContain(error.kind)
    expect(error.message).toContain(message)
  })

  test('a policy file that is no JSON, or too long', async () => {
    const file = join(folder, 'bad.json')
    writeFileSync(file, '{ nope')
    expect((await failureOf(() => plan({ sessionPolicy: [file] }))).message).toContain('is no JSON')
    writeFileSync(file, JSON.stringify({ x: 'y'.repeat(2048) }))
    expect((await failureOf(() => plan({ sessionPolicy: [file] }))).message).toContain('STS takes 2048')
  })

  test('a session is called by letters that STS takes', () => {
    expect(['ada lovelace', 'x', '', 'é'.repeat(80)].map(sessionNameFrom)).toEqual(['ada-lovelace', 'x-', '--', '--'])
    expect(sessionNameFrom('a'.repeat(80))).toHaveLength(64)
  })
})
