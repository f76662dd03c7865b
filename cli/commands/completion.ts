// kedge completion: scripts for shells; what to complete comes from `kedge __complete`.
import { err, out } from '../kube/command.ts'

const scripts: Record<string, string> = {
  bash: `# bash completion for kedge
_kedge() {
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  mapfile -t COMPREPLY < <(kedge __complete "\${words[@]}" 2>/dev/null)
}
complete -o default -F _kedge kedge
`,
  zsh: `#compdef kedge
_kedge() {
  local -a found
  found=(\${(f)"$(kedge __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  compadd -a found
}
compdef _kedge kedge
`,
  fish: `function __kedge_complete
  set -l words (commandline -opc) (commandline -ct)
  kedge __complete $words[2..-1] 2>/dev/null
end
complete -c kedge -f -a '(__kedge_complete)'
`,
  powershell: `Register-ArgumentCompleter -CommandName kedge -Native -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  kedge __complete @words 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
}
`,
}

export async function run(argv: string[]): Promise<number> {
  const [shell] = argv
  if (shell && scripts[shell]) {
    out(scripts[shell])
    return 0
  }
  if (!shell || shell === '--help' || shell === '-h') {
    const text =
      'Output shell completion code for the specified shell (bash, zsh, fish, or powershell).\n\nUsage:\n  kedge completion SHELL\n\n  source <(kedge completion bash)\n'
    if (shell) {
      out(text)
      return 0
    }
    err("error: Shell not specified.\nSee 'kedge completion -h' for help and examples\n")
    return 1
  }
  err(`error: Unsupported shell type ${JSON.stringify(shell)}.\nSee 'kedge completion -h' for help and examples\n`)
  return 1
}
