/**
 * The gate alone, with the built-in tree behind it, in the namespace it was started in: `bun gate-child.ts OPTIONS`. Prints
 * one line of JSON, what was opened or the failure, and closes when its stdin does.
 */
import process from 'node:process'
import { createAdmission } from '../../src/daemon-readers.ts'
import { isFailure } from '../../src/errors.ts'
import { openGate } from '../../src/gate.ts'
import { createLog } from '../../src/log.ts'
import { createTokens } from '../../src/metadata-token.ts'
import { createTree } from '../../src/metadata-tree.ts'
import { createMetadata } from '../../src/metadata.ts'
import { parseListen } from '../../src/serve.ts'
import { createCredentials, testKey } from '../metadata-server.ts'

const { listen = '169.254.169.254:80', ...options } = JSON.parse(process.argv[2] ?? '{}')
const log = createLog()
try {
  const gate = await openGate({
    listen: parseListen(listen),
    force: false,
    ...options,
    log: { ...log, print: () => {}, write: () => {} },
  })
  const snapshot = { credentials: createCredentials() }
  const metadata = createMetadata({
    snapshot: () => snapshot,
    source: createTree({ seed: 'test' }),
    tokens: createTokens(testKey),
    admit: (await createAdmission({ allowUser: [], quiet: true }, gate.listen, log)).admit,
  })
  gate.open(metadata, { allowFrom: [], allowHost: [] })
  process.stdout.write(`${JSON.stringify({ url: gate.url, pid: process.pid })}\n`)
  await new Promise(resolve => process.stdin.on('end', resolve).resume())
  await gate.close()
} catch (error) {
  if (!isFailure(error)) throw error
  const { kind, code, message, hint } = error
  process.stdout.write(`${JSON.stringify({ failure: { kind, code, message, hint } })}\n`)
}
