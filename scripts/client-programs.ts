/**
 * The clients of test/clients that are compiled, and the one that is unpacked. Each lies in the cache under a name made
 * from its source, so that a change of one is compiled again and nothing else is.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cache, type Component } from './components.ts'
import { root, shell, type Env, type ShellResult } from './tools.ts'

export interface Program extends Component {
  /** The folder with what was made. */
  readonly place: string
}

interface Recipe {
  readonly name: string
  readonly packages: readonly string[]
  readonly steps: (out: string) => readonly (readonly [string, ...string[]])[]
  readonly env?: (out: string) => Env
}

export const sources: string = join(root, 'test', 'clients')

function compiled(language: string, { name, packages, steps, env }: Recipe): Program {
  const folder = join(sources, language)
  const hash = createHash('sha256')
  for (const file of readdirSync(folder).toSorted()) hash.update(readFileSync(join(folder, file)))
  const place = join(cache, `client-${language}-${hash.digest('hex').slice(0, 12)}`)
  const make = async (): Promise<ShellResult> => {
    const out = `${place}.new`
    rmSync(out, { recursive: true, force: true })
    mkdirSync(out, { recursive: true })
    for (const [command, ...args] of steps(out)) {
      const result = await shell(command, args, { cwd: folder, quiet: true, ...(env && { env: env(out) }) })
      if (result.code !== 0) return result
    }
    renameSync(out, place)
    return { code: 0, output: '' }
  }
  return { name, place, packages, make, present: () => existsSync(place) }
}

export const goProgram: Program = compiled('go', {
  name: 'a program with the SDK for Go',
  packages: ['golang-go'],
  steps: out => [['go', 'build', '-trimpath', '-o', join(out, 'client'), '.']],
})

export const javaProgram: Program = compiled('java', {
  name: 'a program with the SDK for Java',
  packages: ['openjdk-17-jdk-headless', 'maven'],
  steps: out => [
    [
      ...(['mvn', '-q', '-B', 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'] as const),
      `-DoutputDirectory=${out}/lib`,
    ],
    ['javac', '-d', out, '-cp', `${out}/lib/*`, 'Client.java'],
  ],
})

export const rustProgram: Program = compiled('rust', {
  name: 'a program with the SDK for Rust',
  packages: [],
  steps: out => [
    ['cargo', 'build', '--locked', '--quiet'],
    ['mv', join(out, 'target/debug/client'), out],
    ['rm', '-r', join(out, 'target')],
  ],
  env: out => ({ CARGO_TARGET_DIR: join(out, 'target') }),
})

const cloudInitPlace = join(cache, 'cloud-init')

/** Only unpacked: installed, it would take the next boot of the machine in hand. */
export const cloudInit: Program = {
  name: 'cloud-init',
  place: join(cloudInitPlace, 'usr/lib/python3/dist-packages'),
  present: () => existsSync(cloudInitPlace),
  packages: ['configobj', 'jinja2', 'jsonpatch', 'jsonschema', 'netifaces', 'oauthlib', 'requests', 'yaml'].map(
    name => `python3-${name}`,
  ),
  make: () => {
    const script =
      'cd "$(mktemp -d)" && apt-get download -q cloud-init && dpkg -x cloud-init_*.deb "$1" && rm -r "$PWD"'
    return shell('sh', ['-c', script, 'sh', cloudInitPlace], { quiet: true })
  },
}
