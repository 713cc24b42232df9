/**
 * `init` and `-i`: the folder, a config.yaml and a proxy.yaml to edit, and the lines that a shell may source.
 */
import path from 'node:path'
import process from 'node:process'
import { optionsOnly, type Flags } from './command-context.ts'
import { findPaths, makePrivate, readText, writeFile } from './files.ts'
import { createKeyring } from './keyring.ts'
import { createLog } from './log.ts'
import { run } from './run.ts'
import { bashrcAdditions, configSkeleton, fishconfigAdditions, proxySkeleton } from './skeleton.ts'
import { expectedHolder, placeNames } from './vault.ts'

export async function initCommand(flags: Flags): Promise<number> {
  const log = createLog()
  const { env, platform } = process
  const settings = optionsOnly(flags, env)
  const { config: folder } = findPaths(env, settings.configDir)
  log.print(`Creating ${folder} directory.`)
  makePrivate(folder)
  log.print(`Populating ${folder} with skeleton configuration files.`)
  for (const [name, text] of [
    ['config.yaml', configSkeleton],
    ['proxy.yaml', proxySkeleton],
  ] as const) {
    const file = path.join(folder, name)
    if (readText(file) === undefined) writeFile(file, text)
    else log.print(`${file} already exists. Skipping.`)
  }
  writeFile(path.join(folder, 'bashrc_additions'), bashrcAdditions)
  writeFile(path.join(folder, 'fishconfig_additions'), fishconfigAdditions)
  log.print('Initialisation complete.')
  log.print('Please see the documentation for instructions on completing shell integration.')
  log.print(`Shell additions and configuration files have been placed in ${folder}.`)
  const holder = await expectedHolder(settings, createKeyring({ platform, run, env }))
  log.info(`the session at the identity provider will be kept ${placeNames[holder]}`)
  return 0
}
