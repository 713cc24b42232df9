import { describe, expect, test } from 'bun:test'
import {
  accountOf,
  isAwsSignIn,
  isRoleArn,
  isUserArn,
  isSamlProviderArn,
  parseArn,
  partitionOf,
  partitions,
  providerName,
  regionFor,
  roleName,
  roleOfSession,
  rolePath,
  signInOrigin,
  stsEndpoint,
} from '../src/arn.ts'

function partition(name: string) {
  const found = partitionOf(`arn:${name}:iam::123456789012:role/x`)
  if (!found) throw new Error(`no partition ${name}`)
  return found
}

describe('parseArn', () => {
  test('splits a role', () => {
    expect(parseArn('arn:aws:iam::123456789012:role/team/Admin')).toEqual({
      partition: 'aws',
      service: 'iam',
      region: '',
      account: '123456789012',
      resource: 'role/team/Admin',
    })
  })

  test('keeps colons in the resource', () => {
    expect(parseArn('arn:aws:logs:eu-west-1:1:log-group:a:b')?.resource).toBe('log-group:a:b')
  })

  test.each(['', 'arn', 'arn:aws:iam::1', 'arn:aws:iam::1:', 'ARN:aws:iam::1:role/x', ' arn:aws:iam::1:role/x'])(
    'refuses %j',
    text => expect(parseArn(text)).toBeUndefined(),
  )

  test.each(['role/a b', 'role/a\nb', 'role/a\x1b[31m', 'role/ä', 'role/\u202eb'])(
    'refuses %j: it would be shown',
    resource => expect(parseArn(`arn:aws:iam::1:${resource}`)).toBeUndefined(),
  )
})

describe('roles and providers', () => {
  test('R07 the region may be filled in', () => {
    expect(isRoleArn('arn:aws-us-gov:iam:us-gov-west-1:123456789012:role/Ops')).toBe(true)
  })

  test('R08 paths, and every character that IAM allows', () => {
    const arn = 'arn:aws:iam::123456789012:role/division/team/a+=,.@_-b'
    expect(roleName(arn)).toBe('a+=,.@_-b')
    expect(rolePath(arn)).toBe('division/team/a+=,.@_-b')
  })

  test('R11 account ids of any length stay text', () => {
    expect(accountOf('arn:aws:iam::000123456:role/x')).toBe('000123456')
  })

  test.each([
    'arn:aws:iam::1:role/',
    'arn:aws:iam::1:role/a/',
    'arn:aws:s3::1:role/a',
    'arn:aws:sts::1:assumed-role/a/b',
  ])('%s is no role', arn => {
    expect(isRoleArn(arn)).toBe(false)
    expect(roleName(arn)).toBe('')
  })

  test('a user has a name, too, and is no role', () => {
    for (const [arn, name] of [
      ['arn:aws:iam::1:user/eng/ada', 'ada'],
      ['arn:aws:iam::1:root', 'root'],
    ] as const) {
      expect([isUserArn(arn), isRoleArn(arn), roleName(arn)]).toEqual([true, false, name])
    }
    expect(isUserArn('arn:aws:sts::1:assumed-role/a/b')).toBe(false)
    expect(roleOfSession('arn:aws-cn:sts::1:assumed-role/a/b@c')).toBe('arn:aws-cn:iam::1:role/a')
  })

  test('a provider has no comma in its name', () => {
    expect(isSamlProviderArn('arn:aws:iam::1:saml-provider/corp')).toBe(true)
    expect(isSamlProviderArn('arn:aws:iam::1:saml-provider/corp,word')).toBe(false)
    expect(providerName('arn:aws:iam::1:saml-provider/corp')).toBe('corp')
  })
})

describe('partitions', () => {
  test.each([
    ['aws', undefined, 'https://sts.us-east-1.amazonaws.com'],
    ['aws', 'eu-central-2', 'https://sts.eu-central-2.amazonaws.com'],
    ['aws-us-gov', undefined, 'https://sts.us-gov-west-1.amazonaws.com'],
    ['aws-us-gov', 'us-gov-east-1', 'https://sts.us-gov-east-1.amazonaws.com'],
    ['aws-cn', undefined, 'https://sts.cn-north-1.amazonaws.com.cn'],
    ['aws-cn', 'cn-northwest-1', 'https://sts.cn-northwest-1.amazonaws.com.cn'],
    ['aws-eusc', undefined, 'https://sts.eusc-de-east-1.amazonaws.eu'],
    ['aws-iso', undefined, 'https://sts.us-iso-east-1.c2s.ic.gov'],
    ['aws-iso-b', undefined, 'https://sts.us-isob-east-1.sc2s.sgov.gov'],
    ['aws-iso-e', undefined, 'https://sts.eu-isoe-west-1.cloud.adc-e.uk'],
    ['aws-iso-f', undefined, 'https://sts.us-isof-south-1.csp.hci.ic.gov'],
  ])('STS of %s in %s', (name, region, endpoint) => {
    expect(stsEndpoint(partition(name), region)).toBe(endpoint)
  })

  test('each default region belongs to its partition and to no other', () => {
    for (const { defaultRegion, name } of partitions) {
      const owners = partitions.filter(({ regions }) => regions.test(defaultRegion)).map(each => each.name)
      expect(owners).toEqual([name])
    }
  })

  test('a region of another partition is passed over, a word that is no region is refused', () => {
    expect(regionFor(partition('aws-cn'), 'eu-west-1')).toBe('cn-north-1')
    expect(regionFor(partition('aws'), 'cn-north-1')).toBe('us-east-1')
    expect(() => regionFor(partition('aws'), 'evil.example/#')).toThrow('is not an AWS region')
    expect(() => regionFor(partition('aws'), 'us-east-1\n')).toThrow('is not an AWS region')
  })

  test('an unknown partition is unknown', () => {
    expect(partitionOf('arn:aws-moon:iam::1:role/x')).toBeUndefined()
    expect(partitionOf('arn:constructor:iam::1:role/x')).toBeUndefined()
  })

  test('sign-in hosts', () => {
    expect(signInOrigin(partition('aws'))).toBe('https://signin.aws.amazon.com')
    expect(signInOrigin(partition('aws-eusc'))).toBe('https://eusc-de-east-1.signin.amazonaws-eusc.eu')
    expect(partition('aws-iso').consoleHost).toBeUndefined()
  })
})

describe('isAwsSignIn', () => {
  test.each([
    'https://signin.aws.amazon.com/saml',
    'https://signin.aws.amazon.com:443/saml',
    'https://SIGNIN.aws.amazon.com/saml?x=1',
    'https://eu-central-1.signin.aws.amazon.com/saml',
    'https://signin.aws.amazon.com/saml/acs/SAMLSPABC',
    'https://signin.amazonaws-us-gov.com/saml',
    'https://us-gov-west-1.signin-fips.amazonaws-us-gov.com/saml',
    'https://signin.amazonaws.cn/saml',
    'https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml',
    'https://us-iso-east-1.signin.c2shome.ic.gov/saml',
  ])('%s', url => expect(isAwsSignIn(url)).toBe(true))

  test.each([
    '',
    '/saml',
    'http://signin.aws.amazon.com/saml',
    'https://signin.aws.amazon.com:8443/saml',
    'https://signin.aws.amazon.com/console',
    'https://signin.aws.amazon.com.evil.example/saml',
    'https://evilsignin.aws.amazon.com/saml',
    'https://signin.aws.amazon.com@evil.example/saml',
    'https://evil.example/saml?signin.aws.amazon.com/saml',
    'https://evil.example/https://signin.aws.amazon.com/saml',
    'javascript://signin.aws.amazon.com/saml',
  ])('not %s', url => expect(isAwsSignIn(url)).toBe(false))
})
