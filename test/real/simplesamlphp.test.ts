/** The helpers themselves: real pages lead to a real assertion, and STS takes it. */
import { afterEach, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { createBrowser, formsOf, type Browser, type Form, type Page } from '../browser.ts'
import { startMoto } from './moto.ts'
import { present } from './present.ts'
import {
  alice,
  aliceRoles,
  startSimpleSamlPhp,
  type SimpleSamlPhp,
  type SimpleSamlPhpOptions,
} from './simplesamlphp.ts'

const here = await present('simplesamlphp', 'openssl')
const both = here && (await present('moto'))

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})

async function startIdp(options?: SimpleSamlPhpOptions): Promise<SimpleSamlPhp> {
  const idp = await startSimpleSamlPhp(options)
  running.push(idp)
  return idp
}

function formWith(page: Page, field: string): Form {
  const form = formsOf(page).find(each => field in each.fields || each.buttons.includes(field))
  if (form === undefined) throw new Error(`no form with ${field} at ${page.url}\n${page.text}`)
  return form
}

const signIn = (browser: Browser, page: Page, password = alice.password): Promise<Page> =>
  browser.submit(formWith(page, 'password'), { username: 'alice', password })

function assertionOf(page: Page): string {
  return formWith(page, 'SAMLResponse').fields['SAMLResponse'] ?? ''
}

const decoded = (assertion: string): string => Buffer.from(assertion, 'base64').toString('utf8')

describe.skipIf(!here)('SimpleSAMLphp', () => {
  test('leads from the sign-in page to an assertion with the roles', async () => {
    const idp = await startIdp()
    // Another browser's state is of no use: a cookie jar is mandatory.
    const answer = await signIn(createBrowser(), await createBrowser().get(idp.url))
    expect(answer.text).not.toContain('SAMLResponse')

    const browser = createBrowser()
    const page = await signIn(browser, await browser.get(idp.url))
    expect(formWith(page, 'SAMLResponse').action).toBe('https://signin.aws.amazon.com/saml')
    const xml = decoded(assertionOf(page))
    for (const role of aliceRoles) expect(xml).toContain(`${role},arn:aws:iam::`)
    expect(xml).toContain('Name="https://aws.amazon.com/SAML/Attributes/RoleSessionName"')
    expect(xml).toContain('>alice@example.org<')
    expect(xml).toContain(`<saml:Issuer>${idp.entityId}</saml:Issuer>`)
    expect(xml).toContain('<ds:SignatureValue>')
  })

  test('remembers the person, until the session ends', async () => {
    const idp = await startIdp()
    const browser = createBrowser()
    await signIn(browser, await browser.get(idp.url))
    expect(decoded(assertionOf(await browser.get(idp.url)))).toContain(aliceRoles[0] ?? '-')
    idp.endSessions()
    expect(formWith(await browser.get(idp.url), 'password').action).toContain('loginuserpass.php')
    expect(idp.requests().filter(line => line.startsWith('POST '))).toHaveLength(1)
  })

  test('forgets the person after the seconds it was told', async () => {
    const idp = await startIdp({ sessionSeconds: 1 })
    const browser = createBrowser()
    await signIn(browser, await browser.get(idp.url))
    await new Promise(resolve => setTimeout(resolve, 2100))
    expect((await browser.get(idp.url)).text).toContain('type="password"')
  })

  test('refuses a wrong password on the same page', async () => {
    const idp = await startIdp()
    const browser = createBrowser()
    const page = await signIn(browser, await browser.get(idp.url), 'wrong')
    expect(page.status).toBe(200)
    expect(page.text).toContain('Incorrect username or password')
  })

  test('asks for consent, once if told so', async () => {
    const idp = await startIdp({ consent: 'once' })
    const browser = createBrowser()
    const question = await signIn(browser, await browser.get(idp.url))
    expect(formsOf(question).map(form => form.buttons)).toEqual([['yes'], ['no']])
    const answer = await browser.submit(formWith(question, 'yes'), { yes: '', saveconsent: '1' })
    expect(decoded(assertionOf(answer))).toContain(aliceRoles[0] ?? '-')
    expect(decoded(assertionOf(await browser.get(idp.url)))).toContain(aliceRoles[0] ?? '-')
  })

  test('lets the person choose a source', async () => {
    const idp = await startIdp({ multiauth: true })
    const browser = createBrowser()
    const choice = await browser.get(idp.url)
    const button = `src-${Buffer.from('staff').toString('base64')}`
    const page = await browser.submit(formWith(choice, button), { [button]: 'Members of staff' })
    expect(decoded(assertionOf(await signIn(browser, page)))).toContain(aliceRoles[0] ?? '-')
  })

  test('warns of sign-ins in quick succession', async () => {
    const idp = await startIdp({ warnShortInterval: true })
    const browser = createBrowser()
    await signIn(browser, await browser.get(idp.url))
    const warning = await browser.get(idp.url)
    expect(warning.text).toContain('Too short interval between single sign on events')
    const answer = await browser.submit(formWith(warning, 'continue'), { continue: 'Yes' })
    expect(assertionOf(answer)).not.toBe('')
  })
})

describe.skipIf(!both)('moto behind its bridge', () => {
  test('hands out keys for a role of the assertion and refuses any other', async () => {
    const [idp, moto] = [await startIdp(), await startMoto()]
    running.push(moto)
    const browser = createBrowser()
    const assertion = assertionOf(await signIn(browser, await browser.get(idp.url)))
    const ask = (role: string, provider: string): Promise<Response> =>
      fetch(moto.url, {
        method: 'POST',
        body: new URLSearchParams({
          Action: 'AssumeRoleWithSAML',
          Version: '2011-06-15',
          RoleArn: role,
          PrincipalArn: provider,
          SAMLAssertion: assertion,
          DurationSeconds: '1800',
        }),
      })
    for (const pair of alice.roles) {
      const [role = '', provider = ''] = pair.split(',')
      const text = await (await ask(role, provider)).text()
      expect(text).toMatch(/<AccessKeyId>ASIA\w{16}<\/AccessKeyId>/)
      expect(text).toContain(`${role.split(':')[4]}:assumed-role/`)
      const left = Date.parse(/<Expiration>([^<]+)/.exec(text)?.[1] ?? '') - Date.now()
      expect(left).toBeGreaterThan(1_700_000)
      expect(left).toBeLessThan(1_810_000)
    }
    const refused = await ask('arn:aws:iam::123456789012:role/root', 'arn:aws:iam::123456789012:saml-provider/example')
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('<Code>AccessDenied</Code>')
    expect(moto.assumed()).toEqual(aliceRoles)
  })
})
