// kedge rotate-key: a new key for the Secrets of a data folder.
import { parseFlags } from '../flags.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'rotate-key --data DIR',
    'Gives the data folder of a control plane a new key. When it starts the next time, it encrypts every Secret anew and forgets the old key.',
    { data: { type: 'string', value: 'DIR', about: 'the data folder', default: '.kedge/server' } },
    args,
  )
  if (!parsed) return 0
  const { rotateKey } = await import('../../api/platform/node/folder.ts')
  rotateKey(parsed.values.data)
  process.stdout.write(`${parsed.values.data} has a new key; restart kedge serve to use it\n`)
  return 0
}
