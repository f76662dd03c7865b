// Custom resources from definition to deletion: what clients see of them, on both platforms.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../rig/hosts.ts'
import type { Ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10, default: 3 },
        mode: { type: 'string', enum: ['fast', 'slow'], default: 'fast' },
        name: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
        port: { 'x-kubernetes-int-or-string': true },
        replicas: { type: 'integer' },
        maybe: { type: 'string', nullable: true },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        inner: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
        parts: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['id'],
          items: { type: 'object', required: ['id'], properties: { id: { type: 'string' }, value: { type: 'string' } } },
        },
        tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      },
      oneOf: [{ required: ['size'] }],
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, phase: { type: 'string' } } },
  },
}

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', kind: 'Widget', shortNames: ['wd'], categories: ['all'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {}, scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' } },
        additionalPrinterColumns: [
          { name: 'Size', type: 'integer', jsonPath: '.spec.size' },
          { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
        ],
        selectableFields: [{ jsonPath: '.spec.mode' }],
      },
      {
        name: 'v1beta1',
        served: true,
        storage: false,
        deprecated: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
      },
    ],
  },
}

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const WIDGETS = '/apis/example.com/v1/namespaces/default/widgets'
const widget = (name: string, spec: object = {}, more: object = {}) => ({
  apiVersion: 'example.com/v1',
  kind: 'Widget',
  metadata: { name },
  spec,
  ...more,
})

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
    expect((await send('GET', WIDGETS).catch((e) => e.message)).toString()).toMatch(/404/)
    const made = await send('POST', CRDS, definition)
    expect(made.code, JSON.stringify(made.body.message ?? '')).toBe(201)
  })
  afterAll(() => server?.stop())

  test('it is established at once, and discovered', async () => {
    const { status } = (await send('GET', `${CRDS}/widgets.example.com`)).body
    expect(status.conditions.map((c: any) => `${c.type}=${c.status}`)).toEqual(['NamesAccepted=True', 'Established=True'])
    expect(status).toMatchObject({ acceptedNames: { listKind: 'WidgetList', singular: 'widget' }, storedVersions: ['v1'] })
    const group = (await send('GET', '/apis/example.com')).body
    expect(group.versions.map((v: any) => v.version)).toEqual(['v1', 'v1beta1'])
    const resources = (await send('GET', '/apis/example.com/v1')).body.resources
    expect(resources.map((r: any) => r.name)).toEqual(['widgets', 'widgets/status', 'widgets/scale'])
    const openapi = (await send('GET', '/openapi/v3/apis/example.com/v1')).body
    expect(openapi.components.schemas['com.example.v1.Widget'].properties.spec.properties.size.maximum).toBe(10)
  })

  test('defaults, pruning, nulls, columns, both versions', async () => {
    const made = await send(
      'POST',
      WIDGETS,
      widget('a', { unknown: 1, maybe: null, name: null, free: { x: { y: 1 } }, labels: { a: 'b' } }, { status: { phase: 'x' } }),
    )
    expect(made.code, JSON.stringify(made.body.message ?? '')).toBe(201)
    expect(made.body).toMatchObject({ kind: 'Widget', apiVersion: 'example.com/v1', metadata: { generation: 1 } })
    expect(made.body.spec).toEqual({ size: 3, mode: 'fast', maybe: null, free: { x: { y: 1 } }, labels: { a: 'b' } })
    expect(made.body.status).toBeUndefined()
    const older = (await send('GET', '/apis/example.com/v1beta1/namespaces/default/widgets/a')).body
    expect(older).toMatchObject({ apiVersion: 'example.com/v1beta1', spec: { size: 3 } })
    const table = (await send('GET', WIDGETS, undefined, 'application/json;as=Table;v=v1;g=meta.k8s.io')).body
    expect(table.columnDefinitions.map((c: any) => c.name)).toEqual(['Name', 'Size', 'Age'])
    expect(table.rows[0].cells.slice(0, 2)).toEqual(['a', 3])
    const strict = await send('POST', `${WIDGETS}?fieldValidation=Strict`, widget('b', { unknown: 1 }))
    expect(strict.body.message).toMatch(/strict decoding error: unknown field "spec.unknown"$/)
  })

  test.each([
    ['spec.size', { size: 11 }, /spec.size in body should be less than or equal to 10/],
    ['spec.size', { size: 'x' }, /spec.size in body must be of type integer: "string"/],
    ['spec.mode', { mode: 'odd' }, /Unsupported value: "odd": supported values: "fast", "slow"/],
    ['spec.name', { name: 'A' }, /should match '\^\[a-z\]\+\$'/],
    ['spec.name', { name: 'abcdef' }, /Too long: may not be more than 5 bytes/],
    ['spec.parts[0].id', { parts: [{}] }, /Required value/],
    ['spec.parts[1]', { parts: [{ id: 'a' }, { id: 'a' }] }, /Duplicate value/],
    ['spec.tags[1]', { tags: ['a', 'a'] }, /Duplicate value/],
    ['spec.labels.a', { labels: { a: 1 } }, /must be of type string: "integer"/],
    ['spec.port', { port: 1.5 }, /must be of type integer,string/],
    ['spec.inner.kind', { inner: { apiVersion: 'v1' } }, /must not be empty/],
  ])('%s is refused: %o', async (field, spec, message) => {
    const { code, body } = await send('POST', WIDGETS, widget('bad', spec))
    expect(code, JSON.stringify(body)).toBe(422)
    expect(body.details.causes).toContainEqual(expect.objectContaining({ field, message: expect.stringMatching(message) }))
  })

  test('status, scale, patches and apply', async () => {
    await send('POST', WIDGETS, widget('s', { replicas: 2, parts: [{ id: 'a', value: '1' }] }))
    const status = await send('PUT', `${WIDGETS}/s/status`, widget('s', { size: 9 }, { status: { phase: 'Up', replicas: 2 } }))
    expect(status.body).toMatchObject({ spec: { size: 3 }, status: { phase: 'Up' }, metadata: { generation: 1 } })
    const scaled = await send('PATCH', `${WIDGETS}/s/scale`, { spec: { replicas: 5 } }, undefined, 'application/merge-patch+json')
    expect(scaled.body).toMatchObject({ kind: 'Scale', spec: { replicas: 5 }, status: { replicas: 2 } })
    expect((await send('GET', `${WIDGETS}/s`)).body).toMatchObject({ spec: { replicas: 5 }, metadata: { generation: 2 } })
    const strategic = await send('PATCH', `${WIDGETS}/s`, {}, undefined, 'application/strategic-merge-patch+json')
    expect(strategic.code).toBe(415)
    const apply = (manager: string, spec: object, force = '') =>
      send('PATCH', `${WIDGETS}/s?fieldManager=${manager}${force}`, widget('s', spec), undefined, 'application/apply-patch+yaml')
    const one = await apply('one', { parts: [{ id: 'b', value: '2' }], tags: ['x'] })
    expect(one.body.spec.parts).toEqual([
      { id: 'a', value: '1' },
      { id: 'b', value: '2' },
    ])
    const two = await apply('two', { parts: [{ id: 'b', value: '3' }] })
    expect(two.code).toBe(409)
    expect(two.body.message).toMatch(/conflict with "one": \.spec\.parts\[id="b"\]\.value/)
    expect((await apply('two', { parts: [{ id: 'b', value: '3' }], tags: ['y'] }, '&force=true')).body.spec.tags).toEqual(['x', 'y'])
    expect((await apply('one', { tags: [] })).body.spec).toMatchObject({ tags: ['y'], parts: [{ id: 'a' }, { id: 'b', value: '3' }] })
  })

  test('selectors and watches', async () => {
    await send('POST', WIDGETS, widget('quick', {}))
    await send('POST', WIDGETS, widget('snail', { mode: 'slow' }))
    const slow = await send('GET', `${WIDGETS}?fieldSelector=spec.mode%3Dslow`)
    expect(slow.body.items.map((i: any) => i.metadata.name)).toEqual(['snail'])
    expect(slow.body.kind).toBe('WidgetList')
    const lines = await server.lines(`${WIDGETS}?watch=true&timeoutSeconds=1&resourceVersion=0&fieldSelector=spec.mode%3Dslow`)
    expect(lines.map((l: any) => [l.type, l.object.kind, l.object.metadata.name])).toContainEqual(['ADDED', 'Widget', 'snail'])
  })

  test('names that are taken leave a definition waiting; what is wrong with one is said', async () => {
    const second = structuredClone(definition)
    second.metadata.name = 'gadgets.example.com'
    second.spec.names = { plural: 'gadgets', kind: 'Widget', shortNames: ['gd'], categories: [] }
    const waiting = (await send('POST', CRDS, second)).body
    expect(waiting.status.conditions[0]).toMatchObject({
      type: 'NamesAccepted',
      status: 'False',
      reason: 'SingularConflict',
      message: '"widget" is already in use',
    })
    await send('DELETE', `${CRDS}/gadgets.example.com`)
    const faulty = structuredClone(definition) as any
    faulty.metadata.name = 'x.example.com'
    faulty.spec.versions[0].schema.openAPIV3Schema = { type: 'string' }
    faulty.spec.versions[1].storage = true
    faulty.spec.scope = 'Odd'
    const refused = await send('POST', CRDS, faulty)
    expect(refused.body.details.causes.map((c: any) => c.field)).toEqual(
      expect.arrayContaining(['metadata.name', 'spec.scope', 'spec.versions', 'spec.versions[0].schema.openAPIV3Schema.type']),
    )
  })

  test('rules refuse, see what was before, and cannot be made to take long', async () => {
    const integers = { type: 'array', items: { type: 'integer' } }
    const rules = (...list: object[]) => ({ 'x-kubernetes-validations': list })
    const ruled = structuredClone(definition) as any
    ruled.metadata.name = 'ranges.example.com'
    ruled.spec.names = { plural: 'ranges', kind: 'Range', shortNames: [], categories: [] }
    ruled.spec.versions = [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { min: { type: 'integer' }, max: { type: 'integer' }, list: integers },
                ...rules(
                  { rule: 'self.min <= self.max', messageExpression: '"min %d is over max %d".format([self.min, self.max])' },
                  { rule: 'self.max >= oldSelf.max', message: 'max may not shrink', fieldPath: '.max' },
                  { rule: '!has(self.list) || self.list.all(a, self.list.all(b, self.list.all(c, a + b + c >= 0)))' },
                ),
              },
            },
          },
        },
      },
    ]
    expect((await send('POST', CRDS, ruled)).code).toBe(201)
    const at = '/apis/example.com/v1/namespaces/default/ranges'
    const refused = await send('POST', at, { metadata: { name: 'r' }, spec: { min: 3, max: 2 } })
    expect([refused.code, refused.body.message]).toEqual([
      422,
      'Range.example.com "r" is invalid: spec: Invalid value: min 3 is over max 2',
    ])
    expect((await send('POST', at, { metadata: { name: 'r' }, spec: { min: 1, max: 5 } })).code).toBe(201)
    const shrunk = await send('PATCH', `${at}/r`, { spec: { max: 4 } }, undefined, 'application/merge-patch+json')
    expect([shrunk.code, shrunk.body.message]).toEqual([
      422,
      'Range.example.com "r" is invalid: spec.max: Invalid value: max may not shrink',
    ])
    const hostile = { metadata: { name: 'h' }, spec: { min: 1, max: 5, list: Array.from({ length: 5000 }, (_, i) => i) } }
    const [slow, quick] = await Promise.all([send('POST', at, hostile), send('GET', `${at}/r`)])
    expect([slow.code, slow.body.message]).toEqual([422, expect.stringMatching(/call cost exceeds limit for rule/)])
    expect(quick.code).toBe(200)
    ruled.metadata.name = 'odds.example.com'
    ruled.spec.names = { plural: 'odds', kind: 'Odd', shortNames: [], categories: [] }
    ruled.spec.versions[0].schema.openAPIV3Schema.properties.spec['x-kubernetes-validations'] = [{ rule: 'self.nope > 1' }]
    const odd = await send('POST', CRDS, ruled)
    expect([odd.code, odd.body.details.causes[0].message]).toEqual([422, expect.stringMatching(/undefined field 'nope'/)])
  })

  test('a definition that goes takes its objects along', async () => {
    const other = structuredClone(definition)
    other.metadata.name = 'things.other.example.com'
    other.spec.group = 'other.example.com'
    other.spec.names = { plural: 'things', kind: 'Thing', shortNames: [], categories: [] }
    expect((await send('POST', CRDS, other)).code).toBe(201)
    const at = '/apis/other.example.com/v1/namespaces/default/things'
    expect((await send('POST', at, { metadata: { name: 'a' }, spec: {} })).code).toBe(201)
    expect((await send('DELETE', `${CRDS}/things.other.example.com`)).code).toBe(200)
    await eventually('the definition is gone', async () => (await send('GET', `${CRDS}/things.other.example.com`)).code === 404)
    await eventually(
      'and not served',
      async () => (await send('GET', at).catch((e) => ({ code: /404/.test(e.message) ? 404 : 0 }))).code === 404,
    )
    expect((await send('POST', CRDS, other)).code).toBe(201)
    await eventually('it is served again', async () => (await send('GET', at).catch(() => ({ code: 0 }))).code === 200)
    expect((await send('GET', at)).body.items).toEqual([])
  })

  test('a default that came later is there when older objects are read, listed, watched and changed', async () => {
    const properties = { size: { type: 'integer' } }
    const version = (more: object) => ({
      name: 'v1',
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { ...properties, ...more } } } } },
    })
    const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const names = { plural: 'laters', kind: 'Later' }
    const spec = { group: 'example.com', scope: 'Namespaced', names, versions: [version({})] }
    await send('POST', definitions, { metadata: { name: 'laters.example.com' }, spec })
    const at = '/apis/example.com/v1/namespaces/default/laters'
    await eventually('it is served', async () => (await send('GET', at)).code === 200)
    await send('POST', at, { metadata: { name: 'old' }, spec: { size: 1 } })
    const versions = [version({ colour: { type: 'string', default: 'blue' } })]
    await send('PATCH', `${definitions}/laters.example.com`, { spec: { versions } }, undefined, 'application/merge-patch+json')
    const wanted = { size: 1, colour: 'blue' }
    await eventually('the default is known', async () => (await send('GET', `${at}/old`)).body.spec.colour === 'blue')
    expect((await send('GET', at)).body.items[0].spec).toEqual(wanted)
    const [event] = await server.lines(`${at}?watch=1&timeoutSeconds=1`)
    expect(event.object.spec).toEqual(wanted)
    const labelled = await send('PATCH', `${at}/old`, { metadata: { labels: { a: 'b' } } }, undefined, 'application/merge-patch+json')
    expect(labelled.body.spec).toEqual(wanted)
  })
})
