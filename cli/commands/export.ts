// kedge export: a whole cluster as one file.
import { parseFlags } from '../flags.ts'
import { currentAccess } from '../kubeconfig.ts'
import { apiRequest, download } from '../request.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'export --output FILE',
    'Writes everything of the cluster that KUBECONFIG names into one file: objects, history, node keys, and the key of its Secrets. Keep it safe.',
    {
      output: { type: 'string', value: 'FILE', about: 'where to' },
      freeze: { type: 'boolean', about: 'let the cluster take no more writes, so that nothing is lost when it moves (kedge move)' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  if (!v.output) throw new Error('--output is missing: the file to write')
  const access = currentAccess()
  if (v.freeze) await apiRequest(access, 'PUT', '/kedge/v1/moving', {})
  const size = await download(access, '/kedge/v1/export', v.output)
  process.stdout.write(
    `${v.output}: ${(size / 1024 / 1024).toFixed(1)} MiB${v.freeze ? '; the cluster takes no writes until `kedge move`' : ''}\n`,
  )
  return 0
}
