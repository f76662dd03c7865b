// What paths ask for, by themselves: before it is known whether anybody serves it.
import { expect, test } from 'vitest'
import { attributesOfPath } from './request.ts'

test.each<[string, string, string, object]>([
  ['GET', '', 'pods', { verb: 'list', resource: 'pods' }],
  ['GET', '', 'pods?watch=1', { verb: 'watch', resource: 'pods' }],
  ['GET', '', 'watch/namespaces/a/pods/p', { verb: 'watch', resource: 'pods', namespace: 'a', name: 'p' }],
  ['POST', 'apps', 'namespaces/a/deployments', { verb: 'create', resource: 'deployments', namespace: 'a' }],
  [
    'PATCH',
    'apps',
    'namespaces/a/deployments/d/scale',
    { verb: 'patch', resource: 'deployments', namespace: 'a', name: 'd', subresource: 'scale' },
  ],
  ['DELETE', '', 'namespaces/a/pods', { verb: 'deletecollection', resource: 'pods', namespace: 'a' }],
  ['DELETE', '', 'namespaces/a', { verb: 'delete', resource: 'namespaces', namespace: 'a', name: 'a' }],
  ['PUT', '', 'namespaces/a/status', { verb: 'update', resource: 'namespaces', namespace: 'a', name: 'a', subresource: 'status' }],
  ['PUT', '', 'namespaces/a/finalize', { verb: 'update', resource: 'namespaces', namespace: 'a', name: 'a', subresource: 'finalize' }],
  ['GET', 'things.example', 'namespaces/a/status', { verb: 'list', resource: 'status', namespace: 'a' }],
  ['OPTIONS', '', 'pods', { verb: 'options', resource: 'pods' }],
])('%s of %j %s', (method, group, text, wanted) => {
  const [path, query] = text.split('?')
  expect(attributesOfPath(method, group, path!.split('/'), new URLSearchParams(query))).toEqual({ group, ...wanted })
})
