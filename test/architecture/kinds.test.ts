// The kinds table drives everything: discovery, OpenAPI and rights must agree with it.
import { describe, expect, test } from 'vitest'
import { clusterRoles } from '../../api/auth/bootstrap-roles.ts'
import { aggregated, resourceList } from '../../api/http/discovery.ts'
import { openapiV3 } from '../../api/http/openapi.ts'
import { apiVersionOf, kinds } from '../../shared/kinds/index.ts'
import { KindTable } from '../../shared/kinds/table.ts'
import { messageOf } from '../../shared/schema/protobuf.ts'
import { messages } from '../../shared/schema/protobuf-fields.ts'
import { schemaOf } from '../../shared/schema/types.ts'

const table = new KindTable()

describe.each(kinds.map((k) => [`${apiVersionOf(k)} ${k.kind}`, k] as const))('%s', (_name, k) => {
  test('has a schema with metadata', () => {
    expect(schemaOf(k.type).properties).toHaveProperty('metadata')
  })
  test('is discovered with its subresources', () => {
    const list = resourceList(table, k.group, k.version)!.resources.map((r) => r.name)
    expect(list).toContain(k.plural)
    for (const s of Object.keys(k.subresources ?? {})) expect(list).toContain(`${k.plural}/${s}`)
    const group = aggregated(table, k.group === '', 'v2', []).items.find((i) => i.metadata.name === k.group)!
    expect(group.versions.find((v) => v.version === k.version)!.resources.map((r: any) => r.resource)).toContain(k.plural)
  })
  test('is in OpenAPI with its group, version and kind', () => {
    const schemas = Object.values<any>(JSON.parse(openapiV3(table, k.group, k.version)!).components.schemas)
    expect(schemas.some((s) => s['x-kubernetes-group-version-kind']?.some((g: any) => g.kind === k.kind && g.group === k.group))).toBe(true)
  })
  // Our own kinds travel as JSON, as custom resources do.
  test('is readable from protobuf', () => {
    if (!k.group.endsWith('kedge.dev')) expect(messages).toHaveProperty([messageOf(apiVersionOf(k), k.kind)])
  })
  test('has as many cells as columns', () => {
    const o = { metadata: { name: 'x', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' } }
    expect(k.cells(o, 0)).toHaveLength(k.columns.length)
  })
})

test('default roles speak of names that could be served', () => {
  for (const r of clusterRoles) for (const rule of r.rules ?? []) expect(rule.verbs.length).toBeGreaterThan(0)
})
