/**
 * The log-in page of a university that asks Duo by itself: user name and password, then devices in a script.
 */
import { describe, expect, test } from 'bun:test'
import { form } from '../src/provider-form.ts'
import { page, responsePage, type Step } from './fake-idp.ts'
import { walker } from './walk.ts'

const { succeeds, fails } = walker(form, 'secret-7')

const login = page(
  'Web Access',
  '<form method="post" action="/login"><input type="hidden" name="service" value="aws"><input id="login" name="login"><input id="password" type="password" name="password"><input type="submit" name="doLogin" value="Log In"></form>',
)
/** A literal of JavaScript, not of JSON. */
const devices = `{ account_type: 'user', devices: { devices: [
  { capabilities: ['auto', 'push', 'sms', 'phone'], device: 'DP1', display_name: 'iPhone (XXX-XXX-1111)', type: 'phone', sms_nextcode: '2' },
  { capabilities: ['phone'], device: 'DP2', display_name: 'Desk', type: 'phone' }, ] }, error: 'ERROR' }`
const factors = (error = ''): string =>
  page(
    'Two factors',
    `<script>var duoResults = ${devices.replace('ERROR', error)};</script><form method="post" action="/duo"><input type="hidden" name="service" value="aws">
    <select name="duo_device"></select><input name="duo_passcode"><input type="submit" name="go" value="Continue"></form>`,
  )
const begin: readonly Step[] = [
  { on: '/start', reply: login },
  { on: 'POST /login', body: 'service=aws&login=jane&password=secret-7&doLogin=Log+In', reply: factors() },
]
const sent = (fields: string, reply: Step['reply'] = responsePage()): Step => ({
  on: 'POST /duo',
  body: `service=aws&${fields}`,
  reply,
})
const push = 'duo_device=DP1&duo_passcode=&go=Continue&duo_factor=push'

describe('Duo on a page of a university', () => {
  test('a push, chosen from the devices of the script', async () => {
    const made = await succeeds({
      script: [...begin, sent(push)],
      answers: [['second factor', 'Duo Push: iPhone (XXX-XXX-1111)']],
    })
    expect(made.asked[0]).toEndWith(
      'Duo Push: iPhone (XXX-XXX-1111), Duo Phone call: iPhone (XXX-XXX-1111), Duo Phone call: Desk, Duo Passcode',
    )
    expect(made.told).toEqual([expect.stringContaining('answer on iPhone')])
  })

  test('a passcode, wrong and then right; nothing of it is shown', async () => {
    const coded = (code: string): string => `duo_passcode=${code}&go=Continue&duo_factor=passcode`
    const made = await succeeds({
      script: [...begin, sent(coded('000000'), factors('Incorrect passcode')), sent(coded('123456'))],
      settings: { mfaMethod: 'passcode' },
      answers: [
        ['Duo passcode', '000000'],
        ['Duo passcode', '000000'],
        ['Duo passcode', '123456'],
      ],
    })
    expect(made.told.join()).toContain('Incorrect passcode')
    expect(JSON.stringify([made.told, made.logged, [...made.files]])).not.toMatch(/000000|123456/)
  })

  test('denied, and not answered: told apart, and no second push', async () => {
    for (const [error, code] of [
      ['Login request denied', 'mfa-refused'],
      ['Login timed out', 'mfa-timeout'],
    ] as const) {
      const settings = { mfaMethod: 'push' }
      expect(await fails({ script: [...begin, sent(push, factors(error))], settings })).toMatchObject({ code })
    }
  })

  test('in the background nothing is chosen and nothing sent', async () => {
    const script: readonly Step[] = [{ on: '/start', reply: factors() }]
    expect(await fails({ script, mode: 'refresh' })).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  })

  test('a passcode goes to the host of --url, or to one that was approved', async () => {
    const script: readonly Step[] = [
      { on: '/start', reply: factors().replace('action="/duo"', 'action="https://elsewhere.example/duo"') },
    ]
    const answers = [['elsewhere.example', false]] as const
    expect(await fails({ script, answers, settings: { mfaCode: '123456' } })).toMatchObject({ code: 'foreign-host' })
  })
})
