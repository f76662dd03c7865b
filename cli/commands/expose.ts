// kedge expose: a service in front of a workload, a pod or another service.
import { podSpecOf } from '../kube/change.ts'
import { Failure, kubeCommand } from '../kube/command.ts'
import { generatorFlags } from '../kube/create-object.ts'
import { pairs } from '../kube/generators.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { dryRunOf, Teller, writeQuery } from '../kube/write.ts'

export const run = kubeCommand(
  {
    name: 'expose',
    usage:
      '(-f FILENAME | TYPE NAME) [--port=port] [--protocol=TCP|UDP|SCTP] [--target-port=number-or-name] [--name=name] [--external-ip=external-ip-of-service] [--type=type] [options]',
    about: 'Expose a resource as a new Kubernetes service.',
    flags: {
      ...fileFlags,
      ...generatorFlags,
      'cluster-ip': { type: 'string', about: 'ClusterIP to be assigned to the service.' },
      'external-ip': { type: 'string', about: 'Additional external IP address (not managed by Kubernetes) to accept for the service.' },
      labels: { type: 'string', short: 'l', about: 'Labels to apply to the service created by this call.' },
      'load-balancer-ip': { type: 'string', about: 'IP to assign to the LoadBalancer.' },
      name: { type: 'string', about: 'The name for the newly created object.' },
      overrides: { type: 'string', about: 'An inline JSON override for the generated object.' },
      port: { type: 'string', about: 'The port that the service should serve on. Copied from the resource being exposed, if unspecified' },
      protocol: { type: 'string', about: "The network protocol for the service to be created. Default is 'TCP'." },
      selector: { type: 'string', about: 'A label selector to use for this service.' },
      'session-affinity': {
        type: 'string',
        about: "If non-empty, set the session affinity for the service to this; legal values: 'None', 'ClientIP'",
      },
      'target-port': { type: 'string', about: 'Name or number for the port on the container that the service should direct traffic to.' },
      type: { type: 'string', about: 'Type for this service: ClusterIP, NodePort, LoadBalancer, or ExternalName.' },
    },
  },
  async (k) => {
    const { f } = k
    const teller = new Teller(k)
    const number = (p: string) => (/^\d+$/.test(p) ? Number(p) : p)
    const wanted = f.selector
    f.selector = ''
    for (const { resource, object } of await remotes(k)) {
      if (!['Deployment', 'ReplicaSet', 'ReplicationController', 'StatefulSet', 'Pod', 'Service'].includes(resource.kind))
        throw new Failure(`cannot expose a ${resource.kind}.${resource.group}`.replace(/\.$/, ''))
      const selector: Record<string, string> | undefined = wanted
        ? Object.fromEntries(pairs(wanted.split(','), 'selector'))
        : resource.kind === 'Pod'
          ? object.metadata.labels
          : resource.kind === 'Service' || resource.kind === 'ReplicationController'
            ? object.spec.selector
            : object.spec.selector?.matchLabels
      if (!selector || !Object.keys(selector).length)
        throw new Failure(
          resource.kind === 'Pod'
            ? "couldn't retrieve selectors via --selector flag or introspection: the pod has no labels and cannot be exposed"
            : `couldn't retrieve selectors via --selector flag or introspection: invalid ${resource.kind.toLowerCase()}: no selectors, therefore cannot be exposed`,
        )
      const own: any[] =
        resource.kind === 'Service' ? object.spec.ports : (podSpecOf(object)?.containers ?? []).flatMap((c: any) => c.ports ?? [])
      const found = own.map((p) => ({ port: p.port ?? p.containerPort, protocol: p.protocol ?? 'TCP' }))
      const given = f.port
        ? String(f.port)
            .split(',')
            .map((p: string) => ({ port: Number(p), protocol: f.protocol || found.find((x) => x.port === Number(p))?.protocol || 'TCP' }))
        : found.map((p) => ({ ...p, protocol: f.protocol || p.protocol }))
      if (!given.length) throw new Failure("couldn't find port via --port flag or introspection")
      const ports = given.map((p, i) => ({
        ...(given.length > 1 ? { name: `port-${i + 1}` } : {}),
        port: p.port,
        protocol: p.protocol,
        targetPort: f['target-port'] ? number(f['target-port']) : p.port,
      }))
      const name = f.name || object.metadata.name.slice(0, 63)
      const labels = f.labels ? Object.fromEntries(pairs(f.labels.split(','), 'label')) : object.metadata.labels
      let service: any = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          creationTimestamp: null,
          ...(labels && Object.keys(labels).length ? { labels } : {}),
          name,
          ...(k.given.has('namespace') && dryRunOf(k) === 'client' ? { namespace: k.namespace } : {}),
        },
        spec: {
          ...(f['cluster-ip'] ? { clusterIP: f['cluster-ip'] } : {}),
          ...(f['external-ip'] ? { externalIPs: f['external-ip'].split(',') } : {}),
          ...(f['load-balancer-ip'] ? { loadBalancerIP: f['load-balancer-ip'] } : {}),
          ports,
          selector,
          ...(f['session-affinity'] ? { sessionAffinity: f['session-affinity'] } : {}),
          ...(f.type ? { type: f.type } : {}),
        },
        status: { loadBalancer: {} },
      }
      if (f.overrides)
        service = {
          ...service,
          ...JSON.parse(f.overrides),
          metadata: { ...service.metadata, ...JSON.parse(f.overrides).metadata },
          spec: { ...service.spec, ...JSON.parse(f.overrides).spec },
        }
      const type = await k.resources.find('services')
      const done =
        dryRunOf(k) === 'client'
          ? service
          : await k.client.json(
              `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/services${writeQuery(k, { fieldManager: f['field-manager'] || 'kubectl-expose' })}`,
              { method: 'POST', body: service },
            )
      teller.tell(type, done, 'exposed')
    }
    return 0
  },
)
