/**
 * The block of settings in every page of Entra ID: `$Config={…};`. Pure.
 */
import { textAt } from './api-json.ts'
import { readLiteral } from './html-literal.ts'
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
  const config = readLiteral(source, start.index + start[0].length)
  const kind = textAt(config, 'pgid') || (/<meta\s+name="PageID"\s+content="([\w.]+)"/i.exec(source)?.[1] ?? '')
  return kind === '' ? undefined : { kind, config }
}

/** The token goes under a name that the page gives it. */
export function flowToken(config: unknown, token = textAt(config, 'sFT')): Record<string, string> {
  return { [textAt(config, 'sFTName') || 'flowToken']: token }
}
