// Which flows are forgotten when the service table changes.
import { expect, test } from 'vitest'
import type { Elements } from './service-rules.ts'
import { type Flow, staleFlows } from './stale-flows.ts'

const state = (maps: Record<string, Record<string, string>>): Elements =>
  new Map(Object.entries(maps).map(([name, all]) => [name, new Map(Object.entries(all))]))

const [a, b] = ['10.244.0.1 . 53', '10.244.0.2 . 53']
const dns = '10.96.0.9 . udp . 53'

test.each<[string, Elements, Elements, Flow[]]>([
  [
    'an endpoint that is gone',
    state({ endpoints: { [`${dns} . 0`]: a, [`${dns} . 1`]: b } }),
    state({ endpoints: { [`${dns} . 0`]: b } }),
    [{ address: '10.96.0.9', port: '53', target: a }],
  ],
  [
    'another order is no change',
    state({ endpoints: { [`${dns} . 0`]: a, [`${dns} . 1`]: b } }),
    state({ endpoints: { [`${dns} . 0`]: b, [`${dns} . 1`]: a } }),
    [],
  ],
  ['a first endpoint', state({}), state({ endpoints: { [`${dns} . 0`]: a } }), [{ address: '10.96.0.9', port: '53' }]],
  [
    'of a node port, with affinity',
    state({ 'node-sticky-endpoints': { 'udp . 30053 . 77': a }, 'node-sticky-ids': { 'udp . 30053 . 0': '77' } }),
    state({}),
    [{ port: '30053', target: a }],
  ],
  ['a port of the host', state({ 'host-ports': { 'udp . 5353': a } }), state({}), [{ port: '5353', target: a }]],
  ['TCP finds out by itself', state({ endpoints: { '10.96.0.9 . tcp . 53 . 0': a } }), state({}), []],
  [
    'of many the whole front',
    state({ endpoints: Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`${dns} . ${i}`, `10.244.0.${i} . 53`])) }),
    state({}),
    [{ address: '10.96.0.9', port: '53' }],
  ],
])('%s', (_, from, to, want) => {
  expect(staleFlows(from, to)).toEqual(want)
})
