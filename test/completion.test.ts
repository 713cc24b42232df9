/**
 * Completions asked for as the shells ask for them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { which } from '../scripts/tools.ts'
import { commands } from '../src/commands.ts'
import { completionFor, completionShells } from '../src/completion.ts'
import type { Grammar } from '../src/completion-words.ts'
import { coreOptions } from '../src/options.ts'

const grammar: Grammar = { commands, options: coreOptions }
const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-completion-'))
beforeAll(() => {
  for (const shell of completionShells) writeFileSync(join(folder, shell), `${completionFor(shell, grammar)}\n`)
  writeFileSync(join(folder, 'a file.txt'), '')
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function shell(program: string, args: readonly string[]): string {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder, TERM: 'dumb' }
  const { stdout, stderr } = spawnSync(program, args, { cwd: folder, env, encoding: 'utf8', timeout: 20_000 })
  expect(stderr).toBe('')
  return stdout
}

/** What bash would offer after these words. */
function bash(...words: string[]): string[] {
  const list = words.map(word => `'${word}'`).join(' ')
  const text = `source ./bash; COMP_WORDS=(cloudtoken ${list}); COMP_CWORD=${words.length}; _cloudtoken; printf '%s\\n' "\${COMPREPLY[@]}"`
  return shell('bash', ['-c', text]).split('\n').filter(Boolean)
}

function fish(line: string): string[] {
  const text = shell('fish', ['--no-config', '-c', `source ./fish; complete -C '${line}'`])
  return text
    .split('\n')
    .filter(Boolean)
    .map(each => each.split('\t')[0] ?? '')
}

/** Types each line and a tab into a real zsh; the lines that did not become what they should. */
function zsh(lines: Readonly<Record<string, string>>, tries = 200): string[] {
  const asks = Object.entries(lines).map(
    ([line, full]) => `
    zpty -n -w z $'\\C-u${line}\\t'
    seen=''
    for try in {1..${tries}}; do
      zpty -r -t z shown && seen+=$shown || sleep 0.05
      [[ $seen == *'${full}'* ]] && break
    done
    [[ $seen == *'${full}'* ]] || print -r -- '${line}'`,
  )
  const text = `
    zmodload zsh/zpty
    zpty -b z zsh -f -i
    zpty -w z "PS1= ; autoload -U compinit; compinit -u -D; source ./zsh; print READ''Y"
    zpty -r z shown '*READY*'
    ${asks.join('\n')}
    zpty -d z`
  return shell('zsh', ['-f', '-c', text]).split('\n').filter(Boolean)
}

describe.skipIf(which('bash') === undefined)('bash', () => {
  test('offers commands, options and values', () => {
    expect(bash('')).toEqual(commands.map(command => command.name))
    expect(bash('comp')).toEqual(['completion'])
    expect(bash('--provi')).toEqual(['--provider'])
    expect(bash('--consent', 're')).toEqual(['refuse'])
    expect(bash('--consent', '=', 're')).toEqual(['refuse'])
    expect(bash('link', '')).toEqual(['up', 'down', 'status'])
    expect(bash('link', 'up', '')).toEqual([])
    expect(bash('simulate', 's')).toEqual(['spot-interruption', 'slow'])
    expect(bash('env', '--shel')).toEqual(['--shell'])
    expect(bash('link', '--provi')).toEqual([])
    expect(bash('--password-file', 'a')).toEqual(['a file.txt'])
    expect(bash('-u', '')).toEqual([])
  })
})

describe.skipIf(which('fish') === undefined)('fish', () => {
  test('offers commands, options and values', () => {
    expect(fish('cloudtoken ').toSorted()).toEqual(commands.map(command => command.name).toSorted())
    expect(fish('cloudtoken --provi')).toEqual(['--provider'])
    expect(fish('cloudtoken --consent re')).toEqual(['refuse'])
    expect(fish('cloudtoken link ').toSorted()).toEqual(['down', 'status', 'up'])
    expect(fish('cloudtoken link --provi')).toEqual([])
    expect(fish('cloudtoken --password-file a')).toEqual(['a file.txt'])
  })
})

describe.skipIf(which('zsh') === undefined)('zsh', () => {
  test('offers commands, options and values', () => {
    const lines = {
      'cloudtoken comp': 'cloudtoken completion',
      'cloudtoken --provi': 'cloudtoken --provider',
      'cloudtoken --consent re': '--consent refuse',
      'cloudtoken link d': 'link down',
      'cloudtoken env --shell f': '--shell fish',
    }
    expect(zsh(lines)).toEqual([])
    expect(zsh({ 'cloudtoken comp': 'cloudtoken something else' }, 5)).toEqual(['cloudtoken comp'])
  })
})

test('PowerShell is told the same words', () => {
  const text = completionFor('powershell', grammar)
  for (const { name } of commands) expect(text).toContain(`'${name}' = `)
  for (const name of Object.keys(coreOptions)) expect(text).toContain(`'--${name}'`)
  // Braces and brackets outside of strings come in pairs.
  const bare = text.replace(/'(?:[^']|'')*'/g, '').replace(/#.*/g, '')
  for (const [open, close] of ['()', '{}', '[]'].map(pair => pair.split(''))) {
    expect(bare.split(open ?? '').length).toBe(bare.split(close ?? '').length)
  }
})
