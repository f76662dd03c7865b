// Every kind by its API, on both platforms: manifests that are stored and come back, manifests that are refused by field, and random ones, which do one or the other.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { apiVersionOf, kinds } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import { eventually } from '../rig/hosts.ts'
import type { Ask } from './ask.ts'
import { randomValue, seeded, sprinkled } from './generate.ts'
import { manifests } from './manifests.ts'
import { type Server, startServer } from './server.ts'

const RANDOM_OBJECTS = 60
/** Another seed looks elsewhere: KEDGE_SEED=7 npm run test:api */
const SEED = Number(process.env.KEDGE_SEED ?? 1)
const NS = 'default'
const stored = kinds.filter((k) => !k.virtual)
const pathOf = (k: Kind, name = '') =>
  `${k.group ? `/apis/${k.group}/` : '/api/'}${k.version}${k.namespaced ? `/namespaces/${NS}` : ''}/${k.plural}${name ? `/${name}` : ''}`
const idOf = (k: Kind) => `${apiVersionOf(k)} ${k.kind}`

const byControllers = new Set(['deployment.kubernetes.io/revision', 'node.alpha.kubernetes.io/ttl'])

/** What the client wrote and the server filled in; what controllers add meanwhile is left out. */
const content = (o: any) => {
  const { metadata, status: _, ...rest } = o
  if (o.kind === 'Node') delete rest.spec
  const annotations = Object.fromEntries(Object.entries(metadata.annotations ?? {}).filter(([k]) => !byControllers.has(k)))
  return { ...rest, name: metadata.name, labels: metadata.labels ?? {}, annotations }
}

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
  })
  afterAll(() => server?.stop())

  test('every stored kind has manifests here', () => expect(stored.map(idOf).filter((id) => !manifests[id])).toEqual([]))

  describe.each(stored.filter((k) => manifests[idOf(k)]).map((k) => [idOf(k), k] as const))('%s', (id, kind) => {
    const { good, bad } = manifests[id]!
    const made = (spec: any, name: string) => ({
      ...spec,
      apiVersion: apiVersionOf(kind),
      kind: kind.kind,
      metadata: { ...spec.metadata, name: spec.metadata?.name ?? name },
    })

    test.each(Object.entries(good).map(([what, spec], i) => [what, spec, i] as const))(
      '%s is stored and comes back',
      async (_what, spec, i) => {
        const o: any = made(spec, `good-${i}`)
        const created = await send('POST', pathOf(kind), o)
        expect(created.code, JSON.stringify(created.body.message ?? '')).toBe(201)
        const at = pathOf(kind, o.metadata.name)
        const got = await send('GET', at)
        expect(content(got.body)).toEqual(content(created.body))
        expect(got.body).toMatchObject({ kind: kind.kind, apiVersion: apiVersionOf(kind) })
        // What was filled in is settled: written back it changes nothing.
        const again = await send('PUT', at, {
          ...got.body,
          status: undefined,
          metadata: { ...got.body.metadata, resourceVersion: undefined },
        })
        // A node is given its range of addresses between the two.
        if (kind.kind !== 'Node') {
          expect(again.code, JSON.stringify(again.body.message ?? '')).toBe(200)
          expect(content(again.body)).toEqual(content(got.body))
        }
        const table = await send('GET', at, undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')
        expect(table.body.rows[0].cells).toHaveLength(table.body.columnDefinitions.length)
        const applied = await send('PATCH', `${at}?fieldManager=test&force=true`, o, undefined, 'application/apply-patch+yaml')
        expect(applied.code, JSON.stringify(applied.body.message ?? '')).toBe(200)
        expect(content(applied.body)).toEqual(content(got.body))
        expect((await send('DELETE', `${at}?gracePeriodSeconds=0`)).code).toBe(200)
        if (kind.kind !== 'Namespace') await eventually('it is gone', async () => (await send('GET', at)).code === 404)
      },
    )

    test.each(Object.entries(bad))('%s', async (fields, spec) => {
      const { code, body } = await send('POST', pathOf(kind), made(spec, 'bad'))
      expect(code, JSON.stringify(body)).toBe(422)
      expect(body.details.causes.map((c: any) => c.field)).toEqual(expect.arrayContaining(fields.split(' ')))
    })

    test('random objects are stored as they are, or refused by field; nothing breaks', async () => {
      const random = seeded(SEED + kind.kind.length * 7919 + kind.version.length)
      const schema = schemaOf(kind.type)
      const bases = Object.values(good)
      for (let i = 0; i < RANDOM_OBJECTS; i++) {
        const base = bases.length && i % 3 ? bases[i % bases.length] : undefined
        const value = (base ? sprinkled(schema, base, random) : randomValue(schema, random)) as any
        // Controllers make what they are asked for: a few pods do.
        if (value.spec?.replicas > 2) value.spec.replicas = 2
        const { labels, annotations } = value.metadata ?? {}
        const o = {
          ...value,
          apiVersion: apiVersionOf(kind),
          kind: kind.kind,
          metadata: { name: base?.metadata?.name ?? `random-${i}`, labels, annotations },
        }
        const created = await send('POST', pathOf(kind), o)
        const said = `${created.code} ${created.body.message} for ${JSON.stringify(o)}`
        if (created.code === 422) {
          expect(created.body.details?.causes?.length, said).toBeGreaterThan(0)
          for (const c of created.body.details.causes) expect(c.field, said).toBeTruthy()
          continue
        }
        // Admission may have a word of its own.
        if (created.code === 403) continue
        expect(created.code, said).toBe(201)
        const got = await send('GET', pathOf(kind, o.metadata.name))
        expect(content(got.body), said).toEqual(content(created.body))
        expect((await send('DELETE', `${pathOf(kind, o.metadata.name)}?gracePeriodSeconds=0`)).code).toBe(200)
        // A namespace may have been made with a finalizer of somebody else's.
        if (kind.kind !== 'Namespace')
          await eventually('it is gone', async () => (await send('GET', pathOf(kind, o.metadata.name))).code === 404)
      }
    })
  })
})
