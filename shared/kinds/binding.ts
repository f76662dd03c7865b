// Binding: how a scheduler says where a pod goes. Written to the pod, never stored.
import { type Kind, plainKind } from './kind.ts'

export const binding: Kind = plainKind({
  group: '',
  kind: 'Binding',
  plural: 'bindings',
  namespaced: true,
  type: 'V1Binding',
  verbs: ['create'],
  virtual: true,
})
