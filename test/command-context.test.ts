import { expect, test } from 'bun:test'
import { createContext } from '../src/command-context.ts'

test('in a CI job nobody is asked, unless CI says that it is none', async () => {
  const base = { HOME: '/nowhere' }
  const of = async (env: Record<string, string>): Promise<boolean> =>
    (await createContext({}, { ...base, ...env })).settings.noInput
  expect(await Promise.all([of({ CI: 'true' }), of({ CI: '1' }), of({}), of({ CI: 'false' })])).toEqual([
    true,
    true,
    false,
    false,
  ])
})
