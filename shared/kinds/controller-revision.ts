// ControllerRevision: an immutable snapshot of a controller's template.
import { controllerOf } from '../meta/object.ts'
import { equal } from '../schema/field-set.ts'
import { ageColumn, ageOf, integer, nameColumn, plainKind, text } from './kind.ts'

export const controllerRevision = plainKind({
  group: 'apps',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  type: 'V1ControllerRevision',
  validate: (o, e) => {
    if (o.revision < 0) e.invalid('revision', o.revision, 'must be greater than or equal to 0')
  },
  validateUpdate: (o, old, e) => {
    if (!equal(o.data, old.data)) e.invalidType('data', 'field is immutable')
  },
  columns: [nameColumn, text('Controller', 'The object that manages this revision.'), integer('Revision', 'Its number.'), ageColumn],
  cells: (o, now) => {
    const owner = controllerOf(o)
    const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : ''
    return [o.metadata.name, owner ? `${owner.kind.toLowerCase()}${group}/${owner.name}` : '<none>', o.revision, ageOf(o, now)]
  },
})
