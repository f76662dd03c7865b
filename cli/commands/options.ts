// kedge options: the flags that every command has.
import { out } from '../kube/command.ts'
import { globals } from '../kube/flags.ts'

export async function run(): Promise<number> {
  const lines = Object.entries(globals).map(
    ([name, f]) =>
      `    ${f.short && f.short !== name ? `-${f.short}, ` : ''}--${name}=${f.type === 'bool' ? false : f.type === 'int' ? 0 : f.type === 'array' ? '[]' : `'${f.default ?? ''}'`}:\n\t${f.about}\n`,
  )
  out(`The following options can be passed to any command:\n\n${lines.join('\n')}`)
  return 0
}
