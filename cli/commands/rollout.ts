// kedge rollout: status, history, undo, restart, pause, resume.
import { setTimeout as sleep } from 'node:timers/promises'
import { timeString } from '../../shared/meta/object.ts'
import { CHANGE_CAUSE, RESTARTED_AT, type Revision, revisionsOf, rollbackPatch } from '../../shared/rollout.ts'
import { jsonDiff } from '../../shared/schema/diff.ts'
import { describeTemplate } from '../describe/pod-template.ts'
import { changeAll } from '../kube/change.ts'
import { Failure, type Kube, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import type { Flags } from '../kube/flags.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { printerFor, printFlags } from '../kube/printers.ts'
import { pathOf, qualified, type Resource } from '../kube/resources.ts'
import { rolloutStatus } from '../kube/rollout-status.ts'
import { dryRunOf, Teller, writeFlags, writeQuery } from '../kube/write.ts'

const common: Flags = {
  ...fileFlags,
  ...printFlags,
  selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
}
const writing: Flags = { ...common, ...writeFlags }

const refusals: Record<string, (r: Resource, name: string) => string> = {
  status: (r) => `no status viewer has been implemented for ${r.kind}`,
  history: (r) => `no history viewer has been implemented for ${JSON.stringify(r.kind)}`,
  undo: (r) => `no rollbacker has been implemented for ${JSON.stringify(r.kind)}`,
  restart: (r, name) => `${r.plural} ${JSON.stringify(name)} restarting is not supported`,
  pause: (r, name) => `${r.plural} ${JSON.stringify(name)} pausing is not supported`,
  resume: (r, name) => `${r.plural} ${JSON.stringify(name)} resuming is not supported`,
}
const only = (resource: Resource, verb: string, kinds: string[], name = '') => {
  if (!kinds.includes(resource.kind)) throw new Failure(refusals[verb]!(resource, name))
}

/** What rolls out and back. */
const ROLLING = ['Deployment', 'DaemonSet', 'StatefulSet']

/** The revisions of a workload, the oldest first. */
async function revisions(k: Kube, kind: string, o: any): Promise<Revision[]> {
  const keepers = kind === 'Deployment' ? 'replicasets' : 'controllerrevisions'
  const list = await k.client.get(`/apis/apps/v1/namespaces/${o.metadata.namespace}/${keepers}`)
  return revisionsOf({ ...o, kind }, list.items)
}

const history = kubeCommand(
  {
    name: 'rollout history',
    usage: '(TYPE NAME | TYPE/NAME) [flags] [options]',
    about: 'View previous rollout revisions and configurations.',
    flags: { ...common, revision: { type: 'int', about: 'See the details, including podTemplate of the revision specified' } },
  },
  async (k) => {
    if (k.f.revision < 0) throw new Failure(`revision must be a positive integer: ${k.f.revision}`)
    const printer = printerFor(k.f)
    for (const { resource, object } of await remotes(k)) {
      only(resource, 'history', ROLLING)
      const isDeployment = resource.kind === 'Deployment'
      const all = await revisions(k, resource.kind, object)
      if (printer) {
        const wanted = k.f.revision ? all.filter((r) => r.revision === k.f.revision) : all
        if (k.f.revision && !wanted.length) throw new Failure(`unable to find the specified revision`)
        out(printer.print((k.f.revision ? wanted[0] : wanted.at(-1))?.object))
        continue
      }
      if (k.f.revision) {
        const found = all.find((r) => r.revision === k.f.revision)
        if (!found) throw new Failure('unable to find the specified revision')
        const template = structuredClone(isDeployment ? found.object.spec.template : found.template)
        if (found.cause && isDeployment) template.metadata.annotations = { ...template.metadata.annotations, [CHANGE_CAUSE]: found.cause }
        out(`${qualified(resource)}/${object.metadata.name} with revision #${k.f.revision}\nPod Template:\n${describeTemplate(template)}\n`)
        continue
      }
      out(`${qualified(resource)}/${object.metadata.name} \n`)
      out(`REVISION  CHANGE-CAUSE\n${all.map((r) => `${String(r.revision).padEnd(10)}${r.cause || '<none>'}\n`).join('')}\n`)
    }
    return 0
  },
)

const undo = kubeCommand(
  {
    name: 'rollout undo',
    usage: '(TYPE NAME | TYPE/NAME) [flags] [options]',
    about: 'Roll back to a previous rollout.',
    flags: { ...writing, 'to-revision': { type: 'int', about: 'The revision to rollback to. Default to 0 (last revision).' } },
  },
  async (k) => {
    const teller = new Teller(k)
    for (const { resource, object } of await remotes(k)) {
      only(resource, 'undo', ROLLING)
      if (object.spec.paused)
        throw new Failure(`you cannot rollback a paused deployment; resume it first with 'kedge rollout resume' and try again`)
      const all = await revisions(k, resource.kind, object)
      const isDeployment = resource.kind === 'Deployment'
      const to: number = k.f['to-revision']
      const target = to ? all.find((r) => r.revision === to) : all.at(-2)
      if (!target)
        throw new Failure(
          to
            ? `unable to find specified revision ${to} in history`
            : isDeployment
              ? `no rollout history found for deployment ${JSON.stringify(object.metadata.name)}`
              : 'no last revision to roll back to',
        )
      if (!jsonDiff(isDeployment ? all.at(-1)!.template : object.spec.template, target.template).length) {
        const matched = isDeployment ? target.revision : to
        out(`${qualified(resource)}/${object.metadata.name} skipped rollback (current template already matches revision ${matched})\n`)
        continue
      }
      const { type, patch } = rollbackPatch(object, target)
      const done =
        dryRunOf(k) === 'client'
          ? object
          : await k.client.patch(pathOf(resource, object.metadata.namespace, object.metadata.name) + writeQuery(k), patch, type)
      teller.tell(resource, done, 'rolled back')
    }
    return 0
  },
)

const restart = kubeCommand({ name: 'rollout restart', usage: 'RESOURCE [options]', about: 'Restart a resource.', flags: writing }, (k) =>
  changeAll(k, (o, resource) => {
    only(resource, 'restart', ROLLING, o.metadata.name)
    if (o.spec.paused) throw new Failure(`can't restart paused deployment (run rollout resume first)`)
    const m = (o.spec.template.metadata ??= {})
    m.annotations = { ...m.annotations, [RESTARTED_AT]: timeString(Date.now()) }
    return 'restarted'
  }),
)

const pausing = (verb: 'pause' | 'resume') =>
  kubeCommand(
    {
      name: `rollout ${verb}`,
      usage: 'RESOURCE [options]',
      about: `${verb === 'pause' ? 'Mark the provided resource as paused' : 'Resume a paused resource'}.`,
      flags: writing,
    },
    (k) =>
      changeAll(k, (o, resource) => {
        only(resource, verb, ['Deployment'], o.metadata.name)
        if (!!o.spec.paused === (verb === 'pause'))
          throw new Failure(
            verb === 'pause'
              ? `deployments.apps ${JSON.stringify(o.metadata.name)} is already paused`
              : `deployments.apps ${JSON.stringify(o.metadata.name)} is not paused`,
          )
        o.spec.paused = verb === 'pause' ? true : undefined
        return verb === 'pause' ? 'paused' : 'resumed'
      }),
  )

const status = kubeCommand(
  {
    name: 'rollout status',
    usage: '(TYPE NAME | TYPE/NAME) [flags] [options]',
    about: 'Show the status of the rollout.',
    flags: {
      ...fileFlags,
      revision: { type: 'int', about: 'Pin to a specific revision for showing its status.' },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
      timeout: { type: 'duration', default: '0s', about: 'The length of time to wait before ending watch, zero means never.' },
      watch: { type: 'bool', short: 'w', default: true, about: "Watch the status of the rollout until it's done." },
    },
  },
  async (k) => {
    const end = k.f.timeout ? Date.now() + k.f.timeout : Number.POSITIVE_INFINITY
    for (const { resource, object } of await remotes(k)) {
      only(resource, 'status', ROLLING)
      const at = pathOf(resource, object.metadata.namespace)
      const field = `fieldSelector=${encodeURIComponent(`metadata.name=${object.metadata.name}`)}`
      let d = object
      let last = ''
      for (let finished = false; !finished; ) {
        const step = (now: any): boolean => {
          d = now
          const { text, done } = rolloutStatus(d, resource.kind, k.f.revision)
          if (text !== last) out(text)
          last = text
          return done || !k.f.watch
        }
        if (step(d)) break
        const timer = new AbortController()
        const time = Number.isFinite(end)
          ? sleep(Math.max(0, end - Date.now()), 'late', { signal: timer.signal }).catch(() => 'over')
          : new Promise<string>(() => {})
        const events = k.client.watch(`${at}?watch=true&${field}&resourceVersion=${d.metadata.resourceVersion}`)
        const followed = (async () => {
          for await (const e of events) {
            if (e.type === 'DELETED') throw new Failure('object has been deleted')
            if (e.type === 'ERROR') return 'again'
            if (step(e.object)) return 'done'
          }
          return 'again'
        })()
        const how = await Promise.race([followed, time])
        timer.abort()
        if (how === 'late') throw new Failure('timed out waiting for the condition')
        finished = how === 'done'
        if (how === 'again') d = await k.client.get(pathOf(resource, object.metadata.namespace, object.metadata.name))
      }
    }
    process.exit(0)
  },
)

export const run = kubeGroup('rollout', 'Manage the rollout of one or many resources.', {
  status,
  history,
  undo,
  restart,
  pause: pausing('pause'),
  resume: pausing('resume'),
})
