// kedge auth: can-i, whoami, reconcile.

import { compactRules } from '../describe/rules.ts'
import { err, Failure, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import { fileFlags, locals, namespaceFor } from '../kube/objects.ts'
import { printerFor, printFlags, tabulate } from '../kube/printers.ts'
import { pathOf } from '../kube/resources.ts'
import { Teller, writeFlags } from '../kube/write.ts'

const canI = kubeCommand(
  {
    name: 'auth can-i',
    usage: 'VERB [TYPE | TYPE/NAME | NONRESOURCEURL] [options]',
    about: 'Check whether an action is allowed.',
    flags: {
      'all-namespaces': { type: 'bool', short: 'A', about: 'If true, check the specified action in all namespaces.' },
      list: { type: 'bool', about: 'If true, prints all allowed actions.' },
      'no-headers': { type: 'bool', about: 'If true, prints allowed actions without headers' },
      quiet: { type: 'bool', short: 'q', about: 'If true, suppress output and just return the exit code.' },
      subresource: { type: 'string', about: 'SubResource such as pod/log or deployment/scale' },
    },
  },
  async (k) => {
    const { f } = k
    if (f.list) {
      const review = await k.client.post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectRulesReview',
        spec: { namespace: k.namespace },
      })
      const text = (list: string[]) => `[${list.join(' ')}]`
      const lines = compactRules([...(review.status.resourceRules ?? []), ...(review.status.nonResourceRules ?? [])])
      out(
        tabulate([
          ...(f['no-headers'] ? [] : [['Resources', 'Non-Resource URLs', 'Resource Names', 'Verbs']]),
          ...lines.map((r) => [r.resource, text(r.urls), text(r.names), text(r.verbs)]),
        ]),
      )
      return 0
    }
    const [verb, what, extra] = k.args
    if (!verb || !what)
      throw new Failure(
        "you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kedge auth can-i -h' for help and examples.",
      )
    let attributes: any
    if (what.startsWith('/')) attributes = { nonResourceAttributes: { path: what, verb } }
    else {
      const [type, name = extra] = what.split('/') as [string, string?]
      const resource = type === '*' ? undefined : await k.resources.find(type!).catch(() => undefined)
      if (!resource && type !== '*') err(`Warning: the server doesn't have a resource type '${type}'\n\n`)
      if (resource && !resource.namespaced && !f['all-namespaces'] && k.given.has('namespace'))
        err(`Warning: resource '${resource.plural}' is not namespace scoped${resource.group ? ` in group '${resource.group}'` : ''}\n\n`)
      else if (resource && !resource.namespaced)
        err(`Warning: resource '${resource.plural}' is not namespace scoped${resource.group ? ` in group '${resource.group}'` : ''}\n\n`)
      attributes = {
        resourceAttributes: {
          ...(f['all-namespaces'] ? {} : { namespace: k.namespace }),
          verb,
          group: resource?.group ?? (type === '*' ? '*' : ''),
          resource: resource?.plural ?? type,
          ...(f.subresource ? { subresource: f.subresource } : {}),
          ...(name ? { name } : {}),
        },
      }
    }
    const review = await k.client.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: attributes,
    })
    const { allowed, reason, evaluationError } = review.status
    if (!f.quiet) out(`${allowed ? 'yes' : `no${reason ? ` - ${reason}` : ''}${evaluationError ? ` - ${evaluationError}` : ''}`}\n`)
    return allowed ? 0 : 1
  },
)

const whoami = kubeCommand(
  {
    name: 'auth whoami',
    usage: '[flags] [options]',
    about: 'Experimental: Check who you are and your attributes (groups, extra).',
    flags: printFlags,
  },
  async (k) => {
    const printer = printerFor(k.f)
    const review = await k.client.post('/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
    })
    if (printer) {
      out(printer.print(review))
      return 0
    }
    const u = review.status.userInfo
    const rows = [
      ['ATTRIBUTE', 'VALUE'],
      ['Username', u.username ?? ''],
      ...(u.uid ? [['UID', u.uid]] : []),
      ...(u.groups?.length ? [['Groups', `[${u.groups.join(' ')}]`]] : []),
      ...Object.keys(u.extra ?? {})
        .sort()
        .map((key) => [`Extra: ${key}`, `[${u.extra[key].join(' ')}]`]),
    ]
    out(tabulate(rows))
    return 0
  },
)

const reconcile = kubeCommand(
  {
    name: 'auth reconcile',
    usage: '-f FILENAME [options]',
    about: 'Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects.',
    flags: {
      ...fileFlags,
      ...printFlags,
      ...writeFlags,
      'remove-extra-permissions': { type: 'bool', about: 'If true, removes extra permissions added to roles' },
      'remove-extra-subjects': { type: 'bool', about: 'If true, removes extra subjects added to rolebindings' },
    },
  },
  async (k) => {
    const teller = new Teller(k)
    for (const { object } of await locals(k.f)) {
      if (!/^(Cluster)?Role(Binding)?$/.test(object.kind))
        throw new Failure(`only rbac.authorization.k8s.io/v1 is supported: not *${object.kind}`)
      const resource = await k.resources.ofKind(object.apiVersion, object.kind)
      const namespace = namespaceFor(k, resource, object)
      const at = pathOf(resource, namespace, object.metadata.name)
      const live = await k.client.get(at).catch((cause) => {
        if (cause.code !== 404) throw cause
        return undefined
      })
      const whole = namespace ? { ...object, metadata: { ...object.metadata, namespace } } : object
      if (!live) {
        teller.tell(resource, await k.client.post(pathOf(resource, namespace), whole), 'reconciled')
        continue
      }
      const union = (a: any[] = [], b: any[] = []) => [...a, ...b.filter((x) => !a.some((y) => JSON.stringify(y) === JSON.stringify(x)))]
      const next = object.kind.endsWith('Binding')
        ? { ...live, subjects: k.f['remove-extra-subjects'] ? whole.subjects : union(live.subjects, whole.subjects) }
        : { ...live, rules: k.f['remove-extra-permissions'] ? whole.rules : union(live.rules, whole.rules) }
      teller.tell(resource, await k.client.put(at, next), 'reconciled')
    }
    return 0
  },
)

export const run = kubeGroup('auth', 'Inspect authorization.', { 'can-i': canI, whoami, reconcile })
