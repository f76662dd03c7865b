// What deliveries need beyond the engine's view: acting with the rights of the hook's service account, fetching sources, reporting.
// Every task may be run again after a crash: applying and setting an image twice is the same as once.

import { deployDelivery, subjectOfFacts } from '../../shared/kinds/deploy.ts'
import { groupOf, kindByName } from '../../shared/kinds/index.ts'
import type { KindTable } from '../../shared/kinds/table.ts'
import { isKustomization, isNamespaced, join, kustomize, setImages } from '../../shared/manifests/kustomize.ts'
import { parseManifests } from '../../shared/manifests/yaml.ts'
import { dnsLabel } from '../../shared/meta/names.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import { RESTARTED_AT } from '../../shared/rollout.ts'
import type { Cluster } from '../cluster.ts'
import { type Call, pathOf } from '../http/call.ts'
import { decodeBody } from '../registry/codec.ts'
import { type Identity, systemContext } from '../registry/context.ts'
import { create } from '../registry/create.ts'
import { keyFor, remove } from '../registry/delete.ts'
import { mutate } from '../registry/update.ts'
import { commitStatusOf } from './commit-status.ts'
import type { Facts } from './payload.ts'
import { decodeKey } from './receive.ts'
import { fetchSource, Permanent } from './source.ts'
import { fill, valuesOf } from './template.ts'

const COMPONENT = 'deploy-hooks'
const CAUSE = 'kubernetes.io/change-cause'
const PREVIEW = 'deploy.kedge.dev/preview-of'
const REPORT_TIMEOUT = 15_000
const MAX_OBJECTS = 500
const options = { fieldManager: COMPONENT, fieldValidation: 'Ignore' as const }
const system = systemContext(COMPONENT)

export type Task = (object: KObject) => Promise<void>

interface Change {
  kind: string
  namespace: string
  name: string
  container?: string
  from?: string
  to?: string
  generation?: number
}

interface Job {
  delivery: KObject
  hook: KObject
  /** Where it acts: the hook's namespace, or a preview's. */
  namespace: string
  identity: Identity
  values: Facts
  cause: string
}

const accountOf = (hook: KObject): Identity => {
  const ns = hook.metadata.namespace!
  const name = hook.spec.serviceAccountName ?? 'default'
  return {
    username: `system:serviceaccount:${ns}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${ns}`, 'system:authenticated'],
  }
}

/** Where an object of a manifest lies. */
function placeOf(kinds: KindTable, o: { apiVersion: string; kind: string; metadata: { name: string; namespace?: string } }): string {
  const kind = kinds.byName(groupOf(o.apiVersion), o.kind)
  if (!kind) throw new Permanent(`no matches for kind ${JSON.stringify(o.kind)} in version ${JSON.stringify(o.apiVersion)}`)
  return pathOf(kind, o.metadata.namespace ?? '', o.metadata.name)
}

/** Namespaces and what others lean on go first, as kubectl and helm have it. */
const first = [
  'Namespace',
  'ResourceQuota',
  'LimitRange',
  'ServiceAccount',
  'Secret',
  'ConfigMap',
  'StorageClass',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'ClusterRole',
  'ClusterRoleBinding',
  'Role',
  'RoleBinding',
  'Service',
]
const rank = (o: KObject): number => (first.indexOf(o.kind!) < 0 ? first.length : first.indexOf(o.kind!))

export function deployTasks(cluster: Cluster, call: Call): Record<string, Task> {
  const { env, clock, log } = cluster
  const read = async (resource: string, ns: string, name: string): Promise<KObject | undefined> => {
    const stored = await cluster.store.get({ resource, ns, name })
    return stored ? decodeBody(stored.body, stored.rv) : undefined
  }
  const secret = async (ns: string, ref: { name: string; key?: string } | undefined): Promise<string | undefined> => {
    if (!ref) return undefined
    const value = decodeKey(await read('secrets', ns, ref.name), ref.key ?? 'token')
    if (value === undefined) throw new Permanent(`the Secret ${ref.name} has no key ${ref.key ?? 'token'}`)
    return value
  }
  const setStatus = async (delivery: KObject, change: Record<string, unknown>): Promise<void> => {
    await mutate(
      env,
      deployDelivery,
      keyFor(deployDelivery, delivery.metadata.namespace!, delivery.metadata.name),
      'status',
      (old) => {
        delete old.metadata.resourceVersion
        return { object: { ...old, status: { ...old.status, ...change } } }
      },
      options,
      system,
    )
  }
  const fail = (delivery: KObject, message: string, phase = 'Failed') =>
    setStatus(delivery, { phase, message, finishedAt: timeString(clock.now()) })

  /** As the service account. What it may not do, or what is wrong with the request, is permanent. */
  async function ask(job: Job, method: string, path: string, body?: unknown, type?: string): Promise<any> {
    const r = await call(job.identity, method, path, body, type)
    if (r.code < 400) return r.body
    const message = r.body?.message ?? `${method} ${path} got ${r.code}`
    if (r.code === 409 || r.code === 429 || r.code >= 500) throw new Error(message)
    throw Object.assign(new Permanent(message), { code: r.code })
  }

  async function jobOf(delivery: KObject): Promise<Job | undefined> {
    const ns = delivery.metadata.namespace!
    const hook = await read('deployhooks.deploy.kedge.dev', ns, delivery.spec.hook)
    if (!hook) return undefined
    const facts: Facts = delivery.spec.facts ?? {}
    const values = valuesOf(facts, { namespace: ns, name: hook.metadata.name })
    return {
      delivery,
      hook,
      namespace: ns,
      identity: accountOf(hook),
      values,
      cause: `${hook.metadata.name}: ${facts.event} ${subjectOfFacts(facts)}${facts.author ? ` by ${facts.author}` : ''}`.slice(0, 250),
    }
  }

  // --- actions ---

  const workloadPath = (job: Job, w: { kind: string; name: string }) =>
    placeOf(env.kinds, { apiVersion: 'apps/v1', kind: w.kind, metadata: { name: w.name, namespace: job.namespace } })

  async function setImage(job: Job, image: string): Promise<Change[]> {
    const changes: Change[] = []
    for (const w of job.hook.spec.setImage.workloads) {
      const now = await ask(job, 'GET', workloadPath(job, w))
      const containers: any[] = now.spec?.template?.spec?.containers ?? []
      const container = w.container ?? (containers.length === 1 ? containers[0].name : undefined)
      const old = containers.find((c) => c.name === container)
      if (!old)
        throw new Permanent(
          w.container
            ? `${w.kind} ${w.name} has no container ${w.container}`
            : `${w.kind} ${w.name} has several containers: spec.setImage has to name one`,
        )
      // After a crash the image may be there already: what was before stands in the status.
      const known = job.delivery.status?.changes?.find((c: Change) => c.kind === w.kind && c.name === w.name)
      changes.push({ kind: w.kind, namespace: job.namespace, name: w.name, container, from: known?.from ?? old.image, to: image })
    }
    // What there is to go back to is noted before anything is changed.
    await setStatus(job.delivery, { changes })
    for (const c of changes) {
      const patch = {
        metadata: { annotations: { [CAUSE]: job.cause } },
        spec: { template: { spec: { containers: [{ name: c.container, image }] } } },
      }
      const done = await ask(job, 'PATCH', workloadPath(job, c), patch, 'application/strategic-merge-patch+json')
      c.generation = done.metadata.generation
    }
    return changes
  }

  async function restart(job: Job): Promise<Change[]> {
    const changes: Change[] = []
    for (const w of job.hook.spec.restart.workloads) {
      const patch = {
        metadata: { annotations: { [CAUSE]: job.cause } },
        // Of the delivery: again is the same.
        spec: { template: { metadata: { annotations: { [RESTARTED_AT]: job.delivery.status?.startedAt } } } },
      }
      const done = await ask(job, 'PATCH', workloadPath(job, w), patch, 'application/strategic-merge-patch+json')
      changes.push({ kind: w.kind, namespace: job.namespace, name: w.name, generation: done.metadata.generation })
    }
    return changes
  }

  async function objectsOf(job: Job): Promise<KObject[]> {
    const { hook, values } = job
    const { apply } = hook.spec
    const files = await fetchSource(
      cluster.env.outbound,
      hook.spec.provider,
      apply,
      values,
      await secret(hook.metadata.namespace!, apply.credentialsRef),
    )
    const folder = join('', apply.path ?? '') ?? ''
    let objects: any[]
    try {
      if (isKustomization(files, folder)) objects = await kustomize(files, folder)
      else {
        const inside = [...files.keys()]
          .filter((f) => /\.(ya?ml|json)$/.test(f) && (f === folder || f.slice(0, f.lastIndexOf('/') + 1) === (folder ? `${folder}/` : '')))
          .sort()
        if (!inside.length) throw new Error(`there are no manifests in ${folder || 'the repository'}`)
        objects = inside.flatMap((f) => {
          try {
            return parseManifests(files.get(f)!)
          } catch (cause) {
            throw new Error(`${f}: ${(cause as Error).message}`)
          }
        })
      }
      const images = (apply.images ?? []).map((i: any) => ({
        name: i.name,
        ...(i.newName ? { newName: fill(i.newName, values) } : {}),
        ...(i.newTag ? { newTag: fill(i.newTag, values) } : {}),
      }))
      for (const o of objects) setImages(o, images)
    } catch (cause) {
      throw new Permanent((cause as Error).message)
    }
    if (objects.length > MAX_OBJECTS) throw new Permanent(`${objects.length} objects are more than the ${MAX_OBJECTS} of one delivery`)
    for (const o of objects) {
      if (!o?.kind || !o.apiVersion || !o.metadata?.name) throw new Permanent('a manifest has no kind, no apiVersion or no name')
      // A preview stays in its own namespace, whatever the manifests say.
      if (isNamespaced(o))
        o.metadata.namespace =
          hook.spec.preview && job.namespace !== hook.metadata.namespace ? job.namespace : (o.metadata.namespace ?? job.namespace)
    }
    return objects.sort((a, b) => rank(a) - rank(b))
  }

  async function apply(job: Job): Promise<{ changes: Change[]; applied: string[] }> {
    const objects = await objectsOf(job)
    const changes: Change[] = []
    for (const o of objects) {
      if (o.spec?.template) o.metadata.annotations = { ...o.metadata.annotations, [CAUSE]: job.cause }
      const done = await ask(
        job,
        'PATCH',
        `${placeOf(env.kinds, o as never)}?fieldManager=kedge-deploy-${job.hook.metadata.name.slice(0, 100)}&force=true`,
        o,
        'application/apply-patch+yaml',
      )
      if (o.kind === 'Deployment')
        changes.push({ kind: o.kind, namespace: o.metadata.namespace!, name: o.metadata.name, generation: done.metadata.generation })
    }
    const applied = objects.map((o) => `${o.apiVersion}|${o.kind}|${o.metadata.namespace ?? ''}|${o.metadata.name}`)
    if (job.hook.spec.apply.prune) await prune(job, applied)
    return { changes, applied }
  }

  /** What the last good delivery applied there, and this one does not have. */
  async function prune(job: Job, applied: string[]): Promise<void> {
    const last = await lastGood(job)
    for (const id of last?.status.applied ?? []) {
      if (applied.includes(id)) continue
      const [apiVersion, kind, namespace, name] = id.split('|')
      await ask(
        job,
        'DELETE',
        `${placeOf(env.kinds, { apiVersion, kind, metadata: { name, namespace } })}?propagationPolicy=Background`,
      ).catch((cause) => {
        if (cause.code !== 404) throw cause
      })
    }
  }

  /** The newest delivery before this one, of the same place, that went well. */
  async function lastGood({ delivery, hook }: Job): Promise<KObject | undefined> {
    const page = await cluster.store.list({
      resource: 'deploydeliveries.deploy.kedge.dev',
      ns: hook.metadata.namespace!,
      fields: [{ key: 'spec.hook', operator: '=', values: [hook.metadata.name] }],
    })
    return page.items
      .map((i) => decodeBody(i.body, i.rv))
      .filter(
        (d) =>
          d.status?.phase === 'Succeeded' &&
          d.metadata.uid !== delivery.metadata.uid &&
          (d.spec.facts?.number ?? '') === (delivery.spec.facts?.number ?? ''),
      )
      .sort((a, b) => (a.status.finishedAt < b.status.finishedAt ? 1 : -1))[0]
  }

  // --- previews ---

  async function previewNamespace(job: Job): Promise<string> {
    const { hook, values } = job
    const ns = hook.metadata.namespace!
    const name = fill(hook.spec.preview.namespace, values)
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
    if (!name.startsWith(`${ns}-`) || dnsLabel(name).length)
      throw new Permanent(`${JSON.stringify(name)} is no name for a preview: it must begin with ${ns}- and be a DNS label`)
    return name
  }

  const owner = (hook: KObject) => `${hook.metadata.namespace}.${hook.metadata.name}`

  async function ensurePreview(job: Job): Promise<void> {
    const { hook, namespace: name } = job
    const found = await read('namespaces', '', name)
    if (found) {
      if (found.metadata.annotations?.[PREVIEW] !== owner(hook))
        throw new Permanent(`the namespace ${name} is there already and is no preview of this hook`)
      if (found.metadata.deletionTimestamp) throw new Error(`the namespace ${name} of an earlier preview is still going away`)
    } else {
      const all = (await cluster.store.list({ resource: 'namespaces' })).items.map((i) => decodeBody(i.body, i.rv))
      const mine = all.filter((n) => n.metadata.annotations?.[PREVIEW] === owner(hook)).length
      if (mine >= hook.spec.preview.max) throw new Permanent(`there are ${mine} previews already: spec.preview.max`)
      const metadata = {
        name,
        annotations: { [PREVIEW]: owner(hook), 'deploy.kedge.dev/pull-request': `${job.values.repository ?? ''}#${job.values.number}` },
      }
      await create(env, kindByName('', 'Namespace')!, '', { metadata }, options, system)
    }
    // The hook's account has in its previews what `edit` is; whoever it may be elsewhere.
    const [, , ns, account] = job.identity.username.split(':')
    const binding = {
      metadata: { name: 'deploy-hook', namespace: name },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'edit' },
      subjects: [{ kind: 'ServiceAccount', name: account, namespace: ns }],
    }
    await create(env, kindByName('rbac.authorization.k8s.io', 'RoleBinding')!, name, binding, options, system).catch((cause) => {
      if (cause?.code !== 409) throw cause
    })
  }

  async function removePreview(job: Job): Promise<string> {
    const { namespace: name, hook } = job
    const found = await read('namespaces', '', name)
    if (!found) return `there was no preview ${name}`
    if (found.metadata.annotations?.[PREVIEW] !== owner(hook)) throw new Permanent(`the namespace ${name} is no preview of this hook`)
    const kind = kindByName('', 'Namespace')!
    await remove(env, kind, keyFor(kind, '', name), { preconditions: { uid: found.metadata.uid } }, system)
    return `the preview ${name} was removed`
  }

  // --- the tasks ---

  async function perform(job: Job): Promise<Record<string, unknown>> {
    const { spec } = job.hook
    if (spec.preview && job.values.event === 'pull_request') {
      job.namespace = await previewNamespace(job)
      if (job.values.action === 'closed') return { message: await removePreview(job), changes: [] }
      await ensurePreview(job)
      return { ...(await apply(job)), namespace: job.namespace }
    }
    if (spec.apply) return apply(job)
    if (spec.restart) return { changes: await restart(job) }
    return { changes: await setImage(job, imageOf(job)) }
  }

  function imageOf({ hook, values }: Job): string {
    const template = hook.spec.setImage.image
    try {
      if (template) return fill(template, values)
      return values.imageTag ? fill('{{image}}:{{imageTag}}', values) : fill('{{image}}@{{digest}}', values)
    } catch (cause) {
      throw new Permanent(`${(cause as Error).message}: set spec.setImage.image`)
    }
  }

  const act: Task = async (seen) => {
    const { namespace, name } = seen.metadata
    const delivery = await read('deploydeliveries.deploy.kedge.dev', namespace!, name)
    const job = delivery && (await jobOf(delivery))
    if (!job || delivery.status?.acted) return
    try {
      const done = await perform(job)
      await setStatus(delivery, { acted: true, ...done })
    } catch (cause) {
      if (cause instanceof Permanent) return fail(delivery, cause.message)
      // Shown while it is tried again: whoever looks should not have to guess.
      await setStatus(delivery, { message: (cause as Error).message })
      throw cause
    }
  }

  const rollback: Task = async (delivery) => {
    const why: string = delivery.status.message
    const job = await jobOf(delivery)
    if (!job) return
    const { hook } = job
    try {
      if (hook.spec.setImage) {
        for (const c of delivery.status.changes as Change[]) {
          const patch = {
            metadata: { annotations: { [CAUSE]: `${hook.metadata.name}: back to ${c.from}`.slice(0, 250) } },
            spec: { template: { spec: { containers: [{ name: c.container, image: c.from }] } } },
          }
          await ask(job, 'PATCH', workloadPath(job, c), patch, 'application/strategic-merge-patch+json')
        }
        return await fail(delivery, `${why}; back to ${(delivery.status.changes as Change[]).map((c) => c.from).join(', ')}`, 'RolledBack')
      }
      const last = hook.spec.apply ? await lastGood(job) : undefined
      if (!last) return await fail(delivery, `${why}; there is nothing to go back to`)
      const again = (await jobOf({ ...last, status: delivery.status }))!
      again.namespace = delivery.status.namespace ?? again.namespace
      again.cause = `${hook.metadata.name}: back to ${subjectOfFacts(last.spec.facts)}`
      await apply(again)
      await fail(delivery, `${why}; back to ${subjectOfFacts(last.spec.facts)}`, 'RolledBack')
    } catch (cause) {
      if (!(cause instanceof Permanent)) throw cause
      await fail(delivery, `${why}; going back failed too: ${cause.message}`)
    }
  }

  const report: Task = async (delivery) => {
    const job = await jobOf(delivery)
    const ended = !!delivery.status?.finishedAt
    const stage = ended ? 'end' : 'begin'
    const { commitStatus, tokenRef, callbackUrl, apiUrl } = job?.hook.spec.report ?? {}
    const sent = async (url: string, headers: Record<string, string>, body: unknown) => {
      const r = await cluster.env.outbound(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', 'user-agent': 'kedge' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(REPORT_TIMEOUT),
      })
      await r.body?.cancel()
      if (!r.ok) throw new Error(`${new URL(url).host} answered ${r.status}`)
    }
    if (job)
      try {
        if (commitStatus && job.values.sha) {
          const to = commitStatusOf(job, apiUrl ?? job.values.apiUrl, (await secret(job.namespace, tokenRef))!)
          if (to) await sent(to.url, to.headers, to.body)
        }
        if (callbackUrl)
          await sent(
            callbackUrl,
            {},
            {
              hook: delivery.spec.hook,
              namespace: job.namespace,
              delivery: delivery.metadata.name,
              facts: delivery.spec.facts,
              status: delivery.status,
            },
          )
      } catch (cause) {
        // Once: what others do with a report is their affair, and a deployment does not wait for it.
        log.warn('a report could not be sent', { delivery: delivery.metadata.name, stage, cause: (cause as Error).message })
      }
    await setStatus(delivery, { reported: [...(delivery.status?.reported ?? []), stage] })
  }

  return { 'deploy-act': act, 'deploy-rollback': rollback, 'deploy-report': report }
}
