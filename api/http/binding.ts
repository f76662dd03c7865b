// pods/NAME/binding and bindings: how schedulers bind over HTTP.
import { badRequest, invalid, StatusError } from '../../shared/status/index.ts'
import { bindPod } from '../registry/bind.ts'
import { json } from './answer.ts'
import { admitted } from './other-admission.ts'
import { writeOptions } from './request.ts'
import { type Asked, body } from './resource.ts'

export async function bind(a: Asked): Promise<Response> {
  const raw: any = await body(a)
  if (raw?.kind && raw.kind !== 'Binding') throw badRequest(`${raw.kind} cannot be handled as a Binding`)
  const target = raw?.target ?? {}
  if (target.kind && target.kind !== 'Node') {
    throw invalid('', 'Binding', raw?.metadata?.name ?? '', [
      {
        reason: 'FieldValueNotSupported',
        field: 'target.kind',
        message: `Unsupported value: ${JSON.stringify(target.kind)}: supported values: "Node", "<empty>"`,
      },
    ])
  }
  if (!target.name)
    throw invalid('', 'Binding', raw?.metadata?.name ?? '', [
      { reason: 'FieldValueRequired', field: 'target.name', message: 'Required value' },
    ])
  const name = a.r.name ?? raw?.metadata?.name
  if (!name) throw badRequest('name must be provided')
  if (raw?.metadata?.name && raw.metadata.name !== name)
    throw new StatusError(400, 'BadRequest', 'name in URL does not match name in Binding object')
  if (a.r.subresource) await admitted(a, 'CREATE', 'v1', 'Binding', raw)
  await bindPod(
    a.cluster.env,
    a.r.namespace!,
    name,
    target.name,
    writeOptions(a.query, a.request.headers.get('user-agent'), 'CreateOptions'),
    a.ctx,
  )
  return json(JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }), 201)
}
