/**
 * `init` and `-i`: the folder, a config.yaml and a proxy.yaml to edit, and the lines that a shell may source.
 */
import path from 'node:path'
import process from 'node:process'
import { optionsOnly, type Flags } from './command-context.ts'
import { findPaths } from './paths.ts'
import { makePrivate, readText, writeFile } from './files.ts'
import { createKeyring } from './keyring.ts'
import { createLog } from './log.ts'
import type { OptionValue } from './option.ts'
import { run } from './run.ts'
import { bashrcAdditions, configSkeleton, fishconfigAdditions, proxySkeleton } from './skeleton.ts'
import { expectedHolder, placeNames } from './vault.ts'

export async function initCommand(flags: Flags): Promise<number> {
  const log = createLog()
  const { env, platform } = process
  const settings = optionsOnly(flags, env)
  // What was typed, not what the environment says: that goes on saying it.
  const [url, provider, username] = ['url', 'provider', 'username'].map(name => asText(flags[name]))
  const { config: folder } = findPaths(env, settings.configDir)
  log.print(`Creating ${folder} directory.`)
  makePrivate(folder)
  log.print(`Populating ${folder} with skeleton configuration files.`)
  for (const [name, text] of [
    ['config.yaml', configSkeleton({ url, provider, username })],
    ['proxy.yaml', proxySkeleton],
  ] as const) {
    const file = path.join(folder, name)
    if (readText(file) === undefined) writeFile(file, text)
    else {
      log.print(`${file} already exists. Skipping.`)
      if (name === 'config.yaml' && url) log.warn(`--url is not in it: the file stays as it is`, `edit ${file}`)
    }
  }
  writeFile(path.join(folder, 'bashrc_additions'), bashrcAdditions)
  writeFile(path.join(folder, 'fishconfig_additions'), fishconfigAdditions)
  log.print('Initialisation complete.')
  log.print('Please see the documentation for instructions on completing shell integration.')
  log.print(`Shell additions and configuration files have been placed in ${folder}.`)
  const config = path.join(folder, 'config.yaml')
  log.info(url ? 'sign in: cloudtoken' : `name your identity provider in ${config}, then sign in: cloudtoken`)
  log.info(`for each new shell to have the credentials of the last run: . ${path.join(folder, 'bashrc_additions')}`)
  const holder = await expectedHolder(settings, createKeyring({ platform, run, env }))
  log.info(`the session at the identity provider will be kept ${placeNames[holder]}`)
  return 0
}

function asText(value: OptionValue | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}
