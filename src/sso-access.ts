/**
 * What the access portal of IAM Identity Center hands out to who has signed in: accounts, roles, and credentials of a role.
 */
import { accountOf, roleName } from './arn.ts'
import { at, listAt, textAt } from './api-json.ts'
import { failure } from './errors.ts'
import { keepSecret } from './log.ts'
import { inParallel } from './parallel.ts'
import { askSso, unexpectedRefusal, type Caller, type SsoAnswer } from './sso-call.ts'
import type { Portal } from './sso-portal.ts'
import { isKey } from './tokens.ts'
import type { Credentials, OfferedRoles, Role } from './types.ts'

/** The service slows down who asks for more at once. */
const atOnce = 8
/** Of a hundred each: more than any organization has. */
const mostPages = 1000
/** From so many accounts on, a person who waits is told what for. */
const manyAccounts = 20

/** Every role of every account. Rejects with code `sso-signed-out` when the token is good for nothing any more. */
export async function listRoles(caller: Caller, portal: Portal, accessToken: string): Promise<OfferedRoles> {
  const pages = (path: string, list: string, query: object = {}): Promise<unknown[]> =>
    readPages(caller, portal, accessToken, { path, list, query })
  const names = new Map<string, string>()
  const accounts: string[] = []
  for (const account of await pages('/assignment/accounts', 'accountList')) {
    const [id, name] = [textAt(account, 'accountId'), textAt(account, 'accountName')]
    accounts.push(id)
    if (name !== '') names.set(id, name)
  }
  if (accounts.length >= manyAccounts) caller.log.info(`reading the roles of ${accounts.length} accounts`)
  const roles: Role[] = []
  await inParallel(accounts, atOnce, async account => {
    for (const role of await pages('/assignment/roles', 'roleList', { account_id: account }))
      roles.push({ roleArn: arnOf(portal, account, textAt(role, 'roleName')), providerArn: '' })
  })
  return { roles, names }
}

/** GetRoleCredentials. Rejects with kind `role` where the person may not have this one. */
export async function takeRole(caller: Caller, portal: Portal, accessToken: string, role: Role): Promise<Credentials> {
  const { roleArn } = role
  const accountId = accountOf(roleArn)
  const query = new URLSearchParams({ role_name: roleName(roleArn), account_id: accountId }).toString()
  const url = `${portal.accessUrl}/federation/credentials?${query}`
  const answer = await askSso(caller, { url, accessToken })
  if (answer.refused !== undefined) throw refusedRole(url, roleArn, answer)
  const keys = at(answer.body, 'roleCredentials')
  const credentials = {
    accessKeyId: textAt(keys, 'accessKeyId'),
    secretAccessKey: textAt(keys, 'secretAccessKey'),
    sessionToken: textAt(keys, 'sessionToken'),
    expiration: new Date(Number(at(keys, 'expiration'))),
    issued: new Date(caller.clock.now()),
    roleArn,
    accountId,
  }
  keepSecret(credentials.secretAccessKey)
  keepSecret(credentials.sessionToken)
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials
  if ([accessKeyId, secretAccessKey, sessionToken].every(isKey) && expiration.getTime() > 0) return credentials
  throw failure('network', `${new URL(url).host} answered without credentials`, { code: 'sso-answer' })
}

/** Logout: the session ends for everybody who has its token. */
export async function signOut(caller: Caller, portal: Portal, accessToken: string): Promise<void> {
  const url = `${portal.accessUrl}/logout`
  const answer = await askSso(caller, { url, accessToken, body: {} })
  // A token that is no good any more needs no end.
  if (answer.refused !== undefined && answer.refused !== 'Unauthorized') throw unexpectedRefusal(url, answer)
}

/** The role as people know it: the one in IAM has a name that only its administrators see. */
function arnOf({ partition }: Portal, account: string, name: string): string {
  return `arn:${partition.name}:iam::${account}:role/${name}`
}

interface Pages {
  readonly path: string
  readonly list: string
  readonly query: object
}

async function readPages(caller: Caller, portal: Portal, accessToken: string, wanted: Pages): Promise<unknown[]> {
  const found: unknown[] = []
  let next = ''
  for (let page = 0; page < mostPages; page += 1) {
    const query = { ...wanted.query, max_result: '100', ...(next !== '' && { next_token: next }) }
    const url = `${portal.accessUrl}${wanted.path}?${new URLSearchParams(query).toString()}`
    const answer = await askSso(caller, { url, accessToken })
    if (answer.refused !== undefined) throw refusedList(url, answer)
    found.push(...listAt(answer.body, wanted.list))
    next = textAt(answer.body, 'nextToken')
    if (next === '') return found
  }
  throw failure('network', `the list of ${new URL(portal.accessUrl).host} has no end`, { code: 'sso-answer' })
}

function refusedList(url: string, answer: SsoAnswer): Error {
  if (answer.refused === 'Unauthorized') return signedOut()
  if (answer.refused !== 'Forbidden' && answer.refused !== 'ResourceNotFound') return unexpectedRefusal(url, answer)
  return failure('role', 'IAM Identity Center shows you no accounts', {
    hint: 'ask the people who run it which AWS accounts are assigned to you',
    code: 'roles-missing',
  })
}

function refusedRole(url: string, roleArn: string, answer: SsoAnswer): Error {
  if (answer.refused === 'Unauthorized') return signedOut()
  if (answer.refused !== 'Forbidden' && answer.refused !== 'ResourceNotFound') return unexpectedRefusal(url, answer)
  const message = `IAM Identity Center does not give you ${roleName(roleArn)} in the account ${accountOf(roleArn)}`
  return failure('role', message, { hint: 'cloudtoken roles shows your roles', code: 'role-forbidden' })
}

function signedOut(): Error {
  return failure('person', 'the session at IAM Identity Center has ended', {
    hint: 'sign in again: cloudtoken',
    code: 'sso-signed-out',
  })
}
