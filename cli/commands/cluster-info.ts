// kedge cluster-info.
import { kubeCommand, kubeGroup, out } from '../kube/command.ts'

const colour = (text: string, code: string) => (process.stdout.isTTY ? `\x1b[${code}m${text}\x1b[0m` : text)

const info = kubeCommand(
  {
    name: 'cluster-info',
    usage: '',
    about: 'Display addresses of the control plane and services with label kubernetes.io/cluster-service=true.',
  },
  async (k) => {
    out(`${colour('Kubernetes control plane', '0;32')} is running at ${colour(k.connection.server, '0;33')}\n`)
    const list = await k.client.get('/api/v1/namespaces/kube-system/services?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue')
    for (const s of list.items) {
      const [port] = s.spec.ports ?? []
      const name = s.metadata.labels?.['kubernetes.io/name'] || s.metadata.name
      const scheme = port?.name === 'https' || port?.port === 443 ? 'https:' : ''
      out(
        `${colour(name, '0;32')} is running at ${colour(`${k.connection.server}/api/v1/namespaces/${s.metadata.namespace}/services/${scheme}${s.metadata.name}:${port?.name ?? ''}/proxy`, '0;33')}\n`,
      )
    }
    out("\nTo further debug and diagnose cluster problems, use 'kedge cluster-info dump'.\n")
    return 0
  },
)

const dump = kubeCommand(
  {
    name: 'cluster-info dump',
    usage: '[flags] [options]',
    about: 'Dump information for debugging and diagnosis.',
    flags: {
      'all-namespaces': { type: 'bool', short: 'A', about: 'If true, dump all namespaces.' },
      namespaces: { type: 'list', about: 'A comma separated list of namespaces to dump.' },
    },
  },
  async (k) => {
    const { json } = await import('../../shared/print/json.ts')
    out(json(await k.client.get('/api/v1/nodes')))
    const namespaces: string[] = k.f['all-namespaces']
      ? (await k.client.get('/api/v1/namespaces')).items.map((n: any) => n.metadata.name)
      : k.f.namespaces.length
        ? k.f.namespaces
        : ['kube-system', k.namespace]
    for (const ns of namespaces)
      for (const path of [
        '/api/v1/namespaces/NS/events',
        '/api/v1/namespaces/NS/services',
        '/apis/apps/v1/namespaces/NS/deployments',
        '/apis/apps/v1/namespaces/NS/replicasets',
        '/api/v1/namespaces/NS/pods',
      ])
        out(json(await k.client.get(path.replace('NS', encodeURIComponent(ns)))))
    return 0
  },
)

const group = kubeGroup('cluster-info', 'Display addresses of the control plane.', { dump })
export const run = (argv: string[]): Promise<number> => (argv.includes('dump') ? group(argv) : info(argv))
