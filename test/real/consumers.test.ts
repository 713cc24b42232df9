/**
 * The table of docs/consumers.md, line by line: what is printed there works when it is pasted.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { python } from '../../scripts/components.ts'
import { freePort, listen, type Loopback } from '../../scripts/demo-http.ts'
import { command, makePlace, password, type Place } from '../e2e/cli.ts'
import { present } from './present.ts'

const root = join(import.meta.dirname, '../..')
const arn = 'arn:aws:sts::123456789012:assumed-role/Sysadmin-Role/'

interface Row {
  readonly who: string
  readonly line: string
}

const rows: readonly Row[] = readFileSync(join(root, 'docs/consumers.md'), 'utf8')
  .split('\n')
  .flatMap(text => {
    const [, who, line] = /^\| (.*?) +\| `((?:\\\||[^|])*)` +\|/.exec(text) ?? []
    return who !== undefined && line !== undefined && who !== 'Who' ? [{ who, line: line.replaceAll('\\|', '|') }] : []
  })

/** In which shells a row is pasted. */
function shellsOf({ who }: Row): readonly string[] {
  if (who.includes('fish')) return ['fish']
  if (who.includes('PowerShell')) return ['pwsh']
  return who.includes('zsh') ? ['sh', 'bash', 'zsh'] : ['bash']
}

const ready = await present('cli', 'boto3', 'fish', 'zsh')

describe.skipIf(!ready)('docs/consumers.md', () => {
  let place: Place
  let s3: Loopback
  let signers: string[]
  let home: string
  beforeAll(async () => {
    place = await makePlace()
    // What Terraform's backend wants of S3 before there is any state.
    s3 = await listen(
      createServer((request, response) => {
        signers.push(/Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '')
        const list =
          '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount></ListBucketResult>'
        const listing = request.url?.includes('list-type=2') === true
        response.writeHead(listing ? 200 : 404, { 'content-type': 'application/xml' }).end(listing ? list : '')
      }),
    )
  })
  afterAll(async () => {
    await s3.stop()
    await place.stop()
  })
  beforeEach(() => {
    signers = []
    home = mkdtempSync(join(place.home, 'h-'))
    mkdirSync(join(home, 'bin'))
    for (const [name, words] of [
      ['cloudtoken', command],
      ['aws', [python('aws') ?? 'aws']],
      ['python3', [python('python3') ?? 'python3']],
    ] as const) {
      const quoted = words.map(word => `'${word}'`).join(' ')
      writeFileSync(join(home, 'bin', name), `#!/bin/sh\nexec ${quoted} "$@"\n`)
      chmodSync(join(home, 'bin', name), 0o755)
    }
    symlinkSync(join(root, 'node_modules'), join(home, 'node_modules'))
    writeFileSync(
      join(home, 'app.mjs'),
      `import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
       console.log((await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn)\n`,
    )
    writeFileSync(
      join(home, 'main.tf'),
      `terraform {\n  backend "s3" {\n    bucket = "state"\n    key = "one"\n    region = "us-east-1"\n    use_path_style = true\n` +
        `    skip_requesting_account_id = true\n    endpoints = { s3 = "${s3.origin}", sts = "${place.sts.origin}" }\n  }\n}\n`,
    )
  })
  afterEach(async () => {
    await place.run(['stop'], { env: { HOME: home } })
  })

  test('it has the rows that are tested here', () => {
    expect(rows.length).toBe(14)
  })

  for (const row of rows) {
    for (const shell of shellsOf(row)) {
      const program = ['terraform', 'node'].find(name => row.line.includes(`${name} `) && Bun.which(name) === null)
      const missing = Bun.which(shell) === null ? shell : program
      const name = `${row.who}, in ${shell}`
      if (missing !== undefined) {
        test.skip(`${name}: ${missing} is not installed`, () => {})
        continue
      }
      test(
        name,
        async () => {
          const line = row.line.replaceAll('9911', String(await freePort()))
          const child = Bun.spawn([shell, shell === 'pwsh' ? '-Command' : '-c', line], {
            cwd: home,
            env: {
              ...place.env,
              HOME: home,
              PATH: `${join(home, 'bin')}:${place.env['PATH']}`,
              CLOUDTOKEN_PASSWORD: password,
              AWS_REGION: 'us-east-1',
              AWS_DEFAULT_REGION: 'us-east-1',
              CHECKPOINT_DISABLE: '1',
            },
            stdin: 'ignore',
            stdout: 'pipe',
            stderr: 'pipe',
          })
          const [stdout, stderr, code] = await Promise.all([
            new Response(child.stdout).text(),
            new Response(child.stderr).text(),
            child.exited,
          ])
          expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')])
          if (!line.includes('terraform')) return expect(stdout).toContain(arn)
          expect(stdout).toContain('Terraform has been successfully initialized')
          expect(signers.length).toBeGreaterThan(0)
          for (const key of signers) expect(key).toMatch(/^ASIA/)
        },
        120_000,
      )
    }
  }
})
