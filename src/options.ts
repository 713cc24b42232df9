/**
 * The one table of options. Flags, `CLOUDTOKEN_<OPTION>` variables, `defaults:` keys, help, completions and the man page
 * all come from it.
 */
import type { OptionValue, Resolved } from './option.ts'
import { daemonOptions } from './options-daemon.ts'
import { generalOptions } from './options-general.ts'
import { networkOptions } from './options-network.ts'
import { consoleOptions, exporterOptions, profileOptions } from './options-output.ts'
import { chainOptions, roleOptions } from './options-role.ts'
import { signInOptions, tokenOptions } from './options-sign-in.ts'

export const coreOptions = {
  ...signInOptions,
  ...tokenOptions,
  ...networkOptions,
  ...roleOptions,
  ...chainOptions,
  ...exporterOptions,
  ...profileOptions,
  ...consoleOptions,
  ...daemonOptions,
  ...generalOptions,
}

/** Every option of the core, resolved. */
export type Settings = Resolved<typeof coreOptions> & {
  /** Options of a provider or exporter outside the core table, by camelCase name. */
  readonly extra: Readonly<Record<string, OptionValue>>
}
