/**
 * For zsh: to be sourced, or to lie as `_cloudtoken` in a folder of `fpath`.
 */
import { argumentsOf, letters, singleQuoted, valueOf, type Grammar } from './completion-words.ts'
import type { Option, OptionTable } from './option.ts'

export function zshCompletion(grammar: Grammar): string {
  const named = grammar.commands.map(command => `      ${singleQuoted(`${command.name}:${command.summary}`)}`)
  const cases = grammar.commands.map(command => {
    const words = argumentsOf(command)
    const first = words.length === 0 ? [] : [singleQuoted(`1:${command.name}:(${words.join(' ')})`)]
    return `    ${command.name}) specs=(${[...first, ...specs(command.options)].join(' ')}) ;;`
  })
  return `#compdef cloudtoken
_cloudtoken() {
  local -a commands specs
  if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
    commands=(
${named.join('\n')}
    )
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
    *) _arguments -s ${specs(grammar.options).join(' ')}; return ;;
  esac
  shift words
  (( CURRENT-- ))
  _arguments -s $specs
}
if [[ $funcstack[1] == _cloudtoken ]]; then
  _cloudtoken "$@"
else
  compdef _cloudtoken cloudtoken
fi
`
}

function specs(table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => {
    const value = valueOf(option)
    const tail = value.kind === 'none' ? '' : `:${option.value ?? name}:${action(option)}`
    const star = option.repeat ? '*' : ''
    const spec = (spelled: string): string =>
      singleQuoted(`${star}${spelled}[${escape(option.summary)}]${escapeTail(tail)}`)
    // "=" stands for "the value follows, in this word or in the next one"; "+" says so of a letter.
    const long = value.kind === 'none' ? `--${name}` : `--${name}=`
    return [spec(long), ...letters(option).map(letter => spec(value.kind === 'none' ? `-${letter}` : `-${letter}+`))]
  })
}

function action(option: Option): string {
  const value = valueOf(option)
  if (value.kind === 'words') return `(${value.words.join(' ')})`
  if (value.kind === 'file') return '_files'
  return value.kind === 'folder' ? '_files -/' : ''
}

function escape(text: string): string {
  return text.replace(/[\\[\]:]/g, String.raw`\$&`)
}

/** Only the name of the value may have a colon in it. */
function escapeTail(tail: string): string {
  const [, name = '', ...rest] = /^:(.*):(.*)$/.exec(tail) ?? []
  return tail === '' ? '' : `:${escape(name)}:${rest.join('')}`
}
