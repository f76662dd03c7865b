// kedge create: from files, and the generators of single kinds.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { configMapKey } from '../../shared/meta/names.ts'
import { Failure, Failures, type Kube, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import { createObject, generatorFlags } from '../kube/create-object.ts'
import type { Flags } from '../kube/flags.ts'
import { cronJob, deployment, job, meta, pairs, service, servicePort, toBase64 } from '../kube/generators.ts'
import { fileFlags, locals, selectorFlag } from '../kube/objects.ts'
import { printFlags } from '../kube/printers.ts'
import { pathOf, unasked } from '../kube/resources.ts'
import { Teller } from '../kube/write.ts'
import { located, selects } from './apply.ts'
import { edited } from './edit.ts'

const nameOf = (k: Kube): string => {
  if (k.args.length !== 1 && k.dash !== 1)
    throw new Failure(`exactly one NAME is required, got ${k.args.length}\nSee 'kedge ${k.name} -h' for help and examples`)
  return k.args[0]!
}

/** How each generator begins when the server refuses. */
const failed: Record<string, string> = {
  configmap: 'failed to create configmap:',
  'secret generic': 'failed to create secret',
  'secret tls': 'failed to create secret',
  'secret docker-registry': 'failed to create secret',
  deployment: 'failed to create deployment:',
  job: 'failed to create job:',
  cronjob: 'failed to create cronjob:',
  serviceaccount: 'failed to create serviceaccount:',
  rolebinding: 'failed to create rolebinding:',
  clusterrolebinding: 'failed to create clusterrolebinding:',
  quota: 'failed to create quota:',
  priorityclass: 'failed to create priorityclass:',
  ingress: 'failed to create ingress:',
  'service clusterip': 'failed to create ClusterIP service:',
  'service nodeport': 'failed to create NodePort service:',
  'service loadbalancer': 'failed to create LoadBalancer service:',
  'service externalname': 'failed to create ExternalName service:',
}

/** A generator: its flags, and the object they make. */
const generator = (kind: string, usage: string, about: string, flags: Flags, make: (k: Kube, name: string) => any | Promise<any>) =>
  kubeCommand({ name: `create ${kind}`, usage, about, flags: { ...generatorFlags, ...flags } }, async (k) => {
    let object: any
    try {
      object = await make(k, nameOf(k))
    } catch (cause) {
      throw cause instanceof Failure ? cause : new Failure((cause as Error).message)
    }
    await createObject(k, object).catch((cause) => {
      const words = failed[kind]
      throw words && cause.status?.message && cause.code !== 422 ? new Failure(`${words} ${cause.status.message}`) : cause
    })
    return 0
  })

// --- config maps and secrets ---

const sources: Flags = {
  'append-hash': { type: 'bool', about: 'Append a hash of the object to its name.' },
  'from-env-file': { type: 'list', about: 'Specify the path to a file to read lines of key=val pairs.' },
  'from-file': { type: 'list', about: 'Key file can be specified using its file path, or as name=path.' },
  'from-literal': { type: 'array', about: 'Specify a key and literal value to insert (i.e. mykey=somevalue)' },
}

function contents(k: Kube): [string, Buffer][] {
  const { f } = k
  if (f['from-env-file'].length && (f['from-file'].length || f['from-literal'].length))
    throw new Failure('from-env-file cannot be combined with from-file or from-literal')
  const all: [string, Buffer][] = []
  const add = (key: string, value: Buffer) => {
    const faults = configMapKey(key)
    if (faults.length) throw new Failure(`${JSON.stringify(key)} is not a valid key name for a ConfigMap: ${faults.join(',')}`)
    if (all.some(([known]) => known === key))
      throw new Failure(
        `cannot add key ${JSON.stringify(key)}, another key by that name already exists in Data for ConfigMap ${JSON.stringify(k.args[0])}`,
      )
    all.push([key, value])
  }
  for (const entry of f['from-file'] as string[]) {
    const at = entry.indexOf('=')
    const [key, file] = at < 0 ? [path.basename(entry), entry] : [entry.slice(0, at), entry.slice(at + 1)]
    const stat = statSync(file, { throwIfNoEntry: false })
    if (!stat) throw new Failure(`error reading ${file}: no such file or directory`)
    if (stat.isDirectory()) {
      if (at >= 0) throw new Failure('cannot give a key name for a directory path')
      for (const name of readdirSync(file).sort())
        if (statSync(path.join(file, name)).isFile() && !configMapKey(name).length) add(name, readFileSync(path.join(file, name)))
    } else add(key!, readFileSync(file!))
  }
  for (const literal of f['from-literal'] as string[]) {
    const at = literal.indexOf('=')
    if (at < 1) throw new Failure(`invalid literal source ${literal}, expected key=value`)
    add(literal.slice(0, at), Buffer.from(literal.slice(at + 1).replace(/^(["'])([\s\S]*)\1$/, '$2')))
  }
  for (const file of f['from-env-file'] as string[])
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const text = line.trimStart()
      if (!text || text.startsWith('#')) continue
      const at = text.indexOf('=')
      if (at < 0) {
        if (process.env[text] !== undefined) add(text, Buffer.from(process.env[text]!))
      } else add(text.slice(0, at), Buffer.from(text.slice(at + 1)))
    }
  return all.sort(([a], [b]) => (a < b ? -1 : 1))
}

const isText = (b: Buffer) => Buffer.from(b.toString('utf8')).equals(b)

const configMap = generator(
  'configmap',
  'NAME [--from-file=[key=]source] [--from-literal=key1=value1] [--dry-run=server|client|none] [options]',
  'Create a config map based on a file, directory, or specified literal value.',
  sources,
  (k, name) => {
    const all = contents(k)
    const text = all.filter(([, v]) => isText(v))
    const binary = all.filter(([, v]) => !isText(v))
    return {
      apiVersion: 'v1',
      ...(binary.length ? { binaryData: Object.fromEntries(binary.map(([key, v]) => [key, toBase64(v)])) } : {}),
      ...(text.length ? { data: Object.fromEntries(text.map(([key, v]) => [key, v.toString()])) } : {}),
      kind: 'ConfigMap',
      metadata: meta(name),
    }
  },
)

const secretObject = (name: string, data: Record<string, string>, type = ''): any => ({
  apiVersion: 'v1',
  ...(Object.keys(data).length ? { data } : {}),
  kind: 'Secret',
  metadata: meta(name),
  ...(type ? { type } : {}),
})

const secret = kubeGroup('create secret', 'Create a secret with specified type.', {
  generic: generator(
    'secret generic',
    'NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [options]',
    'Create a secret based on a file, directory, or specified literal value.',
    { ...sources, type: { type: 'string', about: 'The type of secret to create' } },
    (k, name) => secretObject(name, Object.fromEntries(contents(k).map(([key, v]) => [key, toBase64(v)])), k.f.type),
  ),
  tls: generator(
    'secret tls',
    'NAME --cert=path/to/cert/file --key=path/to/key/file [options]',
    'Create a TLS secret from the given public/private key pair.',
    {
      cert: { type: 'string', about: 'Path to PEM encoded public key certificate.' },
      key: { type: 'string', about: 'Path to private key associated with given certificate.' },
    },
    (k, name) => {
      if (!k.f.cert || !k.f.key) throw new Failure(!k.f.key ? 'key must be specified' : 'certificate must be specified')
      return secretObject(
        name,
        { 'tls.crt': toBase64(readFileSync(k.f.cert)), 'tls.key': toBase64(readFileSync(k.f.key)) },
        'kubernetes.io/tls',
      )
    },
  ),
  'docker-registry': generator(
    'secret docker-registry',
    'NAME --docker-username=user --docker-password=password --docker-email=email [--docker-server=string] [options]',
    'Create a new secret for use with Docker registries.',
    {
      'docker-email': { type: 'string', about: 'Email for Docker registry' },
      'docker-password': { type: 'string', about: 'Password for Docker registry authentication' },
      'docker-server': { type: 'string', default: 'https://index.docker.io/v1/', about: 'Server location for Docker registry' },
      'docker-username': { type: 'string', about: 'Username for Docker registry authentication' },
      'from-file': { type: 'list', about: 'Key files can be specified using their file path.' },
    },
    (k, name) => {
      if (k.f['from-file'].length)
        return secretObject(
          name,
          { '.dockerconfigjson': toBase64(readFileSync(k.f['from-file'][0].split('=').at(-1))) },
          'kubernetes.io/dockerconfigjson',
        )
      const [username, password, email] = [k.f['docker-username'], k.f['docker-password'], k.f['docker-email']]
      if (!username || !password)
        throw new Failure('either --from-file or the combination of --docker-username, --docker-password and --docker-server is required')
      const auths = {
        [k.f['docker-server']]: { username, password, ...(email ? { email } : {}), auth: toBase64(`${username}:${password}`) },
      }
      return secretObject(name, { '.dockerconfigjson': toBase64(JSON.stringify({ auths })) }, 'kubernetes.io/dockerconfigjson')
    },
  ),
})

// --- services ---

const tcp: Flags = { tcp: { type: 'list', about: "Port pairs can be specified as '<port>:<targetPort>'." } }
const portsOf = (k: Kube, nodePort = 0) => {
  if (!k.f.tcp.length) throw new Failure('at least one tcp port specifier must be provided')
  return k.f.tcp.map((t: string) => servicePort(t, nodePort))
}
const serviceGroup = kubeGroup('create service', 'Create a service using a specified subcommand.', {
  clusterip: generator(
    'service clusterip',
    'NAME [--tcp=<port>:<targetPort>] [options]',
    'Create a ClusterIP service with the specified name.',
    {
      ...tcp,
      clusterip: { type: 'string', about: "Assign your own ClusterIP or set to 'None' for a 'headless' service (no loadbalancing)." },
    },
    (k, name) =>
      service(
        name,
        'ClusterIP',
        k.f.clusterip === 'None' && !k.f.tcp.length ? [] : portsOf(k),
        k.f.clusterip ? { clusterIP: k.f.clusterip } : {},
      ),
  ),
  nodeport: generator(
    'service nodeport',
    'NAME [--tcp=port:targetPort] [options]',
    'Create a NodePort service with the specified name.',
    { ...tcp, 'node-port': { type: 'int', about: 'Port used to expose the service on each node in a cluster.' } },
    (k, name) => service(name, 'NodePort', portsOf(k, k.f['node-port'])),
  ),
  loadbalancer: generator(
    'service loadbalancer',
    'NAME [--tcp=port:targetPort] [options]',
    'Create a LoadBalancer service with the specified name.',
    tcp,
    (k, name) => service(name, 'LoadBalancer', portsOf(k)),
  ),
  externalname: generator(
    'service externalname',
    'NAME --external-name external.name [options]',
    'Create an ExternalName service with the specified name.',
    { ...tcp, 'external-name': { type: 'string', about: 'External name of service' } },
    (k, name) => {
      if (!k.f['external-name']) throw new Failure('required flag(s) "external-name" not set')
      return service(name, 'ExternalName', k.f.tcp.length ? portsOf(k) : [], { externalName: k.f['external-name'] })
    },
  ),
})

// --- rights ---

const ruleFlags: Flags = {
  resource: { type: 'list', about: 'Resource that the rule applies to' },
  'resource-name': { type: 'array', about: 'Resource in the white list that the rule applies to' },
  verb: { type: 'list', about: 'Verb that applies to the resources contained in the rule' },
}

async function rulesOf(k: Kube): Promise<any[]> {
  const { f } = k
  const verbs: string[] = f.verb.includes('*') ? ['*'] : [...new Set<string>(f.verb)]
  if (!verbs.length) throw new Failure('at least one verb must be specified')
  const urls: string[] = f['non-resource-url'] ?? []
  if (!f.resource.length && !urls.length)
    throw new Failure(
      f['non-resource-url'] ? 'one of resource or nonResourceURL must be specified' : 'at least one resource must be specified',
    )
  if (urls.length) return [{ nonResourceURLs: urls, verbs }]
  const groups = new Map<string, string[]>()
  for (const given of f.resource as string[]) {
    const [word, sub] = given.split('/') as [string, string?]
    const r =
      word === '*'
        ? { group: '*', plural: '*' }
        : await k.resources.find(word).catch(() => {
            throw new Failure(`the server doesn't have a resource type ${JSON.stringify(word)}`)
          })
    const name = sub ? `${r.plural}/${sub}` : r.plural
    groups.set(r.group, [...(groups.get(r.group) ?? []), name])
  }
  return [...groups.keys()].sort().map((group) => ({
    apiGroups: [group],
    ...(f['resource-name'].length ? { resourceNames: f['resource-name'] } : {}),
    resources: groups.get(group),
    verbs,
  }))
}

const subjects = (k: Kube): any[] => [
  ...(k.f.user as string[]).map((name) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name })),
  ...(k.f.group as string[]).map((name) => ({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name })),
  ...(k.f.serviceaccount as string[]).map((text) => {
    const [namespace, name, rest] = text.split(':')
    if (!namespace || !name || rest !== undefined) throw new Failure(`serviceaccount must be <namespace>:<name>`)
    return { kind: 'ServiceAccount', name, namespace }
  }),
]
const subjectFlags: Flags = {
  clusterrole: { type: 'string', about: 'ClusterRole this binding should reference' },
  group: { type: 'array', about: 'Groups to bind to the role.' },
  serviceaccount: { type: 'array', about: 'Service accounts to bind to the role, in the format <namespace>:<name>.' },
  user: { type: 'array', about: 'Usernames to bind to the role.' },
}
const RBAC = 'rbac.authorization.k8s.io/v1'
const binding = (kind: string, name: string, refKind: string, ref: string, list: any[]) => ({
  apiVersion: RBAC,
  kind,
  metadata: meta(name),
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: refKind, name: ref },
  ...(list.length ? { subjects: list } : {}),
})

const generators: Record<string, (argv: string[]) => Promise<number>> = {
  namespace: generator('namespace', 'NAME [options]', 'Create a namespace with the specified name.', {}, (_k, name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: meta(name),
    spec: {},
    status: {},
  })),
  configmap: configMap,
  secret,
  service: serviceGroup,
  deployment: generator(
    'deployment',
    'NAME --image=image -- [COMMAND] [args...] [options]',
    'Create a deployment with the specified name.',
    {
      image: { type: 'list', about: 'Image names to run.' },
      port: { type: 'int', default: -1, about: 'The containerPort that this deployment exposes.' },
      replicas: { type: 'int', short: 'r', default: 1, about: 'Number of replicas to create.' },
    },
    (k, name) => {
      if (!k.f.image.length) throw new Failure('required flag(s) "image" not set')
      if (k.f.image.length > 1 && k.args.length > 1) throw new Failure('cannot specify multiple --image options and command')
      return deployment(name, k.f.image, k.f.replicas, k.args.slice(1), k.f.port)
    },
  ),
  job: generator(
    'job',
    'NAME --image=image [--from=cronjob/name] -- [COMMAND] [args...] [options]',
    'Create a job with the specified name.',
    {
      from: { type: 'string', about: 'The name of the resource to create a Job from (only cronjob is supported).' },
      image: { type: 'string', about: 'Image name to run.' },
    },
    async (k, name) => {
      if (!k.f.image && !k.f.from) throw new Failure('either --image or --from must be specified')
      if (k.f.image) return job(name, k.f.image, k.args.slice(1))
      const [type, from] = k.f.from.split('/')
      const resource = await k.resources.find(type)
      const source = await k.client.get(pathOf(resource, k.namespace, from))
      const { spec, metadata } = source.spec.jobTemplate
      return {
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: meta(name, {
          annotations: { 'cronjob.kubernetes.io/instantiate': 'manual', ...metadata?.annotations },
          labels: metadata?.labels,
          ownerReferences: [{ apiVersion: 'batch/v1', controller: true, kind: 'CronJob', name: from, uid: source.metadata.uid }],
        }),
        spec,
        status: {},
      }
    },
  ),
  cronjob: generator(
    'cronjob',
    "NAME --image=image --schedule='0/5 * * * ?' -- [COMMAND] [args...] [flags] [options]",
    'Create a cron job with the specified name.',
    {
      image: { type: 'string', about: 'Image name to run.' },
      restart: { type: 'string', about: "job's restart policy. supported values: OnFailure, Never" },
      schedule: { type: 'string', about: 'A schedule in the Cron format the job should be run with.' },
    },
    (k, name) => {
      const missing = ['image', 'schedule'].filter((n) => !k.f[n])
      if (missing.length) throw new Failure(`required flag(s) ${missing.map((m) => JSON.stringify(m)).join(', ')} not set`)
      return cronJob(name, k.f.image, k.f.schedule, k.args.slice(1), k.f.restart)
    },
  ),
  serviceaccount: generator(
    'serviceaccount',
    'NAME [--dry-run=server|client|none] [options]',
    'Create a service account with the specified name.',
    {},
    (_k, name) => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: meta(name) }),
  ),
  role: generator(
    'role',
    'NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [options]',
    'Create a role with single rule.',
    ruleFlags,
    async (k, name) => ({ apiVersion: RBAC, kind: 'Role', metadata: meta(name), rules: await rulesOf(k) }),
  ),
  clusterrole: generator(
    'clusterrole',
    'NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [options]',
    'Create a cluster role.',
    {
      ...ruleFlags,
      'aggregation-rule': { type: 'array', about: 'An aggregation label selector for combining ClusterRoles.' },
      'non-resource-url': { type: 'list', about: 'A partial url that user should have access to.' },
    },
    async (k, name) => {
      if (k.f['aggregation-rule'].length)
        return {
          aggregationRule: {
            clusterRoleSelectors: [{ matchLabels: Object.fromEntries(pairs(k.f['aggregation-rule'], 'aggregation rule')) }],
          },
          apiVersion: RBAC,
          kind: 'ClusterRole',
          metadata: meta(name),
          rules: null,
        }
      return { apiVersion: RBAC, kind: 'ClusterRole', metadata: meta(name), rules: await rulesOf(k) }
    },
  ),
  rolebinding: generator(
    'rolebinding',
    'NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [options]',
    'Create a role binding for a particular role or cluster role.',
    { ...subjectFlags, role: { type: 'string', about: 'Role this RoleBinding should reference' } },
    (k, name) => {
      if (!!k.f.role === !!k.f.clusterrole) throw new Failure('exactly one of clusterrole or role must be specified')
      return binding('RoleBinding', name, k.f.role ? 'Role' : 'ClusterRole', k.f.role || k.f.clusterrole, subjects(k))
    },
  ),
  clusterrolebinding: generator(
    'clusterrolebinding',
    'NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [options]',
    'Create a cluster role binding for a particular cluster role.',
    subjectFlags,
    (k, name) => {
      if (!k.f.clusterrole) throw new Failure('clusterrole must be specified')
      return binding('ClusterRoleBinding', name, 'ClusterRole', k.f.clusterrole, subjects(k))
    },
  ),
  quota: generator(
    'quota',
    'NAME [--hard=key1=value1,key2=value2] [--scopes=Scope1,Scope2] [options]',
    'Create a resource quota with the specified name, hard limits, and optional scopes.',
    {
      hard: { type: 'string', about: 'A comma-delimited set of resource=quantity pairs that define a hard limit.' },
      scopes: { type: 'string', about: 'A comma-delimited set of quota scopes.' },
    },
    (k, name) => ({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: meta(name),
      spec: {
        ...(k.f.hard ? { hard: Object.fromEntries(pairs(k.f.hard.split(','), 'hard limit')) } : {}),
        ...(k.f.scopes ? { scopes: k.f.scopes.split(',') } : {}),
      },
      status: {},
    }),
  ),
  priorityclass: generator(
    'priorityclass',
    'NAME --value=VALUE --global-default=BOOL [options]',
    'Create a priority class with the specified name, value, globalDefault and description.',
    {
      description: {
        type: 'string',
        about: 'description is an arbitrary string that usually provides guidelines on when this priority class should be used.',
      },
      'global-default': {
        type: 'bool',
        about: 'global-default specifies whether this PriorityClass should be considered as the default priority.',
      },
      'preemption-policy': {
        type: 'string',
        default: 'PreemptLowerPriority',
        about: 'preemption-policy is the policy for preempting pods with lower priority.',
      },
      value: { type: 'int', about: 'the value of this priority class.' },
    },
    (k, name) => ({
      apiVersion: 'scheduling.k8s.io/v1',
      ...(k.f.description ? { description: k.f.description } : {}),
      ...(k.f['global-default'] ? { globalDefault: true } : {}),
      kind: 'PriorityClass',
      metadata: meta(name),
      preemptionPolicy: k.f['preemption-policy'],
      value: k.f.value,
    }),
  ),
  poddisruptionbudget: generator(
    'poddisruptionbudget',
    'NAME --selector=SELECTOR --min-available=N [options]',
    'Create a pod disruption budget with the specified name, selector, and desired minimum available pods.',
    {
      'max-unavailable': { type: 'string', about: 'The maximum number or percentage of unavailable pods this budget requires.' },
      'min-available': { type: 'string', about: 'The minimum number or percentage of available pods this budget requires.' },
      selector: { type: 'string', about: 'A label selector to use for this budget.' },
    },
    (k, name) => {
      const { selector } = k.f
      const [min, max] = [k.f['min-available'], k.f['max-unavailable']]
      if (!selector) throw new Failure('a selector must be specified')
      if (!!min === !!max)
        throw new Failure(
          min ? 'min-available and max-unavailable cannot be both specified' : 'one of min-available or max-unavailable must be specified',
        )
      const amount = (v: string) => (/^\d+$/.test(v) ? Number(v) : v)
      return {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: meta(name),
        spec: {
          ...(max ? { maxUnavailable: amount(max) } : { minAvailable: amount(min) }),
          selector: { matchLabels: Object.fromEntries(pairs(selector.split(','), 'selector')) },
        },
        status: { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 },
      }
    },
  ),
  ingress: generator(
    'ingress',
    'NAME --rule=host/path=service:port[,tls[=secret]] [options]',
    'Create an ingress with the specified name.',
    {
      annotation: { type: 'array', about: 'Annotation to insert in the ingress object, in the format annotation=value' },
      class: { type: 'string', about: 'Ingress Class to be used' },
      'default-backend': { type: 'string', about: 'Default service for backend, in format of svcname:port' },
      rule: { type: 'array', about: 'Rule in format host/path=service:port[,tls=secretname].' },
    },
    (k, name) => ingress(k, name),
  ),
  token: kubeCommand(
    {
      name: 'create token',
      usage: 'SERVICE_ACCOUNT_NAME [options]',
      about: 'Request a service account token.',
      flags: {
        ...printFlags,
        audience: { type: 'array', about: 'Audience of the requested token.' },
        'bound-object-kind': { type: 'string', about: 'Kind of an object to bind the token to.' },
        'bound-object-name': { type: 'string', about: 'Name of an object to bind the token to.' },
        'bound-object-uid': { type: 'string', about: 'UID of an object to bind the token to.' },
        duration: { type: 'duration', default: '0s', about: 'Requested lifetime of the issued token.' },
      },
    },
    async (k) => {
      const name = nameOf(k)
      const kind = k.f['bound-object-kind']
      const made = await k.client.post(
        `/api/v1/namespaces/${encodeURIComponent(k.namespace)}/serviceaccounts/${encodeURIComponent(name)}/token`,
        {
          apiVersion: 'authentication.k8s.io/v1',
          kind: 'TokenRequest',
          spec: {
            audiences: k.f.audience,
            ...(k.f.duration ? { expirationSeconds: Math.floor(k.f.duration / 1000) } : {}),
            ...(kind
              ? {
                  boundObjectRef: {
                    apiVersion: 'v1',
                    kind,
                    name: k.f['bound-object-name'],
                    ...(k.f['bound-object-uid'] ? { uid: k.f['bound-object-uid'] } : {}),
                  },
                }
              : {}),
          },
        },
      )
      if (k.f.output) new Teller(k).tell(unasked(made), made, '')
      else out(`${made.status.token}\n`)
      return 0
    },
  ),
}

function ingress(k: Kube, name: string): any {
  const rules = new Map<string, any[]>()
  const tls: any[] = []
  const port = (text: string) => (/^\d+$/.test(text) ? { number: Number(text) } : { name: text })
  for (const rule of k.f.rule as string[]) {
    const m = /^([^/]*)(\/[^=]*)=([^:]+):([^,]+)(,tls(?:=(.*))?)?$/.exec(rule)
    if (!m) throw new Failure(`rule ${rule} is invalid and should be in format host/path=svcname:svcport[,tls[=secret]]`)
    const [, host, at, svc, p, hasTls, secretName] = m
    const exact = !at!.endsWith('*')
    rules.set(host!, [
      ...(rules.get(host!) ?? []),
      { backend: { service: { name: svc, port: port(p!) } }, path: exact ? at : at!.slice(0, -1), pathType: exact ? 'Exact' : 'Prefix' },
    ])
    if (hasTls) tls.push({ ...(host ? { hosts: [host] } : {}), ...(secretName ? { secretName } : {}) })
  }
  const backend = k.f['default-backend']
  if (!rules.size && !backend)
    throw new Failure(
      'not enough information provided: every ingress has to either specify a default-backend (which catches all traffic) or a list of rules (which catch specific paths)',
    )
  const [svc, p] = backend ? backend.split(':') : []
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: meta(name, k.f.annotation.length ? { annotations: Object.fromEntries(pairs(k.f.annotation, 'annotation')) } : {}),
    spec: {
      ...(backend ? { defaultBackend: { service: { name: svc, port: port(p) } } } : {}),
      ...(k.f.class ? { ingressClassName: k.f.class } : {}),
      ...(rules.size ? { rules: [...rules].map(([host, paths]) => ({ ...(host ? { host } : {}), http: { paths } })) } : {}),
      ...(tls.length ? { tls } : {}),
    },
    status: { loadBalancer: {} },
  }
}

const aliases: Record<string, string> = {
  ns: 'namespace',
  cm: 'configmap',
  svc: 'service',
  deploy: 'deployment',
  dep: 'deployment',
  sa: 'serviceaccount',
  cj: 'cronjob',
  pdb: 'poddisruptionbudget',
  pc: 'priorityclass',
  ing: 'ingress',
  resourcequota: 'quota',
}
for (const [alias, name] of Object.entries(aliases)) generators[alias] = generators[name]!
const group = kubeGroup('create', 'Create a resource from a file or from stdin.', generators)

const fromFiles = kubeCommand(
  {
    name: 'create',
    usage: '-f FILENAME [options]',
    about: 'Create a resource from a file or from stdin.',
    flags: {
      ...fileFlags,
      ...generatorFlags,
      ...selectorFlag,
      edit: { type: 'bool', about: 'Edit the API resource before creating' },
      raw: { type: 'string', about: 'Raw URI to POST to the server.' },
      'windows-line-endings': { type: 'bool', about: 'Only relevant if --edit=true.' },
    },
  },
  async (k) => {
    const { f } = k
    if (k.args.length) throw new Failure(`Unexpected args: [${k.args.join(' ')}]\nSee 'kedge create -h' for help and examples`)
    if (!f.filename.length && !f.kustomize) throw new Failure('must specify one of -f and -k\n')
    const list = (await locals(f)).filter(({ object }) => selects(f.selector, object.metadata?.labels))
    if (!list.length) throw new Failure('no objects passed to create')
    if (f.raw) {
      for (const { object } of list) out(`${await k.client.text(f.raw, { method: 'POST', body: object })}\n`)
      return 0
    }
    const teller = new Teller(k)
    const faults: unknown[] = []
    for (const { object, source } of list)
      try {
        await createObject(k, f.edit ? await edited(object) : object, teller)
      } catch (cause) {
        const e = cause as { reason?: string; status?: any }
        if (e.status?.message) e.status = { ...e.status, message: `error when creating ${JSON.stringify(source)}: ${e.status.message}` }
        faults.push(located(cause, source, object))
      }
    if (faults.length) throw new Failures(faults)
    return 0
  },
)

/** A subcommand is the first word that is no flag's value. */
export const run = (argv: string[]): Promise<number> => {
  const word = argv.find(
    (a, i) =>
      !a.startsWith('-') &&
      ![
        '-f',
        '-k',
        '-n',
        '-o',
        '-l',
        '-s',
        '--filename',
        '--kustomize',
        '--namespace',
        '--output',
        '--selector',
        '--raw',
        '--kubeconfig',
        '--context',
        '--token',
        '--server',
      ].includes(argv[i - 1] ?? ''),
  )
  return word && generators[word] ? group([word, ...argv.filter((a, i) => i !== argv.indexOf(word) || a !== word)]) : fromFiles(argv)
}
