import { describe, expect, test } from 'bun:test'
import { readAssertion } from '../src/assertion.ts'
import {
  chooseRole,
  filterRoles,
  isReservedRole,
  offeredRoles,
  roleLines,
  sortRoles,
  type Wanted,
} from '../src/roles.ts'
import type { Role } from '../src/types.ts'
import { failureIn } from './failure.ts'
import { providerArn, roleArn, roleValue, samlResponse, type SamlOptions } from './saml.ts'

const role = (name: string, account?: string, provider?: string): Role => ({
  roleArn: roleArn(name, account),
  providerArn: providerArn(provider, account),
})
const offered = (options: SamlOptions, wanted?: Wanted) => offeredRoles(readAssertion(samlResponse(options)), wanted)

describe('the list', () => {
  test('is sorted by ARN, as people know the numbers', () => {
    const roles = [role('User'), role('Read'), role('Z', '000000000001'), role('Sysadmin')]
    expect(sortRoles(roles).map(({ roleArn: arn }) => arn)).toEqual([
      roleArn('Z', '000000000001'),
      roleArn('Read'),
      roleArn('Sysadmin'),
      roleArn('User'),
    ])
  })

  test('R09 the same twice is one; with two providers it is two, in a fixed order', () => {
    const [b, a] = [role('X', undefined, 'b'), role('X', undefined, 'a')]
    expect(sortRoles([b, a, b])).toEqual([a, b])
    expect(sortRoles([a, b, a])).toEqual([a, b])
  })

  test('is printed as ever', () => {
    expect(roleLines([role('Read-Only-Role'), role('Sysadmin-Role')])).toEqual([
      '    1. arn:aws:iam::123456789012:role/Read-Only-Role',
      '    2. arn:aws:iam::123456789012:role/Sysadmin-Role',
    ])
  })

  test('R09 R21 and says what tells roles apart', () => {
    const roles = [role('AWSReservedSSO_Ops_1', '1'), role('X', '2', 'a'), role('X', '2', 'b'), role('Y', '3')]
    expect(
      roleLines(
        roles,
        new Map([
          ['2', 'prod'],
          ['3', 'test'],
        ]),
      ),
    ).toEqual([
      '    1. arn:aws:iam::1:role/AWSReservedSSO_Ops_1 (cannot be assumed with SAML)',
      '    2. arn:aws:iam::2:role/X (prod, through a)',
      '    3. arn:aws:iam::2:role/X (prod, through b)',
      '    4. arn:aws:iam::3:role/Y (test)',
    ])
    expect(isReservedRole(roleArn('aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Ops_1'))).toBe(true)
    expect(isReservedRole(roleArn('AWSReservedSSO_Ops_1/Mine'))).toBe(false)
  })

  test('R10 600 roles in 200 accounts keep their order and can be filtered', () => {
    const roles = Array.from({ length: 600 }, (_, index) =>
      role(`R${index % 3}`, String(100_000_000_000 + (index % 200))),
    )
    const sorted = sortRoles(roles)
    expect(sorted).toHaveLength(600)
    expect(sortRoles(roles.toReversed())).toEqual(sorted)
    expect(filterRoles(sorted, 'r1$')).toHaveLength(200)
  })
})

describe('offeredRoles', () => {
  test('R04 S24 says why there are none', () => {
    const missing = failureIn(() => offered({ withoutRoles: true }))
    const empty = failureIn(() => offered({ roles: [] }))
    const bad = failureIn(() => offered({ roles: ['oops,ohno'] }))
    expect([missing.code, empty.code, bad.code]).toEqual(['roles-missing', 'roles-empty', 'roles-malformed'])
    expect([missing, empty, bad].every(({ kind }) => kind === 'role')).toBe(true)
    expect(missing.message).toContain('it has no attribute https://aws.amazon.com/SAML/Attributes/Role')
    expect(empty.message).toContain('its role attribute is empty')
    expect(bad.message).toContain('oops,ohno')
  })

  const sealed = { body: '<saml:EncryptedAssertion xmlns:saml="s"/>' }

  test('R15 an encrypted assertion is explained', () => {
    for (const wanted of [{}, { role: 'Admin' }, { last: { roleArn: roleArn('Admin') } }]) {
      const error = failureIn(() => offered(sealed, wanted))
      expect([error.kind, error.code]).toEqual(['role', 'roles-encrypted'])
      expect(error.hint).toContain('ROLE_ARN,PROVIDER_ARN')
    }
  })

  test('R15 unless role and provider are both known', () => {
    for (const wanted of [{ role: roleValue('Admin') }, { last: role('Admin'), role: 'Other' }]) {
      const roles = offered(sealed, wanted)
      expect(chooseRole(roles, wanted)).toEqual({ role: role('Admin'), auto: false })
    }
  })
})

describe('filterRoles', () => {
  const roles = [role('User'), role('User-Admin'), role('Training', '999999999999')]

  test.each([
    ['user', 2],
    ['USER$', 1],
    ['^arn', 3],
    ['::999', 1],
    ['(?i)training', 1],
    ['role/User-Admin|Training', 2],
    ['nothing', 0],
  ])('%s finds %d', (pattern, count) => expect(filterRoles(roles, pattern)).toHaveLength(count))

  test('a pattern that is none is a usage error', () => {
    const error = failureIn(() => filterRoles(roles, '(unclosed'))
    expect(error.kind).toBe('usage')
    expect(error.message).toStartWith('--filter is not a regular expression: ')
  })

  test('the provider is not searched', () => expect(filterRoles(roles, 'saml-provider')).toEqual([]))
})

describe('chooseRole', () => {
  const roles = sortRoles([
    role('Read'),
    role('Sysadmin'),
    role('User'),
    role('User-Admin'),
    role('team/ops/User', '999'),
  ])

  test('R22 a single role is taken by itself', () => {
    expect(chooseRole([role('A')], {})).toEqual({ role: role('A'), auto: true })
    expect(chooseRole(roles, { filter: 'sysadmin' })).toEqual({ role: role('Sysadmin'), auto: true })
  })

  test('several make a menu, filtered', () => {
    expect(chooseRole(roles, {})).toEqual({ menu: roles })
    expect(
      chooseRole(roles, { filter: '::999|Read', role: undefined, roleNumber: undefined, last: undefined }),
    ).toEqual({
      menu: [role('Read'), role('team/ops/User', '999')],
    })
  })

  test('a number counts in the filtered list', () => {
    expect(chooseRole(roles, { roleNumber: 2 })).toEqual({ role: role('Sysadmin'), auto: false })
    expect(chooseRole(roles, { roleNumber: 2, filter: 'User' })).toEqual({ role: role('User-Admin'), auto: false })
  })

  test.each([0, -1, 6, 1.5, Number.NaN])('%p is no number of a role', roleNumber => {
    const error = failureIn(() => chooseRole(roles, { roleNumber }))
    expect([error.kind, error.code]).toEqual(['role', 'role-number'])
    expect(error.message).toBe(`invalid role number provided: ${roleNumber}`)
    expect(error.hint).toContain('5')
  })

  test('nothing after the filter', () => {
    const error = failureIn(() => chooseRole(roles, { filter: 'xyz' }))
    expect([error.kind, error.code]).toEqual(['role', 'roles-filtered'])
    expect(error.message).toBe('none of the 5 roles matches the filter "xyz"')
  })

  test.each([
    ['name', 'Sysadmin', role('Sysadmin')],
    ['ARN', roleArn('User'), role('User')],
    ['path and name', 'team/ops/User', role('team/ops/User', '999')],
    ['ARN with a path', roleArn('team/ops/User', '999'), role('team/ops/User', '999')],
    ['role and provider', roleValue('User'), role('User')],
    ['provider and role', `${providerArn()},${roleArn('User')}`, role('User')],
  ])('--role by %s', (_, wish, expected) => {
    expect(chooseRole(roles, { role: wish })).toEqual({ role: expected, auto: false })
  })

  test('--role is exact: User is not User-Admin, and a pattern is none', () => {
    expect(chooseRole(sortRoles([role('User'), role('User-Admin')]), { role: 'User' }).role).toEqual(role('User'))
    for (const wish of ['sysadmin', 'Sys.*', 'ops/User', '', ' Read'].filter(Boolean)) {
      expect(failureIn(() => chooseRole(roles, { role: wish })).code).toBe('role-unknown')
    }
  })

  test('--role that fits none shows what is near', () => {
    const error = failureIn(() => chooseRole(roles, { role: 'admin' }))
    expect([error.kind, error.code]).toEqual(['role', 'role-unknown'])
    expect(error.hint).toBe(`did you mean ${roleArn('Sysadmin')}, ${roleArn('User-Admin')}`)
    expect(failureIn(() => chooseRole(roles, { role: 'zzz' })).hint).toBe('cloudtoken roles')
  })

  test('--role that fits several names them, and a filter tells them apart', () => {
    const error = failureIn(() => chooseRole(roles, { role: 'User' }))
    expect([error.kind, error.code, error.hint]).toEqual(['role', 'role-ambiguous', '--role ARN'])
    expect(error.message).toBe(`"User" fits 2 roles: ${roleArn('User')}, ${roleArn('team/ops/User', '999')}`)
    expect(chooseRole(roles, { role: 'User', filter: '::999' }).role).toEqual(role('team/ops/User', '999'))
    expect(chooseRole(roles, { role: 'Read', filter: '::999' }).role).toEqual(role('Read'))
  })

  test('many that fit are not all named', () => {
    const many = Array.from({ length: 600 }, (_, index) => role('Admin', String(1000 + index)))
    expect(failureIn(() => chooseRole(many, { role: 'Admin' })).message).toEndWith(' and 590 more')
  })

  test('R09 one role through two providers needs the pair', () => {
    const both = sortRoles([role('X', '1', 'a'), role('X', '1', 'b')])
    const error = failureIn(() => chooseRole(both, { role: 'X' }))
    expect([error.code, error.hint]).toEqual(['role-ambiguous', '--role ROLE_ARN,PROVIDER_ARN'])
    expect(error.message).toContain(roleValue('X', '1', 'b'))
    expect(chooseRole(both, { role: roleValue('X', '1', 'b') }).role).toEqual(role('X', '1', 'b'))
    expect(chooseRole(both, {})).toEqual({ menu: both })
  })

  test('the last role is taken as it was, whatever else is set', () => {
    const wanted = { last: role('User'), role: 'Read', roleNumber: 2, filter: 'xyz' }
    expect(chooseRole(roles, wanted)).toEqual({ role: role('User'), auto: false })
    expect(chooseRole(roles, { last: { roleArn: roleArn('User') } }).role).toEqual(role('User'))
  })

  test('the last role through another provider, if the old one is gone', () => {
    const both = [role('X', '1', 'a'), role('X', '1', 'b')]
    expect(chooseRole(both, { last: role('X', '1', 'b') }).role).toEqual(role('X', '1', 'b'))
    expect(chooseRole(both, { last: role('X', '1', 'gone') }).role).toEqual(role('X', '1', 'a'))
  })

  test('the last role, never one that only looks like it', () => {
    const error = failureIn(() => chooseRole([role('User-Admin')], { last: role('User') }))
    expect([error.kind, error.code]).toEqual(['role', 'role-gone'])
    expect(error.message).toContain(roleArn('User'))
  })
})
