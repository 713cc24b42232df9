/**
 * The menu of roles and the names of accounts: AWS is asked for them only where they are shown, and they move nothing.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { serve } from '../fake-idp.ts'
import { command, password, usePlace } from './cli.ts'
import { atTerminal } from './screen.ts'

const roles = ['arn:aws:iam::111111111111:role/Alpha', 'arn:aws:iam::222222222222:role/Beta']
const account = (name: string, id: string): string =>
  `<div class="saml-account"><div class="saml-account-name">Account: ${name} (${id})</div></div>`

const place = await usePlace()
let idp: DemoIdp
let aws: Awaited<ReturnType<typeof serve>>
let visits: string[]
beforeAll(async () => {
  idp = await startDemoIdp({ erin: { password, roles }, frank: { password, roles: roles.slice(1) } })
})
afterAll(() => idp.stop())
beforeEach(async () => {
  visits = []
  aws = await serve('127.0.0.1', ({ method, path }) => {
    visits.push(`${method} ${path}`)
    // Not in the order of the assertion.
    return { body: `<form id="saml_form">${account('zeta', '222222222222')}${account('omega', '111111111111')}</form>` }
  })
})
afterEach(() => aws.stop())

function env(user = 'erin'): Record<string, string> {
  place.move()
  return {
    CLOUDTOKEN_URL: idp.url,
    CLOUDTOKEN_USERNAME: user,
    CLOUDTOKEN_PASSWORD: password,
    AWS_ENDPOINT_URL_SIGNIN: aws.origin,
  }
}

test('R22 W08 a role that is alone, named or numbered: AWS is not asked for names', async () => {
  for (const [args, user] of [
    [[], 'frank'],
    [['--role', 'Beta'], 'erin'],
    [['-r', '2'], 'erin'],
  ] as const) {
    const { code, stdout } = await place.run(args, { env: env(user) })
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${roles[1]}\n`)])
  }
  expect(visits).toEqual([])
})

test('W09 the numbers are those of the list, in whatever order AWS has the accounts', async () => {
  const list = await place.run(['-l'], { env: env() })
  expect(list.stdout).toBe(`    1. ${roles[0]} (omega)\n    2. ${roles[1]} (zeta)\n`)
  visits = []
  const screen = atTerminal(place, command, env())
  await screen.seen(/1\. arn:aws:iam::111111111111:role\/Alpha[^\n]*omega/)
  await screen.seen(/2\. arn:aws:iam::222222222222:role\/Beta/)
  await screen.type('\r')
  await screen.seen(/Using role arn:aws:iam::111111111111:role\/Alpha/)
  expect(await screen.ended).toBe(0)
  expect(visits).toEqual(['POST /saml'])
})
