// From a request's body to an object of the kind: identity of kind and version, schema decoding, unknown fields by the wanted strictness.

import { TooDeep } from '../../shared/crd/structural.ts'
import { apiVersionOf } from '../../shared/kinds/index.ts'
import type { Kind } from '../../shared/kinds/kind.ts'
import type { KObject } from '../../shared/meta/object.ts'
import { DecodeError, decode } from '../../shared/schema/decode.ts'
import { schemaOf } from '../../shared/schema/types.ts'
import { badRequest } from '../../shared/status/index.ts'
import type { RequestContext, WriteOptions } from './context.ts'

/** A decoded copy of `raw`. Throws 400 on wrong types, on another kind, and on unknown fields under Strict. */
export function decodeObject(
  kind: Kind,
  raw: unknown,
  options: Pick<WriteOptions, 'fieldValidation'>,
  ctx: RequestContext,
  type = kind.type,
): KObject {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind`)
  const given = raw as { kind?: unknown; apiVersion?: unknown }
  const want = apiVersionOf(kind)
  if (type === kind.type) {
    if ((given.kind && given.kind !== kind.kind) || (given.apiVersion && given.apiVersion !== want))
      throw wrongKind(kind, String(given.kind ?? ''), String(given.apiVersion ?? ''))
  }
  const unknown: string[] = []
  let object: KObject
  try {
    object = kind.decode && type === kind.type ? kind.decode(raw, unknown) : decode(schemaOf(type), raw, unknown)
  } catch (cause) {
    if (cause instanceof DecodeError || cause instanceof TooDeep)
      throw badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${cause.message}`)
    throw cause
  }
  if (unknown.length && options.fieldValidation !== 'Ignore') {
    const faults = unknown.map((f) => `unknown field "${f}"`)
    if (options.fieldValidation === 'Strict')
      throw badRequest(
        `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${faults.join(', ')}`,
      )
    ctx.warnings.push(...faults)
  }
  object.metadata ??= {} as KObject['metadata']
  delete object.kind
  delete object.apiVersion
  return object
}

function wrongKind(kind: Kind, givenKind: string, givenVersion: string) {
  const last = givenVersion.split('/').at(-1)
  if (givenVersion && givenVersion !== apiVersionOf(kind) && givenKind === kind.kind)
    return badRequest(`the API version in the data (${givenVersion}) does not match the expected API version (${apiVersionOf(kind)})`)
  const goGroup = kind.group ? kind.group.split('.')[0] : 'core'
  return badRequest(
    `${givenKind} in version "${last}" cannot be handled as a ${kind.kind}: converting (${last}.${givenKind}) to (${goGroup}.${kind.kind}): unknown conversion`,
  )
}
