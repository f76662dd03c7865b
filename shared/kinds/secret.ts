// Secret: stringData becomes data at the door; typed secrets must carry their keys. Encryption at rest is the store's.
import { toBase64Text } from '../meta/base64.ts'
import { dictionary } from '../meta/dictionary.ts'
import type { FieldErrors } from '../meta/field-error.ts'
import { configMapKey } from '../meta/names.ts'
import type { KObject } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, integer, nameColumn, plainKind, text } from './kind.ts'

const requiredKeys: Record<string, string[]> = dictionary({
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
})

function validate(o: KObject, e: FieldErrors) {
  let size = 0
  for (const [key, value] of Object.entries<string>(o.data ?? {})) {
    e.format(`data[${key}]`, key, configMapKey(key))
    size += value.length * 0.75
  }
  if (size > 1024 * 1024) e.tooLong('data', 1024 * 1024)
  for (const key of requiredKeys[o.type] ?? []) if (o.data?.[key] === undefined) e.required(`data[${key}]`)
  if (o.type === 'kubernetes.io/basic-auth' && o.data?.username === undefined && o.data?.password === undefined) {
    e.required('data[username]')
    e.required('data[password]')
  }
  if (o.type === 'kubernetes.io/service-account-token' && !o.metadata.annotations?.['kubernetes.io/service-account.name'])
    e.required('metadata.annotations[kubernetes.io/service-account.name]')
  const json = o.data?.[requiredKeys[o.type]?.[0] ?? '']
  if (json && (o.type === 'kubernetes.io/dockerconfigjson' || o.type === 'kubernetes.io/dockercfg')) {
    try {
      JSON.parse(atob(json))
    } catch {
      e.invalidType(`data[${requiredKeys[o.type]![0]}]`, '"<secret contents redacted>": invalid character in JSON')
    }
  }
}

export const secret = plainKind({
  group: '',
  kind: 'Secret',
  plural: 'secrets',
  namespaced: true,
  type: 'V1Secret',
  defaults: (o) => {
    o.type ||= 'Opaque'
    if (o.stringData) {
      o.data = { ...o.data }
      for (const [k, v] of Object.entries<string>(o.stringData)) o.data[k] = toBase64Text(v)
      delete o.stringData
    }
  },
  validate,
  validateUpdate: (o, old, e) => {
    if (o.type !== old.type) e.invalid('type', o.type, 'field is immutable')
    if (!old.immutable) return
    if (!o.immutable) e.forbidden('immutable', 'field is immutable when `immutable` is set')
    if (!equal(o.data ?? {}, old.data ?? {})) e.forbidden('data', 'field is immutable when `immutable` is set')
  },
  fields: (o) => ({ type: o.type ?? '' }),
  columns: [
    nameColumn,
    text('Type', 'Used to facilitate programmatic handling of secret data.'),
    integer('Data', 'Number of keys.'),
    ageColumn,
  ],
  cells: (o, now) => [o.metadata.name, o.type, Object.keys(o.data ?? {}).length, ageOf(o, now)],
})
