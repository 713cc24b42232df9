/**
 * Which real components a test may use. Where one is missing its tests are left out; in CI that is a failure instead.
 */
import { components, type ComponentName } from '../../scripts/components.ts'
import { inCi, say } from '../../scripts/tools.ts'

/** For `describe.skipIf(!(await present('moto', 'aws')))`. */
export async function present(...names: readonly ComponentName[]): Promise<boolean> {
  const missing: string[] = []
  for (const name of names) if (!(await components[name].present())) missing.push(components[name].name)
  if (missing.length === 0) return true
  if (inCi) throw new Error(`missing: ${missing.join(', ')}`)
  say(`skipped: ${missing.join(', ')} not installed here`)
  return false
}
