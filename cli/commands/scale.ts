// kedge scale: through the scale subresource.
import { Failure, Failures, kubeCommand } from '../kube/command.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf } from '../kube/resources.ts'
import { dryRunOf, Teller, writeFlags, writeQuery } from '../kube/write.ts'

export const run = kubeCommand(
  {
    name: 'scale',
    usage: '[--resource-version=version] [--current-replicas=count] --replicas=COUNT (-f FILENAME | TYPE NAME) [options]',
    about: 'Set a new size for a deployment, replica set, replication controller, or stateful set.',
    flags: {
      ...fileFlags,
      ...printFlags,
      ...writeFlags,
      all: { type: 'bool', about: 'Select all resources in the namespace of the specified resource types' },
      'current-replicas': { type: 'int', default: -1, about: 'Precondition for current size.' },
      replicas: { type: 'int', default: -1, about: 'The new desired number of replicas. Required.' },
      'resource-version': { type: 'string', about: 'Precondition for resource version.' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      timeout: { type: 'duration', default: '0s', about: 'The length of time to wait before giving up on a scale operation.' },
    },
  },
  async (k) => {
    const { f } = k
    if (!k.given.has('replicas')) throw new Failure('required flag(s) "replicas" not set')
    if (f.replicas < 0) throw new Failure('The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0')
    const teller = new Teller(k)
    const faults: unknown[] = []
    const list = await remotes(k).catch((cause) => {
      if (cause instanceof Failures)
        throw new Failure(`no objects passed to scale ${cause.causes.map((c) => (c as Error).message).join(', ')}`)
      throw cause
    })
    if (!list.length) throw new Failure('no objects passed to scale')
    for (const { resource, object } of list)
      try {
        const at = pathOf(resource, object.metadata.namespace, object.metadata.name)
        if (!resource.subresources.includes('scale')) throw new Failure('the server could not find the requested resource')
        const scale = await k.client.get(`${at}/scale`)
        if (f['current-replicas'] >= 0 && scale.spec.replicas !== f['current-replicas'])
          throw new Failure(`Expected replicas to be ${f['current-replicas']}, was ${scale.spec.replicas ?? 0}`)
        if (f['resource-version'] && scale.metadata.resourceVersion !== f['resource-version'])
          throw new Failure(`Expected resource version to be ${f['resource-version']}, was ${scale.metadata.resourceVersion}`)
        if (dryRunOf(k) !== 'client')
          await k.client.patch(`${at}/scale${writeQuery(k, { fieldManager: f['field-manager'] || 'kubectl-scale' })}`, {
            spec: { replicas: f.replicas },
          })
        teller.tell(resource, f.output && dryRunOf(k) === 'none' ? await k.client.get(at) : object, 'scaled')
      } catch (cause) {
        faults.push(cause)
      }
    if (k.f['faults']) faults.push(...k.f['faults'])
    if (faults.length) throw new Failures(faults)
    return 0
  },
)
