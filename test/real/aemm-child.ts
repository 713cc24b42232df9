/**
 * Stands where the tests of amazon-ec2-metadata-mock expect its program: takes its flags and variables, makes of them the
 * JSON that it would save, and serves that as the daemon does, with credentials of our own.
 * `bun aemm-child.ts DEFAULTS [spot|events|asglifecycle] --port N [--imdsv2] [-c FILE] …`
 */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/command-context.ts'
import { createSimulation, startWanted } from '../../src/daemon-simulation.ts'
import type { MetadataSnapshot } from '../../src/metadata-document.ts'
import { readMockConfig } from '../../src/metadata-mock.ts'
import { createTokens } from '../../src/metadata-token.ts'
import { createTree } from '../../src/metadata-tree.ts'
import { createMetadata } from '../../src/metadata.ts'
import { parseListen, serveMetadata } from '../../src/serve.ts'
import { createCredentials, testKey } from '../metadata-server.ts'

type Json = Readonly<Record<string, unknown>>

const { values: flags, positionals } = parseArgs({
  args: process.argv.slice(3),
  allowPositionals: true,
  options: {
    port: { type: 'string', default: '1338' },
    imdsv2: { type: 'boolean' },
    'config-file': { type: 'string', short: 'c' },
    'mock-delay-sec': { type: 'string' },
    'mock-trigger-time': { type: 'string' },
    'rebalance-delay-sec': { type: 'string' },
    action: { type: 'string', short: 'a' },
    time: { type: 'string', short: 't' },
    'rebalance-rec-time': { type: 'string', short: 'r' },
    code: { type: 'string', short: 'o' },
    state: { type: 'string' },
    'not-before': { type: 'string', short: 'b' },
    'not-before-deadline': { type: 'string', short: 'l' },
    'mock-ip-count': { type: 'string', short: 'x' },
  },
})

const read = (file: string): Json => JSON.parse(readFileSync(file, 'utf8'))
const objectOf = (value: unknown): Json => ({ ...(typeof value === 'object' && !Array.isArray(value) && value) })
const at = (json: Json, ...path: readonly string[]): unknown =>
  path.reduce<unknown>((value, name) => objectOf(value)[name], json)

function merge(under: Json, over: Json): Json {
  const entries = Object.entries(over).map(([name, value]) => {
    const whole = name === 'instance-identity-document' || typeof value !== 'object' || Array.isArray(value)
    return [name, whole ? value : merge(objectOf(under[name]), objectOf(value))]
  })
  return { ...under, ...Object.fromEntries(entries) }
}

const defaults = read(process.argv[2] ?? '')
const own = flags['config-file'] === undefined ? {} : read(flags['config-file'])
const { spot: _spot, events: _events, ...merged } = merge(defaults, own)
const [command] = positionals

// Where the card has another address, so have the paths that nobody gave.
const valueOf = (json: Json, name: string): string => String(at(json, 'metadata', 'values', name))
const paths = Object.entries(objectOf(at(merged, 'metadata', 'paths'))).map(([name, path]) => {
  if (at(own, 'metadata', 'paths', name) !== undefined) return [name, path]
  const moved = ['mac', 'public-ipv4'].reduce(
    (text, value) => text.replace(valueOf(defaults, value), valueOf(merged, value)),
    String(path),
  )
  return [name, moved]
})

function given(prefix: string, names: readonly string[], from: Json = {}): Json {
  const entries = names.flatMap(name => {
    const variable = `AEMM_${prefix}_${name}`.toUpperCase().replaceAll('-', '_')
    // One letter, two meanings.
    const flag = prefix === 'events' && name === 'not-after' ? 'action' : name
    const value = objectOf(flags)[flag] ?? process.env[variable] ?? from[name]
    return value === undefined ? [] : [[name, value]]
  })
  return Object.fromEntries(entries)
}

const spot = command === undefined || command === 'spot'
const events = command === undefined || command === 'events' || command === 'se'
const config: Json = {
  ...merge(merged, { metadata: { paths: Object.fromEntries(paths) } }),
  ...(spot && { spot: given('spot', ['action', 'time', 'rebalance-rec-time'], objectOf(own['spot'])) }),
  ...(events && { events: given('events', ['code', 'state', 'not-before', 'not-after', 'not-before-deadline']) }),
  ...Object.fromEntries(
    (['mock-delay-sec', 'mock-trigger-time', 'rebalance-delay-sec'] as const).flatMap(name =>
      flags[name] === undefined ? [] : [[name, flags[name]]],
    ),
  ),
  ...(flags.imdsv2 && { imdsv2: true }),
}

/** What our tree has beside that of the original, or what a subcommand of the original turns off. */
const absent = ['ancestor-ami-ids', 'ipv6', 'metrics/vhostmd', 'profile', 'system', 'block-device-mapping/ebs1']
if (command !== undefined && command !== 'asglifecycle') absent.push('autoscaling/target-lifecycle-state')
if (command !== undefined && command !== 'events' && command !== 'se') {
  absent.push('events/maintenance/history', 'events/maintenance/scheduled')
}
const mock = readMockConfig(JSON.stringify(config), 'config')
const without = absent.map(name => [`meta-data/${name}`, null] as const)
let snapshot: MetadataSnapshot = { credentials: createCredentials() }
const answer = createMetadata({
  snapshot: () => snapshot,
  source: createTree({ seed: 'aemm', profile: 'ec2', values: new Map([...mock.values, ...without]) }),
  tokens: createTokens(testKey),
  requireToken: mock.requireToken,
})
const service = {
  handler: answer,
  show: (next: MetadataSnapshot) => void (snapshot = next),
  requests: () => 0,
  clients: () => [],
}
const simulation = createSimulation(service, systemClock)
simulation.service.show(snapshot)
startWanted(simulation, mock.wanted, systemClock, new AbortController().signal)
await serveMetadata({ listen: parseListen(`127.0.0.1:${flags.port}`), handler: simulation.service.handler })
