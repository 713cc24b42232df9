import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { usePlace, withPassword } from './cli.ts'

const place = await usePlace()

const names = (text: string): string[] =>
  [...text.matchAll(/^(?:export |unset )?(AWS_\w+)/gm)].map(([, name = '']) => name)

test('env --unset takes away exactly what env sets, without a sign-in', async () => {
  const unset = await place.run(['env', '--unset'])
  expect([unset.code, unset.stderr]).toEqual([0, ''])
  const set = await place.run(['env', '-r', '1'], { env: withPassword })
  expect(names(unset.stdout).toSorted()).toEqual(names(set.stdout).toSorted())
  expect(names(set.stdout)).toHaveLength(10)
  const shell = spawnSync('sh', ['-c', `eval "$SET"; env | grep -c ^AWS_; eval "$UNSET"; env | grep -c ^AWS_`], {
    env: { PATH: process.env['PATH'], SET: set.stdout, UNSET: unset.stdout },
    encoding: 'utf8',
  })
  expect(shell.stdout).toBe('10\n0\n')
})

test('env --unset in every shell', async () => {
  const first = async (shell: string): Promise<string | undefined> =>
    (await place.run(['env', '--unset', '--shell', shell])).stdout.split('\n')[0]
  expect(await first('sh')).toBe('unset AWS_ACCESS_KEY_ID')
  expect(await first('fish')).toBe('set -e AWS_ACCESS_KEY_ID')
  expect(await first('powershell')).toBe('$env:AWS_ACCESS_KEY_ID = $null')
  expect(await first('cmd')).toBe('set "AWS_ACCESS_KEY_ID="')
  expect(await first('dotenv')).toBe('AWS_ACCESS_KEY_ID=')
  const json = JSON.parse((await place.run(['env', '--unset', '--shell', 'json'])).stdout)
  expect(Object.values(json).every(value => value === null)).toBe(true)
  expect(JSON.parse((await place.run(['env', '--unset', '--json'])).stdout)).toEqual(json)
})
