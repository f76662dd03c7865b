// What is encoded decodes to what it was: kinds with every special type, and lists.
import { describe, expect, test } from 'vitest'
import { decodeProtobuf } from './protobuf.ts'
import { encodeProtobuf, encodeWatchEvent } from './protobuf-encode.ts'

const metadata = {
  name: 'a',
  namespace: 'b',
  creationTimestamp: '2026-01-02T03:04:05Z',
  labels: { z: '1', a: '2' },
  generation: 7,
  managedFields: [
    {
      manager: 'm',
      operation: 'Apply',
      apiVersion: 'v1',
      time: '2026-01-02T03:04:05Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': {} },
    },
  ],
}

const objects: Record<string, any> = {
  'a pod': {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: {
      containers: [
        {
          name: 'c',
          image: 'x',
          resources: { limits: { cpu: '100m', memory: '1Gi' } },
          livenessProbe: { httpGet: { port: 'http', path: '/' }, periodSeconds: 5 },
          readinessProbe: { tcpSocket: { port: 80 } },
          env: [{ name: 'E', valueFrom: { configMapKeyRef: { name: 'cm', key: 'k' } } }],
        },
      ],
      volumes: [{ name: 'v', configMap: { name: 'cm', defaultMode: 420 } }],
      terminationGracePeriodSeconds: 0,
      automountServiceAccountToken: false,
    },
    status: { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }] },
  },
  'a config map with bytes': { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: 'ü' }, binaryData: { b: 'AAEC/w==' } },
  'a lease with a fine time': {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata,
    spec: { holderIdentity: 'h', renewTime: '2026-01-02T03:04:05.000123Z', leaseDurationSeconds: 40 },
  },
  'a deployment': {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: { replicas: 0, strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } } },
  },
  'a definition': {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata,
    spec: {
      group: 'a.b',
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: {
                s: { type: 'array', items: { type: 'number', maximum: 1.5, default: [1] } },
                m: { type: 'object', additionalProperties: { type: 'string' } },
              },
            },
          },
        },
      ],
    },
  },
  'a large and a negative number': {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata,
    spec: { activeDeadlineSeconds: 9007199254740991, containers: [{ name: 'c', securityContext: { runAsUser: -1 } }] },
  },
}

describe('there and back', () => {
  test.each(Object.entries(objects))('%s', (_, o) => {
    expect(decodeProtobuf(encodeProtobuf(o))).toEqual(o)
  })
})

test('a list is its messages one after another', () => {
  const bytes = encodeProtobuf({
    apiVersion: 'v1',
    kind: 'PodList',
    metadata: { resourceVersion: '5' },
    items: [objects['a pod'], objects['a pod']],
  })
  expect(new TextDecoder().decode(bytes.subarray(0, 3))).toBe('k8s')
  expect(bytes.length).toBeGreaterThan(2 * 100)
})

test('an event says how long it is', () => {
  const bytes = encodeWatchEvent('ADDED', objects['a pod'])
  expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)).toBe(bytes.length - 4)
})
