/**
 * Which tree is served: a file of the original's or of amazon-ec2-metadata-mock's, or the built-in one; and over it the
 * values of config.yaml.
 */
import path from 'node:path'
import type { Config } from './config.ts'
import { failure, isFailure, messageOf } from './errors.ts'
import { readText } from './files.ts'
import type { Paths } from './paths.ts'
import type { MetadataSource } from './metadata-document.ts'
import { isMockConfig, readMockConfig, type MockConfig } from './metadata-mock.ts'
import { changeVersions } from './metadata-overlay.ts'
import { createTree } from './metadata-tree.ts'
import { placeValues, readValues, type MetadataValues } from './metadata-values.ts'
import type { Settings } from './options.ts'

export interface SourceOptions {
  readonly settings: Pick<Settings, 'metadataConfig' | 'metadataProfile' | 'region'>
  readonly config: Pick<Config, 'file' | 'metadata'>
  readonly paths: Pick<Paths, 'config'>
}

export interface Source {
  readonly source: MetadataSource
  readonly warnings: readonly string[]
  readonly requireToken?: boolean
  readonly wanted?: MockConfig['wanted']
}

/** Fails with `config` for a file or a value that is not understood. */
export async function sourceOf({ settings, config, paths }: SourceOptions, seed: string): Promise<Source> {
  const { metadataConfig, metadataProfile, region } = settings
  const values = readValues(config.metadata, `${config.file ?? 'config.yaml'}: metadata`)
  const file = metadataConfig ?? path.join(paths.config, 'proxy.yaml')
  const text = readText(file)
  if (text === undefined && metadataConfig !== undefined) throw failure('config', `no metadata file ${file}`)
  // As init writes it, all in comments, it asks for nothing.
  const says = text?.split('\n').some(line => !/^\s*(#|$)/.test(line))
  if (text === undefined || !says) {
    const profile = metadataProfile === 'ec2' ? 'ec2' : 'classic'
    return { source: createTree({ seed, region, profile, values }), warnings: [] }
  }
  if (isMockConfig(text)) {
    try {
      const mock = readMockConfig(text, file)
      const source = createTree({ seed, region, profile: 'ec2', values: new Map([...mock.values, ...values]) })
      return { ...mock, source }
    } catch (error) {
      if (isFailure(error)) throw error
      throw failure('config', `${file} is not understood: ${messageOf(error)}`, { cause: error })
    }
  }
  const vague = [...values.keys()].find(name => name.includes('{mac}'))
  if (vague !== undefined) {
    const hint = `name the network card of ${file} in place of {mac}`
    throw failure('config', `${config.file}: metadata: ${vague} does not go with ${file}`, { hint })
  }
  const { readProxyConfig } = await import('./metadata-proxy.ts')
  const { source, warnings } = readProxyConfig(text, file)
  const unused = metadataProfile === 'ec2' ? [`${file} says what is served: --metadata-profile ec2 has no meaning`] : []
  return { source: over(source, values), warnings: [...warnings, ...unused] }
}

function over(source: MetadataSource, values: MetadataValues): MetadataSource {
  if (values.size === 0) return source
  const modified = new Date()
  const whole: MetadataSource = snapshot =>
    changeVersions(source(snapshot), version => placeValues(version, values, { modified }))
  // What cannot be served fails here, not at a request.
  whole({})
  return whole
}
