/**
 * For PowerShell, from 5.1 on: `cloudtoken completion powershell | Out-String | Invoke-Expression` in $PROFILE.
 */
import { allOptions, argumentsOf, valueOf, type Grammar } from './completion-words.ts'
import type { OptionTable } from './option.ts'

export function powershellCompletion(grammar: Grammar): string {
  const values = Object.entries(allOptions(grammar)).flatMap(([name, option]) => {
    const value = valueOf(option)
    // Of files and everything else PowerShell offers what it always does.
    if (value.kind === 'none') return []
    const words = value.kind === 'words' ? value.words : []
    return [`    ${quoted(`--${name}`)} = ${list(words)}`]
  })
  const commands = grammar.commands.map(command => `    ${quoted(command.name)} = ${quoted(command.summary)}`)
  const following = grammar.commands.map(command => `    ${quoted(command.name)} = ${list(argumentsOf(command))}`)
  const options = grammar.commands.map(command => `    ${quoted(command.name)} = ${names(command.options)}`)
  return `# PowerShell completion for cloudtoken
Register-ArgumentCompleter -Native -CommandName cloudtoken -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $values = @{
${values.join('\n')}
  }
  $commands = [ordered]@{
${commands.join('\n')}
  }
  $following = @{
${following.join('\n')}
  }
  $options = @{
${options.join('\n')}
  }
  $words = @($commandAst.CommandElements | Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { "$_" })
  $previous = $words[-1]
  $command = if ($words.Count -gt 1) { $words[1] } else { '' }
  $candidates = if ($values.ContainsKey($previous)) { $values[$previous] }
    elseif ($wordToComplete -like '-*') { if ($options.ContainsKey($command)) { $options[$command] } else { ${names(grammar.options)} } }
    elseif ($words.Count -eq 1) { $commands.Keys }
    elseif ($words.Count -eq 2 -and $following.ContainsKey($command)) { $following[$command] }
  $candidates | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    $tip = if ($commands.Contains($_)) { $commands[$_] } else { $_ }
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $tip)
  }
}
`
}

function names(table: OptionTable): string {
  return list(Object.keys(table).map(name => `--${name}`))
}

function list(words: readonly string[]): string {
  return `@(${words.map(quoted).join(', ')})`
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
