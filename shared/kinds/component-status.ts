// ComponentStatus, long deprecated and still asked for: how the parts of the control plane are. Made when it is read (api/http/component-status.ts).
import { type Kind, nameColumn, plainKind, text } from './kind.ts'

export const componentStatus: Kind = plainKind({
  group: '',
  kind: 'ComponentStatus',
  plural: 'componentstatuses',
  shortNames: ['cs'],
  namespaced: false,
  type: 'V1ComponentStatus',
  verbs: ['get', 'list'],
  virtual: true,
  deprecation: 'v1 ComponentStatus is deprecated in v1.19+',
  columns: [
    nameColumn,
    text('Status', 'Whether the component is healthy.'),
    text('Message', 'What it says of itself.'),
    text('Error', 'What is wrong with it.'),
  ],
  cells: (o) => {
    const c = o.conditions?.find((x: any) => x.type === 'Healthy')
    return [o.metadata.name, c?.status === 'True' ? 'Healthy' : 'Unhealthy', c?.message ?? '', c?.error ?? '']
  },
})
