// kedge token create --join: a join token that carries the CA's hash, on the last line of its output.
import { createHash, X509Certificate } from 'node:crypto'
import { parseFlags } from '../flags.ts'
import { currentAccess } from '../kubeconfig.ts'
import { apiRequest } from '../request.ts'

export async function run(args: string[]): Promise<number> {
  const parsed = parseFlags(
    'token create',
    'Makes a join token on the cluster that KUBECONFIG names, and prints it on the last line.',
    {
      join: { type: 'boolean', about: 'a token that lets a machine join as a node' },
      uses: { type: 'string', value: 'N', about: 'how many machines may join with it', default: '1' },
      ttl: { type: 'string', value: 'SECONDS', about: 'how long it holds', default: '86400' },
    },
    args,
  )
  if (!parsed) return 0
  const { values, positionals } = parsed
  if (positionals[0] !== 'create' || !values.join) throw new Error('usage: kedge token create --join [--uses N] [--ttl SECONDS]')
  const access = currentAccess()
  const { token } = await apiRequest(access, 'POST', '/kedge/v1/tokens', { uses: Number(values.uses), seconds: Number(values.ttl) })
  const hash = access.ca ? `.${createHash('sha256').update(new X509Certificate(access.ca).raw).digest('hex')}` : ''
  process.stdout.write(`${token}${hash}\n`)
  return 0
}
