// API versions that Kubernetes has removed, served where a cluster asks for them: written and read in the old form, stored in the new one.
import { convertRemoved, moves } from '../manifests/removed-versions.ts'
import type { KObject } from '../meta/object.ts'
import { decode } from '../schema/decode.ts'
import { apiVersionOf, groupOf, kinds } from './index.ts'
import { type Kind, schemaOfKind } from './kind.ts'

function olderKind(from: string, base: Kind, back: ((o: any) => void) | undefined): Kind {
  const [group, version] = from.split('/') as [string, string]
  const stored = base.stored?.kind ?? base
  const down = (o: KObject): KObject => {
    const shown = base.stored ? base.stored.down(o) : o
    if (!back) return shown
    const copy = structuredClone(shown)
    back(copy)
    return copy
  }
  return {
    ...base,
    group,
    version,
    deprecation: `${from} ${base.kind} was removed from Kubernetes; use ${apiVersionOf(base)} ${base.kind}`,
    decode: (raw, unknown) => {
      const { object } = convertRemoved({ ...raw, apiVersion: from, kind: base.kind })
      return base.decode ? base.decode(object, unknown) : decode(schemaOfKind(base), object, unknown)
    },
    stored: { ...base.stored, kind: stored, up: base.stored?.up ?? ((o) => o), down },
  }
}

/** Every kind in the versions that it was removed in. */
export const olderKinds: readonly Kind[] = moves.flatMap(({ from, kinds: names, to, back }) =>
  names.flatMap((name) => {
    const base = kinds.find((k) => k.kind === name && k.group === groupOf(to) && apiVersionOf(k) === to)
    return base ? [olderKind(from, base, back)] : []
  }),
)
