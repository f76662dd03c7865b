// ConfigMap: keys are file names; an immutable one never changes again.
import { configMapKey } from '../meta/names.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, integer, nameColumn, plainKind } from './kind.ts'

const MAX_BYTES = 1024 * 1024

export const configMap = plainKind({
  group: '',
  kind: 'ConfigMap',
  plural: 'configmaps',
  shortNames: ['cm'],
  namespaced: true,
  type: 'V1ConfigMap',
  validate: (o, e) => {
    let size = 0
    for (const field of ['data', 'binaryData'])
      for (const [key, value] of Object.entries<string>(o[field] ?? {})) {
        e.format(`${field}[${key}]`, key, configMapKey(key))
        if (field === 'binaryData' && key in (o.data ?? {})) e.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')
        size += value.length
      }
    if (size > MAX_BYTES) e.tooLong('', MAX_BYTES)
  },
  validateUpdate: (o, old, e) => {
    if (!old.immutable) return
    if (!o.immutable) e.forbidden('immutable', 'field is immutable when `immutable` is set')
    for (const field of ['data', 'binaryData'])
      if (!equal(o[field] ?? {}, old[field] ?? {})) e.forbidden(field, 'field is immutable when `immutable` is set')
  },
  columns: [nameColumn, integer('Data', 'Number of keys.'), ageColumn],
  cells: (o, now) => [o.metadata.name, Object.keys(o.data ?? {}).length + Object.keys(o.binaryData ?? {}).length, ageOf(o, now)],
})
