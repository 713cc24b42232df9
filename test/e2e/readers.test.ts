/**
 * Other users of the machine; needs root, which can be any of them.
 */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { usePlace } from './cli.ts'

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'curl', '--noproxy', '*', '-sS', '-i']
const able =
  process.geteuid?.() === 0 && spawnSync('setpriv', [...nobody.slice(1, 4), 'curl', '--version']).status === 0

const place = await usePlace()

function asNobody(url: string): string {
  const [program = '', ...args] = nobody
  return spawnSync(program, [...args, '--path-as-is', url], { encoding: 'utf8' }).stdout
}

describe.skipIf(!able)('another user of the machine', () => {
  test('reads everything but the credentials, however the path is written', async () => {
    const daemon = await place.daemon()
    const base = `${daemon.url}/latest/meta-data`
    expect(asNobody(`${base}/instance-id`)).toContain(' 200 ')
    for (const name of [
      'iam/security-credentials/Read-Only-Role',
      'iam/security-credentials/Read-Only-Role/',
      'iam//security-credentials/Read%2DOnly%2DRole',
      'iam/security-credentials-extended/Read-Only-Role',
    ]) {
      const answer = asNobody(`${base}/${name}`)
      expect([name, answer.split('\r\n')[0]]).toEqual([name, 'HTTP/1.1 401 Unauthorized'])
      expect(answer).toEndWith('Request denied from user id 65534')
    }
    await daemon.seen(/credentials refused to user id 65534\n.*hint: --allow-user 65534/)
  })

  test('unless --allow-user names them; each read is a line without a secret', async () => {
    const daemon = await place.daemon(['-r', '1', '--allow-user', 'nobody'])
    const base = `${daemon.url}/latest/meta-data`
    const answer = asNobody(`${base}/iam/security-credentials/Read-Only-Role`)
    expect(answer).toContain('"Success"')
    const key = /"AccessKeyId" : "(\w+)"/.exec(answer)?.[1] ?? ''
    const said = await daemon.seen(/by user id 65534/)
    expect(said).toMatch(
      new RegExp(
        `Z credentials of Read-Only-Role \\(key …${key.slice(-4)}\\) read from 127\\.0\\.0\\.1:\\d+ by user id`,
      ),
    )
    expect(said).not.toContain(key)
  })

  test('a user that there is not', async () => {
    const args = ['-d', '--listen', '127.0.0.1:0', '--allow-user', 'no-such-user-here']
    const { code, stderr } = await place.run(args)
    expect([code, stderr]).toEqual([20, expect.stringContaining('no-such-user-here')])
  })
})
