/** The demo's identity provider and STS behave like the ones they stand for. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { AssumeRoleWithSAMLCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { startDemoIdp, type DemoIdp } from '../scripts/demo-idp.ts'
import { startDemoSts, type DemoSts } from '../scripts/demo-sts.ts'
import { createBrowser, formsOf, type Browser, type Page } from './browser.ts'

const role = 'arn:aws:iam::123456789012:role/team/developer'
const provider = 'arn:aws:iam::123456789012:saml-provider/demo'
let idp: DemoIdp
let sts: DemoSts

beforeAll(async () => {
  idp = await startDemoIdp({ alice: { password: 'a & b', roles: [role, 'arn:aws:iam::123456789012:role/admin'] } })
  sts = await startDemoSts()
})
afterAll(async () => {
  await idp.stop()
  await sts.stop()
})

async function signIn(browser: Browser, password: string): Promise<Page> {
  const [form] = formsOf(await browser.get(idp.url))
  if (form === undefined) throw new Error('no form')
  return browser.submit(form, { username: 'alice', password })
}

const assertionOf = (page: Page): string => formsOf(page)[0]?.fields['SAMLResponse'] ?? ''

describe('demo identity provider', () => {
  test('takes the right password through a form with its state', async () => {
    const page = await signIn(createBrowser(), 'a & b')
    expect(formsOf(page)[0]?.action).toBe('https://signin.aws.amazon.com/saml')
    expect(Buffer.from(assertionOf(page), 'base64').toString()).toContain(`>${role},${provider}<`)
  })

  test('shows the page again after a wrong one', async () => {
    const page = await signIn(createBrowser(), 'b')
    expect(page.status).toBe(200)
    expect(page.text).toContain('Incorrect username or password')
    expect(formsOf(page)[0]?.fields['AuthState']).toContain(idp.url)
  })

  test('remembers who has signed in until it is told to forget', async () => {
    const browser = createBrowser()
    await signIn(browser, 'a & b')
    expect(assertionOf(await browser.get(idp.url))).not.toBe('')
    idp.endSessions()
    expect((await browser.get(idp.url)).text).toContain('type="password"')
  })

  test('knows no other service', async () => {
    const page = await createBrowser().get(idp.url.replace('amazon', 'elsewhere'))
    expect(page.status).toBe(500)
    expect(page.text).toContain('Metadata not found')
  })
})

describe('demo STS', () => {
  const request = async (roleArn: string): Promise<AssumeRoleWithSAMLCommand> =>
    new AssumeRoleWithSAMLCommand({
      RoleArn: roleArn,
      PrincipalArn: provider,
      SAMLAssertion: assertionOf(await signIn(createBrowser(), 'a & b')),
      DurationSeconds: 900,
    })
  const client = (credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }): STSClient =>
    new STSClient({ endpoint: sts.origin, region: 'us-east-1', credentials })
  const anonymous = { accessKeyId: 'none', secretAccessKey: 'none' }

  test('hands out keys that it knows again', async () => {
    const { Credentials: keys, AssumedRoleUser: user } = await client(anonymous).send(await request(role))
    expect(user?.Arn).toBe('arn:aws:sts::123456789012:assumed-role/developer/alice@example.org')
    expect((keys?.Expiration?.getTime() ?? 0) - Date.now()).toBeGreaterThan(880_000)
    const caller = client({
      accessKeyId: keys?.AccessKeyId ?? '',
      secretAccessKey: keys?.SecretAccessKey ?? '',
      sessionToken: keys?.SessionToken ?? '',
    })
    expect((await caller.send(new GetCallerIdentityCommand({}))).Arn).toBe(user?.Arn ?? '-')
    expect(sts.assumed()).toContain(role)
  })

  test('refuses a role the assertion does not offer, and keys it does not know', async () => {
    const command = await request('arn:aws:iam::123456789012:role/root')
    const failure = await client(anonymous)
      .send(command)
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ name: 'AccessDenied' })
    const stranger = await client(anonymous)
      .send(new GetCallerIdentityCommand({}))
      .catch((error: unknown) => error)
    expect(stranger).toMatchObject({ name: 'InvalidClientTokenId' })
  })
})
