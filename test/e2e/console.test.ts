import { afterAll, beforeAll, beforeEach, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { listen, readForm, type Loopback } from '../../scripts/demo-http.ts'
import { until } from '../until.ts'
import { roles, usePlace, withPassword } from './cli.ts'

const place = await usePlace()
let signIn: Loopback
const asked: (string | null)[] = []

beforeAll(async () => {
  signIn = await listen(
    createServer(async (request, response) => {
      const form = await readForm(request)
      asked.push(form.get('SessionDuration'))
      const keys: unknown = JSON.parse(form.get('Session') ?? '{}')
      const fine = request.method === 'POST' && /"sessionKey":"[^"]+"/.test(JSON.stringify(keys))
      // As AWS does with the session of a session.
      if (form.has('SessionDuration') && place.sts.assumed().at(-1)?.endsWith('/Audit')) response.writeHead(400).end()
      else response.writeHead(fine ? 200 : 400).end('{"SigninToken":"T0ken+/="}')
    }),
  )
})
afterAll(() => signIn.stop())
beforeEach(() => void (asked.length = 0))

const env = () => ({ ...withPassword, AWS_ENDPOINT_URL_SIGNIN: signIn.origin })

function destination(url: string): string | null {
  const parts = new URL(url)
  expect([parts.origin, parts.pathname]).toEqual([signIn.origin, '/federation'])
  expect(parts.searchParams.get('Action')).toBe('login')
  expect(parts.searchParams.get('SigninToken')).toBe('T0ken+/=')
  expect(parts.searchParams.get('Issuer')).toBe(place.idp.origin)
  return parts.searchParams.get('Destination')
}

test('console --print: the URL and nothing else, from the cached set the second time', async () => {
  const words = ['console', '--print', '--role', 'User-Role', '--service', 's3', '--region', 'eu-west-1']
  const { code, stdout, stderr } = await place.run([...words, '--debug'], { env: env() })
  expect(code).toBe(0)
  expect(destination(stdout.trim())).toBe('https://eu-west-1.console.aws.amazon.com/s3/home?region=eu-west-1')
  expect(stderr).not.toContain('T0ken')
  const before = place.sts.assumed().length
  const json = await place.run([...words, '--json', '--duration', '900'], { env: env() })
  expect(destination(JSON.parse(json.stdout).url)).toContain('/s3/home')
  expect(place.sts.assumed().length).toBe(before)
  expect(asked).toEqual(['43200', '900'])
})

test('console: the browser gets a private file, which is gone afterwards; the URL is in no argument and no output', async () => {
  const programs = join(place.home, 'bin')
  mkdirSync(programs)
  writeFileSync(
    join(programs, 'xdg-open'),
    '#!/bin/sh\necho "$@" > "$HOME/args"\nstat -c %a "$1" > "$HOME/mode"\ncp "$1" "$HOME/page"\ntouch "$HOME/done"\n',
  )
  chmodSync(join(programs, 'xdg-open'), 0o755)
  const running = place.start(['console', '--role', 'User-Role'], {
    env: { ...env(), PATH: `${programs}:${process.env['PATH']}`, DISPLAY: ':0' },
  })
  await until(() => existsSync(join(place.home, 'done')), 'the browser')
  const folder = join(place.home, '.local/state/cloudtoken/console')
  expect(readdirSync(folder)).toHaveLength(1)
  // Whoever does not want to wait for the browser.
  running.child.kill('SIGINT')
  const { code, stdout, stderr } = await running.done
  expect([code, stdout, stderr]).toEqual([0, '', 'cloudtoken: opening the console in the browser\n'])
  const address = /content="0;url=([^"]*)"/.exec(readFileSync(join(place.home, 'page'), 'utf8'))?.[1] ?? ''
  expect(destination(address.replaceAll('&#38;', '&'))).toBe('https://console.aws.amazon.com/console/home')
  expect(readFileSync(join(place.home, 'args'), 'utf8')).not.toContain('T0ken')
  expect(readFileSync(join(place.home, 'mode'), 'utf8').trim()).toBe('600')
  expect(readdirSync(folder)).toEqual([])
})

test('console without a screen says how to have the URL', async () => {
  const { code, stdout, stderr } = await place.run(['console', '--role', 'User-Role'], { env: env() })
  expect([code, stdout]).toEqual([11, ''])
  expect(stderr).toContain('cloudtoken console --print')
})

test('-g of the original: the role, the files, then the URL; a chained session without a length', async () => {
  const plain = await place.run(['-r', '1', '-g', '--generate-url-suffix', 'rds', '--generate-url-duration', '3600'], {
    env: env(),
  })
  const [using, url = ''] = plain.stdout.split('\n')
  expect(using).toBe(`Using role ${roles[0]}`)
  expect(url).toStartWith('Sign-In URL: http')
  expect(destination(url.slice('Sign-In URL: '.length))).toBe('https://console.aws.amazon.com/rds/home')
  expect(existsSync(join(place.home, '.aws/credentials'))).toBe(true)
  const chained = await place.run(['-r', '1', '-g', '--chain', 'arn:aws:iam::210987654321:role/Audit'], { env: env() })
  expect([chained.code, chained.stdout]).toEqual([0, expect.stringContaining('Sign-In URL: http')])
  expect(asked).toEqual(['3600', '43200', null])
  const json = await place.run(['-r', '1', '-g', '--json'], { env: env() })
  expect(destination(JSON.parse(json.stdout).url)).toBe('https://console.aws.amazon.com/console/home')
})

test("an original's config.yaml with url_generator in it", async () => {
  mkdirSync(join(place.home, '.config/cloudtoken'), { recursive: true })
  const lines = ['defaults:', '    generate-url: true', 'plugins:', '    post_auth:', '        - url_generator']
  writeFileSync(join(place.home, '.config/cloudtoken/config.yaml'), `${lines.join('\n')}\n`)
  const { code, stdout } = await place.run(['-r', '1'], { env: env() })
  expect([code, stdout]).toEqual([0, expect.stringContaining('Sign-In URL: http')])
})
