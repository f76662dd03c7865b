// Whether the priority level that a flow schema names is there: its condition Dangling says.
import { FLOW_CONTROL } from '../../shared/kinds/flow-control.ts'
import { type KObject, timeString } from '../../shared/meta/object.ts'
import type { Controller } from '../engine/types.ts'

const SCHEMAS = `flowschemas.${FLOW_CONTROL}`
const LEVELS = `prioritylevelconfigurations.${FLOW_CONTROL}`
const levelOf = (o: KObject): string => o.spec.priorityLevelConfiguration?.name

interface View {
  schema: KObject
  found: boolean
}

export const flowSchemaStatus: Controller<View> = {
  name: 'flow-schema-status',
  all: (r) => r.list(SCHEMAS).map((o) => o.metadata.name),
  wakes: {
    [SCHEMAS]: ({ new: now }) => (now ? [now.metadata.name] : []),
    [LEVELS]: ({ old, new: now }, reader) =>
      old && now
        ? []
        : reader
            .list(SCHEMAS)
            .filter((o) => levelOf(o) === (now ?? old)!.metadata.name)
            .map((o) => o.metadata.name),
  },
  view: (key, reader) => {
    const schema = reader.get(SCHEMAS, '', key)
    return schema && { schema, found: !!reader.get(LEVELS, '', levelOf(schema)) }
  },
  reconcile: (_key, { schema, found }, now) => {
    const all: any[] = schema.status?.conditions ?? []
    const status = found ? 'False' : 'True'
    const before = all.find((c) => c.type === 'Dangling')
    if (before?.status === status) return { writes: [] }
    const name = JSON.stringify(levelOf(schema))
    const said = {
      type: 'Dangling',
      status,
      lastTransitionTime: timeString(now),
      reason: found ? 'Found' : 'NotFound',
      message: `This FlowSchema references the PriorityLevelConfiguration object named ${name} ${found ? 'and it exists' : 'but there is no such object'}`,
    }
    const conditions = [...all.filter((c) => c.type !== 'Dangling'), said]
    const object = { ...schema, status: { ...schema.status, conditions } }
    return { writes: [{ verb: 'update', resource: SCHEMAS, object, part: 'status' }] }
  },
}
