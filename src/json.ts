/**
 * JSON that others wrote: reading it never fails, and nothing of it is taken for what it is not.
 */

/** `undefined` for what is no JSON. */
export function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What an object says by name; nothing for anything else. */
export function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

/** The same of a text; a damaged one is empty. */
export function readFields(text: string | undefined): Record<string, unknown> {
  return fieldsOf(readJson(text ?? ''))
}

/** Whether there are more than so many objects or lists within each other. */
export function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false
  return most === 0 || Object.values(value).some(each => isDeeper(each, most - 1))
}
