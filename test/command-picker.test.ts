/** The order and the words of the menu at a terminal. */
import { expect, test } from 'bun:test'
import { roleChoices } from '../src/command-picker.ts'

const arns = [
  'arn:aws:iam::111111111111:role/Admin',
  'arn:aws:iam::111111111111:role/Reader',
  'arn:aws:iam::222222222222:role/Admin',
  'arn:aws:iam::222222222222:role/Reader',
] as const
const roles = arns.map(roleArn => ({ roleArn, providerArn: '' }))
const names = new Map([['222222222222', 'Sandbox']])

function labels(recent: readonly string[], aliases: Record<string, string> = {}): string[] {
  return roleChoices(roles, names, aliases, recent).map(choice => choice.label)
}

test('without an earlier run: as numbered', () => {
  expect(labels([])).toEqual([`1. ${arns[0]}`, `2. ${arns[1]}`, `3. ${arns[2]} (Sandbox)`, `4. ${arns[3]} (Sandbox)`])
})

test('the roles of the last runs first, the last one on top, with the numbers of the list', () => {
  const gone = 'arn:aws:iam::333333333333:role/Gone'
  expect(labels([arns[3], gone, arns[1]], { ops: arns[0], everyday: arns[3], old: gone })).toEqual([
    `4. ${arns[3]} (Sandbox, alias everyday, last used)`,
    `2. ${arns[1]} (recent)`,
    `1. ${arns[0]} (alias ops)`,
    `3. ${arns[2]} (Sandbox)`,
  ])
})

test('each choice is its role', () => {
  for (const { value, label } of roleChoices(roles, names, {}, [arns[2]])) expect(label).toContain(value.roleArn)
})
