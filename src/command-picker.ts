/**
 * The menu of roles at a terminal: searchable, the roles of the last runs on top, each with the number that it has in the list.
 */
import type { Context } from './command-context.ts'
import type { Choice } from './provider.ts'
import { roleLines } from './roles.ts'
import type { Offer } from './session-offer.ts'
import type { Session } from './session.ts'
import type { Role } from './types.ts'

export async function chooseAtTerminal(
  { terminal, config }: Pick<Context, 'terminal' | 'config'>,
  session: Pick<Session, 'recentRoles'>,
  offer: Pick<Offer, 'names'>,
  roles: readonly Role[],
): Promise<Role> {
  const names = await offer.names(config.accounts)
  const choices = roleChoices(roles, names, config.aliases, session.recentRoles())
  return await terminal.choose('Enter number of role you want: ', choices)
}

/** `recent`: ARNs, the last one first. */
export function roleChoices(
  roles: readonly Role[],
  names: ReadonlyMap<string, string>,
  aliases: Readonly<Record<string, string>>,
  recent: readonly string[],
): Choice<Role>[] {
  const marks = new Map<string, string[]>()
  const mark = (arn: string, text: string): void => void marks.set(arn, [...(marks.get(arn) ?? []), text])
  for (const [alias, arn] of Object.entries(aliases)) mark(arn, `alias ${alias}`)
  for (const [index, arn] of recent.entries()) mark(arn, index === 0 ? 'last used' : 'recent')
  const lines = roleLines(roles, names, role => marks.get(role.roleArn) ?? [])
  const choices = roles.map((value, index) => ({ value, label: lines[index]?.trim() ?? value.roleArn }))
  const rank = new Map(recent.map((arn, index) => [arn, index]))
  const rankOf = ({ value }: Choice<Role>): number => rank.get(value.roleArn) ?? recent.length
  return choices.toSorted((a, b) => rankOf(a) - rankOf(b))
}
