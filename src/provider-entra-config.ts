/**
 * The block of settings in every page of Entra ID: `$Config={…};`. Pure.
 */
import { textAt } from './api-json.ts'
import type { Page } from './html.ts'

export interface EntraPage {
  /** Which page it is: `ConvergedSignIn`, `KmsiInterrupt`, … */
  readonly kind: string
  readonly config: unknown
}

/** `undefined` where the page is none of Entra's. */
export function readEntraPage({ source }: Page): EntraPage | undefined {
  const start = /\$Config\s*=\s*(?=\{)/.exec(source)
  if (!start) return undefined
  const config = readObject(source, start.index + start[0].length)
  const kind = textAt(config, 'pgid') || (/<meta\s+name="PageID"\s+content="([\w.]+)"/i.exec(source)?.[1] ?? '')
  return kind === '' ? undefined : { kind, config }
}

/** The token goes under a name that the page gives it. */
export function flowToken(config: unknown, token = textAt(config, 'sFT')): Record<string, string> {
  return { [textAt(config, 'sFTName') || 'flowToken']: token }
}

/** The JSON object at `from`, up to the brace that closes it; more script may follow on the same line. */
function readObject(source: string, from: number): unknown {
  let depth = 0
  let inString = false
  for (let at = from; at < source.length; at += 1) {
    const char = source.charAt(at)
    if (inString) {
      if (char === '\\') at += 1
      else if (char === '"') inString = false
    } else if (char === '"') inString = true
    else if (char === '{') depth += 1
    else if (char === '}') {
      depth -= 1
      if (depth === 0) return parse(source.slice(from, at + 1))
    }
  }
  return undefined
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
