// The tables of top, byte for byte: kubectl leaves three spaces behind the last column too.
import { expect, test } from 'vitest'
import { nodeTable, podTable } from './top.ts'

const pod = (namespace: string, name: string, ...containers: [string, string, string][]) => ({
  metadata: { namespace, name },
  containers: containers.map(([n, cpu, memory]) => ({ name: n, usage: { cpu, memory } })),
})
const pods = [
  pod('default', 'web-2', ['web', '1500000n', '20Mi'], ['log', '1m', '2048Ki']),
  pod('default', 'web-1', ['web', '250m', '3Mi']),
]
const plain = { containers: false, allNamespaces: false, headers: true, sum: false, sortBy: '' }

test.each([
  [
    'by name',
    plain,
    'NAME    CPU(cores)   MEMORY(bytes)   \nweb-1   250m         3Mi             \nweb-2   3m           22Mi            \n',
  ],
  ['by memory, without heads', { ...plain, headers: false, sortBy: 'memory' }, 'web-2   3m     22Mi   \nweb-1   250m   3Mi    \n'],
  [
    'containers',
    { ...plain, containers: true },
    'POD     NAME   CPU(cores)   MEMORY(bytes)   \nweb-1   web    250m         3Mi             \nweb-2   log    1m           2Mi             \nweb-2   web    2m           20Mi            \n',
  ],
  [
    'a sum over all namespaces',
    { ...plain, allNamespaces: true, sum: true },
    'NAMESPACE   NAME    CPU(cores)   MEMORY(bytes)   \ndefault     web-1   250m         3Mi             \ndefault     web-2   3m           22Mi            \n                    ________     ________        \n                    253m         25Mi            \n',
  ],
])('pods: %s', (_what, o, expected) => expect(podTable(pods, o)).toBe(expected))

test('nodes: percent of what they have; one that was not measured says so', () => {
  const node = (name: string) => ({
    metadata: { name },
    status: { allocatable: { cpu: '2', memory: '1Gi' }, capacity: { cpu: '4', memory: '2Gi' } },
  })
  const measured = [{ metadata: { name: 'a' }, usage: { cpu: '500m', memory: '256Mi' } }]
  expect(nodeTable(measured, [node('a'), node('b')], { headers: true, sortBy: '', capacity: false })).toBe(
    'NAME   CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)   \na      500m         25%         256Mi           25%         \nb      <unknown>    <unknown>   <unknown>       <unknown>   \n',
  )
  expect(nodeTable(measured, [node('a')], { headers: false, sortBy: 'cpu', capacity: true })).toBe('a   500m   12%   256Mi   12%   \n')
})
