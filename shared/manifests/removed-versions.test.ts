// Manifests of removed API versions, as they go out.
import { expect, test } from 'vitest'
import { convertRemoved } from './removed-versions.ts'

const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [] } }

test.each(['extensions/v1beta1', 'apps/v1beta1', 'apps/v1beta2'])(
  'a Deployment of %s gets the selector that was understood',
  (apiVersion) => {
    const { object, warning } = convertRemoved({
      apiVersion,
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { rollbackTo: { revision: 1 }, template },
    })
    expect(object).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { selector: { matchLabels: { app: 'web' } }, template },
    })
    expect(warning).toBe(`Deployment web: ${apiVersion} was removed from Kubernetes; it goes out as apps/v1`)
  },
)

test('a selector of plain labels becomes one of matchLabels', () => {
  const { object } = convertRemoved({
    apiVersion: 'extensions/v1beta1',
    kind: 'ReplicaSet',
    metadata: { name: 'x' },
    spec: { selector: { a: 'b' }, template },
  })
  expect(object.spec.selector).toEqual({ matchLabels: { a: 'b' } })
})

test('an Ingress gets services and path types', () => {
  const spec = {
    backend: { serviceName: 'a', servicePort: 80 },
    rules: [{ host: 'x', http: { paths: [{ path: '/', backend: { serviceName: 'b', servicePort: 'http' } }] } }],
  }
  expect(convertRemoved({ apiVersion: 'extensions/v1beta1', kind: 'Ingress', metadata: { name: 'x' }, spec }).object.spec).toEqual({
    defaultBackend: { service: { name: 'a', port: { number: 80 } } },
    rules: [
      {
        host: 'x',
        http: { paths: [{ path: '/', pathType: 'ImplementationSpecific', backend: { service: { name: 'b', port: { name: 'http' } } } }] },
      },
    ],
  })
})

test('a CustomResourceDefinition gets a schema for each version', () => {
  const spec = {
    group: 'example.com',
    version: 'v1',
    scope: 'Namespaced',
    names: {},
    additionalPrinterColumns: [{ name: 'A', JSONPath: '.a', type: 'string' }],
  }
  const { versions } = convertRemoved({
    apiVersion: 'apiextensions.k8s.io/v1beta1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'x' },
    spec,
  }).object.spec
  expect(versions).toEqual([
    {
      name: 'v1',
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      additionalPrinterColumns: [{ name: 'A', jsonPath: '.a', type: 'string' }],
    },
  ])
})

test('an autoscaler of v2beta1 gets its targets', () => {
  const spec = { metrics: [{ type: 'Resource', resource: { name: 'cpu', targetAverageUtilization: 50 } }] }
  const { object } = convertRemoved({ apiVersion: 'autoscaling/v2beta1', kind: 'HorizontalPodAutoscaler', metadata: { name: 'x' }, spec })
  expect(object.spec.metrics).toEqual([
    { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } },
  ])
})

test('what is served stays as it is', () => {
  const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } }
  expect(convertRemoved(object)).toEqual({ object })
})
