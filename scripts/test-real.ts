/**
 * `bun run test:real`: the compiled binary with the real programs of others. CI installs what is missing, and there a
 * missing one fails; elsewhere the tests that need it are left out with a line that says so.
 */
import process from 'node:process'
import { join } from 'node:path'
import { components, provide, type ComponentName } from './components.ts'
import { runSuite, testFiles } from './suite.ts'
import { bun, close, inCi, install, root, say, seconds, shell, stop, sum } from './tools.ts'

const names = Object.keys(components) as ComponentName[]
const begin = performance.now()
await install()
if (inCi) {
  say('== components')
  await provide(names.map(name => components[name]))
}
for (const name of names) {
  if (await components[name].present()) continue
  if (inCi) stop(`${components[name].name} is missing and could not be installed`)
  say(`skipped what needs ${components[name].name}: it is not installed here`)
}

say('\n== build')
if ((await shell(bun, ['scripts/build.ts'])).code !== 0) stop('the build failed')

// Where root can have one, all of it in a network namespace: there the metadata address may be used, and nothing else is there.
// The record of addresses that were added is kept by the machine: there, too, this has one of its own.
const prepare = 'mkdir -p /run/cloudtoken && mount -t tmpfs -o mode=755 none /run/cloudtoken && ip link set lo up'
const namespace = ['unshare', '-n', '-m', 'sh', '-c', `${prepare} && exec "$0" "$@"`]
const alone = process.geteuid?.() === 0 && (await shell('unshare', ['-n', '-m', 'true'], { quiet: true })).code === 0
if (!alone) say('skipped what needs a network namespace of its own: this is not root')

const wanted = process.argv.slice(2)
const files = testFiles('test/real').filter(file => wanted.length === 0 || wanted.some(word => file.includes(word)))
// Makes systems out of packages, which a namespace without a network cannot fetch.
const fetching = files.filter(file => file.endsWith('/release.test.ts'))
const suite = { testMs: 120_000, suiteMs: 1_200_000, workers: 1, retries: 1 }
const env = { CLOUDTOKEN_BIN: join(root, 'dist', 'cloudtoken') }
const real = await runSuite({
  ...suite,
  name: 'with real components',
  files: files.filter(file => !fetching.includes(file)),
  env: { ...env, CLOUDTOKEN_NAMESPACE: alone ? 'own' : undefined },
  ...(alone && { within: namespace }),
})
const systems = await runSuite({ ...suite, name: 'on other systems', files: fetching, env })
say(`\n== all of it in ${seconds(begin)}`)
close(sum([real, systems]))
