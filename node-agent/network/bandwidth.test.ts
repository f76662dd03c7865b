// Bounds of what pods receive and send, from their annotations.
import { expect, test } from 'vitest'
import { shapeOf, shaperOf } from './bandwidth.ts'

const [INGRESS, EGRESS] = ['kubernetes.io/ingress-bandwidth', 'kubernetes.io/egress-bandwidth'] as const

test.each<[string, Record<string, string> | undefined, object | undefined]>([
  ['no annotations', undefined, undefined],
  ['others', { a: '1M' }, undefined],
  ['one way', { [INGRESS]: '100M' }, { ingressRate: 1e8, ingressBurst: 1e7 }],
  ['the other', { [EGRESS]: '1G' }, { egressRate: 1e9, egressBurst: 1e8 }],
  [
    'both, and the least at once',
    { [INGRESS]: '1M', [EGRESS]: '1k' },
    { ingressRate: 1e6, ingressBurst: 1e6, egressRate: 1000, egressBurst: 1e6 },
  ],
])('%s', (_, annotations, shape) => {
  expect(shapeOf(annotations)).toEqual(shape)
})

test.each([
  ['fast', /no quantity/],
  ['999', /unreasonably small/],
  ['2P', /unreasonably large/],
])('refused: %s', (text, why) => {
  expect(() => shapeOf({ [EGRESS]: text })).toThrow(why)
})

test("the device's name, as the plugin makes it", () => {
  expect(shaperOf('kedge', 'a')).toMatch(/^bwp[0-9a-f]{12}$/)
  expect(shaperOf('kedge', 'a')).not.toBe(shaperOf('kedge', 'b'))
})
