import { describe, expect, test } from 'bun:test'
import { bytesOf } from '../src/aws-files.ts'
import { isFailure } from '../src/errors.ts'
import { readSection } from '../src/ini.ts'
import { nameProfiles, placeProfiles, removeProfiles, type Profile } from '../src/profiles.ts'

const role = (name: string, account = '123456789012', provider = 'corp') => ({
  roleArn: `arn:aws:iam::${account}:role/${name}`,
  providerArn: `arn:aws:iam::${account}:saml-provider/${provider}`,
})

const none = new Map<string, string>()
const namesOf = (profiles: readonly Profile[]): string[] => profiles.map(({ name }) => name)

describe('names', () => {
  test('every field, and what a profile cannot be called', () => {
    const names = new Map([['123456789012', 'prod (eu) é']])
    const template = '{partition}:{account}:{name}:{role}:{path}'
    expect(namesOf(nameProfiles([role('team/ops/Admin')], template, names))).toEqual([
      'aws:123456789012:prod-eu-:Admin:team-ops-Admin',
    ])
    expect(namesOf(nameProfiles([role('A')], '{name}-{role}', none))).toEqual(['123456789012-A'])
  })

  test('a role that comes with two providers counts once; one that SAML cannot assume not at all', () => {
    const roles = [role('A'), role('A', '123456789012', 'other'), role('AWSReservedSSO_x'), role('B')]
    const profiles = nameProfiles(roles, '{role}', none)
    expect(namesOf(profiles)).toEqual(['A', 'B'])
    expect(profiles[0]?.role.providerArn).toEndWith('/corp')
  })

  test.each([
    ['{rôle}', 'has no field {rôle}'],
    ['{constructor}', 'has no field'],
    ['{account}', 'would both be the profile "123456789012"'],
  ])('the template %s is refused', (template, message) => {
    let error: unknown
    try {
      nameProfiles([role('A'), role('B')], template, none)
    } catch (thrown) {
      error = thrown
    }
    expect(isFailure(error) && [error.kind, error.message]).toEqual(['usage', expect.stringContaining(message)])
  })
})

describe('~/.aws/config', () => {
  const foreign = '# mine\r\n[profile B]\nregion=us-west-2\n\n[default]\n  s3 =\n    max = 1\nlast = x'
  const profiles = nameProfiles([role('A'), role('B'), role('C')], '{role}', none)
  const commandOf = ({ role: { roleArn } }: Profile): string =>
    `/opt/jürgen/cloudtoken credential-process --role ${roleArn}`

  test('own sections are added; somebody else keeps theirs, byte for byte', () => {
    const placed = placeProfiles(foreign, profiles, commandOf, 'eu-west-1')
    expect([placed.written, placed.foreign]).toEqual([['A', 'C'], ['B']])
    expect(placed.text).toStartWith(foreign)
    expect(Object.fromEntries(readSection(placed.text, 'profile A') ?? [])).toEqual({
      credential_process: bytesOf(`/opt/jürgen/cloudtoken credential-process --role ${role('A').roleArn}`),
      region: 'eu-west-1',
      cloudtoken: 'true',
    })
  })

  test('again changes nothing; another command changes ours alone; what people added stays', () => {
    const once = placeProfiles(foreign, profiles, commandOf, undefined).text
    expect(placeProfiles(once, profiles, commandOf, undefined).text).toBe(once)
    const edited = once.replace('[profile C]\n', '[profile C]\noutput = json\n')
    const other = placeProfiles(edited, profiles, () => 'other', undefined).text
    expect(Object.fromEntries(readSection(other, 'profile C') ?? [])).toEqual({
      output: 'json',
      credential_process: 'other',
      cloudtoken: 'true',
    })
    expect(other).toStartWith(foreign)
  })

  test('removing takes ours and leaves the text as it was', () => {
    expect(removeProfiles(placeProfiles(`${foreign}\n`, profiles, commandOf, 'eu-west-1').text)).toBe(`${foreign}\n`)
    expect(removeProfiles('[default]\ncloudtoken = true\nregion = x\n')).toContain('[default]')
  })

  test('default has no prefix', () => {
    const [profile] = nameProfiles([role('A')], 'default', none)
    expect(placeProfiles('', profile ? [profile] : [], () => 'x', undefined).text).toStartWith('[default]\n')
  })
})
