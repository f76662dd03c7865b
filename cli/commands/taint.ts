// kedge taint: taints of nodes, set and taken away.
import { changeAll } from '../kube/change.ts'
import { Failure, kubeCommand } from '../kube/command.ts'
import { printFlags } from '../kube/printers.ts'
import { validateFlag, writeFlags } from '../kube/write.ts'

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

interface Taint {
  key: string
  value?: string
  effect?: string
}

function parse(text: string): Taint & { remove: boolean } {
  const remove = text.endsWith('-')
  const m = /^([^=:]+)(?:=([^:]*))?(?::(\w+))?$/.exec(remove ? text.slice(0, -1) : text)
  if (!m) throw new Failure(`invalid taint spec: ${text}`)
  const [, key, value, effect] = m
  if (effect !== undefined && !effects.includes(effect))
    throw new Failure(`invalid taint effect: ${effect}, unsupported taint effect\nSee 'kedge taint -h' for help and examples`)
  if (!remove && effect === undefined) throw new Failure(`invalid taint spec: ${text}`)
  return { key: key!, ...(value ? { value } : {}), ...(effect ? { effect } : {}), remove }
}

export const run = kubeCommand(
  {
    name: 'taint',
    usage: 'NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N [options]',
    about: 'Update the taints on one or more nodes.',
    flags: {
      ...printFlags,
      ...writeFlags,
      ...validateFlag,
      all: { type: 'bool', about: 'Select all nodes in the cluster' },
      overwrite: {
        type: 'bool',
        about: 'If true, allow taints to be overwritten, otherwise reject taint updates that overwrite existing taints.',
      },
      selector: { type: 'string', short: 'l', about: 'Selector (label query) to filter on.' },
    },
  },
  async (k) => {
    const at = k.args.findIndex((a, i) => i > 0 && (/[:=]/.test(a) || a.endsWith('-')))
    if (!k.args.length) throw new Failure('one or more resources must be specified as <resource> <name>')
    if (at < 0) throw new Failure('at least one taint update is required')
    const changes = k.args.slice(at).map(parse)
    k.args = k.args.slice(0, at)
    return changeAll(k, (o, resource) => {
      if (resource.kind !== 'Node') throw new Failure(`invalid resource type ${resource.singular}, only node types are supported`)
      let taints: Taint[] = o.spec.taints ?? []
      let said = 'modified'
      const same = (a: Taint, b: Taint) => a.key === b.key && (b.effect === undefined || a.effect === b.effect)
      const missing = changes.filter((c) => c.remove && !taints.some((t) => same(t, c)))
      if (missing.length)
        throw new Failure(missing.map((c) => `taint ${JSON.stringify(`${c.key}${c.effect ? `:${c.effect}` : ''}`)} not found`).join(', '))
      for (const c of changes) {
        const { remove, ...taint } = c
        if (!remove && !k.f.overwrite && taints.some((t) => same(t, c)))
          throw new Failure(`node ${o.metadata.name} already has ${c.key} taint(s) with same effect(s) and --overwrite is false`)
        taints = taints.filter((t) => !same(t, c))
        if (!remove) taints = [taint, ...taints]
      }
      if (changes.every((c) => c.remove)) said = 'untainted'
      else if (changes.every((c) => !c.remove)) said = 'tainted'
      o.spec.taints = taints.length ? taints : undefined
      return said
    })
  },
)
