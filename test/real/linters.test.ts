/**
 * What the tools of others say of the files that we hand to them: package managers, container builders, GitHub.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parse } from 'yaml'
import { goTool, python, type ComponentName } from '../../scripts/components.ts'
import { packagedUnit } from '../../scripts/release-packages.ts'
import { root, shell } from '../../scripts/tools.ts'
import { madeManifests, published } from '../manifests.ts'
import { present } from './present.ts'

const names = [
  'ruby',
  'rubocop',
  'nix',
  'hadolint',
  'actionlint',
  'zizmor',
  'jsonschema',
  'powershell',
  'systemd',
  'shellcheck',
] as const
const here = new Map<ComponentName, boolean>()
for (const name of names) here.set(name, await present(name))
const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-linters-'))
beforeAll(() => void madeManifests(folder))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** systemd-analyze wants to know where a user's sockets would be. */
const quietly = { quiet: true, env: { XDG_RUNTIME_DIR: folder } }

/** Runs a linter on our files; its words are the reason when it finds something. */
async function approves(command: string, ...args: string[]): Promise<string> {
  const { code, output } = await shell(command, args, quietly)
  if (code !== 0) throw new Error(output)
  return output
}

const venv = (name: string): string => python(name) ?? name

const formula = join(folder, 'cloudtoken.rb')

describe('the formula', () => {
  test.skipIf(!here.get('ruby'))('is Ruby, and has the build of each system', async () => {
    await approves('ruby', '-cw', formula)
    // As much of Homebrew's language as it takes to ask for one system.
    const homebrew = `
      require 'json'
      class Formula
        class << self
          def method_missing(name, *args)
            return yield if name.start_with?('on_') && ARGV.include?(name.to_s)
            FOUND[name] ||= args.first unless block_given?
          end
          def test; end
        end
      end
      FOUND = {}
      load ARGV.shift
      puts JSON.generate(FOUND)`
    for (const [os, chip, target] of [
      ['on_macos', 'on_arm', 'darwin-arm64'],
      ['on_macos', 'on_intel', 'darwin-x64'],
      ['on_linux', 'on_arm', 'linux-arm64'],
      ['on_linux', 'on_intel', 'linux-x64'],
    ] as const) {
      const file = `cloudtoken-1.2.3-${target}.gz`
      expect(JSON.parse(await approves('ruby', '-e', homebrew, formula, os, chip))).toMatchObject({
        url: `${published.address}/download/v1.2.3/${file}`,
        sha256: published.sums.get(file),
        version: '1.2.3',
      })
    }
  })

  test.skipIf(!here.get('rubocop'))('has nothing that rubocop warns of', async () => {
    // Homebrew writes bin/"name" without blanks.
    const except = '--except=Layout/SpaceAroundOperators,Layout/LineLength'
    await approves('rubocop', '--cache=false', '--only=Lint,Layout', except, formula)
  })
})

test.skipIf(!here.get('nix'))('the expression is Nix, and has the build of each system', async () => {
  await approves('nix-instantiate', '--parse', join(folder, 'cloudtoken.nix'))
  // As much of nixpkgs as the expression asks for.
  const packages = `system: linux: {
    fetchurl = file: file // { outPath = file.url; };
    installShellFiles = "installShellFiles";
    autoPatchelfHook = "autoPatchelfHook";
    lib = { optional = yes: one: if yes then [ one ] else [ ]; licenses.mit = "MIT"; sourceTypes.binaryNativeCode = "binary"; };
    stdenv = { mkDerivation = made: made; isLinux = linux; hostPlatform = { inherit system; }; };
  }`
  for (const [system, target] of [
    ['x86_64-linux', 'linux-x64'],
    ['aarch64-linux', 'linux-arm64'],
    ['x86_64-darwin', 'darwin-x64'],
    ['aarch64-darwin', 'darwin-arm64'],
  ] as const) {
    const made = `import ${join(folder, 'cloudtoken.nix')} { pkgs = (${packages}) "${system}" ${system.endsWith('linux')}; }`
    const asked = `let made = ${made}; in { inherit (made) version nativeBuildInputs installPhase; inherit (made.src) url sha256; }`
    const output = await approves('nix-instantiate', '--eval', '--strict', '--json', '-E', asked)
    const file = `cloudtoken-1.2.3-${target}.gz`
    expect(JSON.parse(output.slice(output.indexOf('{')))).toEqual({
      version: '1.2.3',
      url: `${published.address}/download/v1.2.3/${file}`,
      sha256: published.sums.get(file),
      nativeBuildInputs: ['installShellFiles', ...(system.endsWith('linux') ? ['autoPatchelfHook'] : [])],
      installPhase: expect.stringContaining('gzip -dc $src > $out/bin/cloudtoken'),
    })
  }
})

test.skipIf(!here.get('hadolint'))('hadolint approves of the Dockerfile', async () => {
  await approves(venv('hadolint'), join(root, 'packaging', 'Dockerfile'))
})

test.skipIf(!here.get('systemd'))('systemd takes the unit of the packages', async () => {
  const unit = join(folder, 'cloudtoken.service')
  const verify = ['--user', '--man=no', 'verify', unit]
  // It looks for the program, which is not installed here.
  writeFileSync(unit, packagedUnit.replace('/usr/bin/cloudtoken', process.execPath))
  expect(await approves('systemd-analyze', ...verify)).toBe('')
  writeFileSync(unit, packagedUnit.replace('Restart=on-failure', 'Restart=never'))
  expect((await shell('systemd-analyze', verify, quietly)).output).toContain('never')
})

describe('for GitHub', () => {
  const workflows = ['ci.yml', 'release.yml'].map(name => join(root, '.github', 'workflows', name))

  test.skipIf(!here.get('actionlint'))('actionlint approves of the workflows', async () => {
    await approves(goTool('actionlint') ?? 'actionlint', ...workflows)
  })

  test.skipIf(!here.get('zizmor'))('zizmor finds no hole in workflows and action', async () => {
    const args = ['--offline', '--no-progress', '--persona=pedantic', ...workflows, join(root, 'action.yml')]
    await approves(venv('zizmor'), ...args)
  })

  test.skipIf(!here.get('jsonschema')).each([
    ['github-workflows', '.github/workflows/ci.yml'],
    ['github-workflows', '.github/workflows/release.yml'],
    ['github-actions', 'action.yml'],
    ['github-issue-forms', '.github/ISSUE_TEMPLATE/bug.yml'],
    ['github-issue-forms', '.github/ISSUE_TEMPLATE/identity-provider.yml'],
    ['github-issue-config', '.github/ISSUE_TEMPLATE/config.yml'],
  ])('the schema %s takes %s', async (schema, file) => {
    await approves(venv('check-jsonschema'), '--builtin-schema', `vendor.${schema}`, join(root, file))
  })

  test.skipIf(!here.get('shellcheck'))('shellcheck approves of the steps of the action', async () => {
    const { runs }: { runs: { steps: { shell: string; run: string }[] } } = parse(
      readFileSync(join(root, 'action.yml'), 'utf8'),
    )
    const steps = runs.steps.filter(({ shell: name }) => name === 'bash')
    expect(steps.length).toBe(2)
    for (const [index, { run }] of steps.entries()) {
      const file = join(folder, `step-${index}.sh`)
      // As GitHub starts them: bash -eo pipefail.
      writeFileSync(file, `#!/bin/bash\nset -eo pipefail\n${run}`)
      await approves('shellcheck', file)
    }
  })

  test('actions of others are pinned to a commit, and nobody has a right by default', () => {
    for (const file of workflows) {
      const text = readFileSync(file, 'utf8')
      const uses = [...text.matchAll(/uses: (.*)$/gm)].map(([, action]) => action)
      expect(uses.length).toBeGreaterThan(0)
      for (const action of uses) expect(action).toMatch(/^actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
      expect(parse(text)).toMatchObject({ permissions: {} })
    }
  })
})

test.skipIf(!here.get('powershell'))('install.ps1 is PowerShell', async () => {
  const program = `
import sys, tree_sitter, tree_sitter_powershell
language = tree_sitter.Language(tree_sitter_powershell.language())
tree = tree_sitter.Parser(language).parse(open(sys.argv[1], 'rb').read())
def wrong(node):
    if node.type == 'ERROR' or node.is_missing:
        yield f'line {node.start_point[0] + 1}: {node.text[:60]}'
    for child in node.children:
        yield from wrong(child)
sys.exit('\\n'.join(wrong(tree.root_node)) or 0)
`
  await approves(venv('python3'), '-c', program, join(root, 'install.ps1'))
  const broken = join(folder, 'broken.ps1')
  writeFileSync(broken, `${readFileSync(join(root, 'install.ps1'), 'utf8')}\nif (`)
  await expect(approves(venv('python3'), '-c', program, broken)).rejects.toThrow('line ')
})
