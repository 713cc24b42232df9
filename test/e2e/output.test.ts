/** Where the output cannot go: what is lost is told, a reader that has enough is not. */
import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { runProgram } from '../run-program.ts'
import { command, usePlace, withPassword } from './cli.ts'

const place = await usePlace()

const shell = (line: string) =>
  runProgram('bash', ['-c', line.replaceAll('cloudtoken', command.join(' '))], {
    env: { ...place.env, ...withPassword },
    cwd: place.home,
  })

test.skipIf(!existsSync('/dev/full'))('a full disk behind >: said, and exit code 1', async () => {
  for (const line of ['cloudtoken version', 'cloudtoken roles', 'cloudtoken env --role User-Role --shell dotenv']) {
    const { code, stderr } = await shell(`${line} >/dev/full`)
    const said = /^cloudtoken: error: the output could not be written: no space left on device.*\n$/i
    expect([code, stderr]).toEqual([1, expect.stringMatching(said)])
  }
})

test('a reader that goes away: no error', async () => {
  for (const line of ['cloudtoken version', 'cloudtoken roles', 'cloudtoken credential-process --role User-Role']) {
    const { code, stdout, stderr } = await shell(`{ sleep 0.3; ${line}; echo "code $?" >&2; } | true`)
    expect([code, stdout, stderr]).toEqual([0, '', 'code 0\n'])
  }
})
