/**
 * A SAMLResponse out of a real file, or out of the stdin of a real process.
 */
import { afterAll, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { samlResponse } from '../src/provider-saml-response.ts'
import { run } from '../src/run.ts'
import { testContext } from './context.ts'
import { samlResponse as response } from './fake-idp.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'cloudtoken-saml-'))
afterAll(() => rmSync(folder, { recursive: true }))

async function fromFile(text: string): Promise<unknown> {
  const file = path.join(folder, 'response')
  writeFileSync(file, text)
  const { context } = await testContext({ settings: { samlResponse: file } })
  return samlResponse.authenticate(context).catch((error: unknown) => error)
}

const base64 = response()
const xml = Buffer.from(base64, 'base64').toString()

describe('a file', () => {
  for (const [name, text] of [
    ['base64', base64],
    ['base64 in lines', `\n${base64.replace(/(.{64})/g, '$1\r\n')}\n`],
    ['percent-encoded', encodeURIComponent(base64)],
    ['a copied form body', `RelayState=&SAMLResponse=${encodeURIComponent(base64)}&x=1`],
    ['XML', xml],
    ['XML behind a byte order mark', `\uFEFF${xml}\n`],
  ] as const) {
    test(`with ${name}`, async () => expect(await fromFile(text)).toEqual({ kind: 'saml', response: base64 }))
  }

  for (const [name, text, reason] of [
    ['nothing', ' \n', 'is empty'],
    ['prose', 'I could not find it!', 'is neither base64 nor XML'],
    ['other base64', 'aGVsbG8=', 'is base64, but not of a whole SAML Response'],
    ['a cut copy', base64.slice(0, 100), 'is base64, but not of a whole SAML Response'],
    ['an assertion alone', '<Assertion/>', 'is XML, but not a whole SAML Response'],
    ['HTML', '<html><p>x</html>', 'is XML, but not a whole SAML Response'],
  ] as const) {
    test(`with ${name} says why not`, async () => {
      expect(await fromFile(text)).toMatchObject({
        kind: 'config',
        code: 'saml-invalid',
        message: expect.stringContaining(reason),
        hint: expect.stringContaining('SAMLResponse'),
      })
    })
  }

  test('that is not there', async () => {
    const { context } = await testContext({ settings: { samlResponse: path.join(folder, 'absent') } })
    expect(await samlResponse.authenticate(context).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'saml-missing',
    })
  })

  test('that nobody named', async () => {
    const { context } = await testContext()
    expect(await samlResponse.authenticate(context).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'saml-missing',
    })
  })
})

describe('stdin', () => {
  test('is read to its end', async () => {
    const script = `import { samlResponse } from ${JSON.stringify(path.join(import.meta.dirname, '../src/provider-saml-response.ts'))}
      console.log(JSON.stringify(await samlResponse.authenticate({ settings: { samlResponse: '-' }, mode: 'login' })))`
    const file = path.join(folder, 'read.ts')
    writeFileSync(file, script)
    // More than a pipe holds at once.
    const big = Buffer.from(xml.replace('</samlp:Status>', `</samlp:Status><!--${'x'.repeat(300_000)}-->`)).toString(
      'base64',
    )
    const { stdout, stderr } = await run(process.execPath, [file], { input: big })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual({ kind: 'saml', response: big })
  })

  test('gives nothing a second time', async () => {
    const { context } = await testContext({ mode: 'refresh', settings: { samlResponse: '-' } })
    expect(await samlResponse.authenticate(context).catch((error: unknown) => error)).toMatchObject({
      kind: 'person',
      code: 'idp-session-ended',
    })
  })
})
