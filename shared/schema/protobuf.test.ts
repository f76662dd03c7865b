// Protobuf bodies: what real clients send, taken apart; broken bytes are refused.
import { expect, test } from 'vitest'
import { decodeProtobuf, ProtobufError } from './protobuf.ts'

const text = (s: string) => [...new TextEncoder().encode(s)]
const field = (n: number, bytes: number[]) => [(n << 3) | 2, ...varint(bytes.length), ...bytes]
const number = (n: number, v: number) => [n << 3, ...varint(v)]
function varint(v: number): number[] {
  const out: number[] = []
  for (; v > 127; v = Math.floor(v / 128)) out.push((v % 128) | 128)
  return [...out, v]
}
const envelope = (apiVersion: string, kind: string, raw: number[]) =>
  Uint8Array.from([0x6b, 0x38, 0x73, 0, ...field(1, [...field(1, text(apiVersion)), ...field(2, text(kind))]), ...field(2, raw)])

test('a config map', () => {
  const meta = field(1, [...field(1, text('a')), ...field(3, []), ...field(11, [...field(1, text('l')), ...field(2, text('v'))])])
  const data = field(2, [...field(1, text('k')), ...field(2, text('value'))])
  expect(decodeProtobuf(envelope('v1', 'ConfigMap', [...meta, ...data]))).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', labels: { l: 'v' } },
    data: { k: 'value' },
  })
})

test('pointers keep their zero, plain fields drop it', () => {
  const spec = field(2, [...number(1, 0), ...number(5, 0)])
  expect(decodeProtobuf(envelope('apps/v1', 'Deployment', spec)).spec).toEqual({ replicas: 0 })
})

test('inlined structs stand in their parent', () => {
  const volume = field(1, [...field(1, text('v')), ...field(2, field(2, []))])
  const pod = field(2, volume)
  expect(decodeProtobuf(envelope('v1', 'Pod', pod)).spec.volumes).toEqual([{ name: 'v', emptyDir: {} }])
})

test.each([
  ['no prefix', Uint8Array.from([1, 2, 3, 4])],
  ['cut short', envelope('v1', 'ConfigMap', field(1, text('abc'))).subarray(0, 20)],
  ['an unknown kind', envelope('v1', 'Nothing', [])],
])('%s is refused', (_, bytes) => {
  expect(() => decodeProtobuf(bytes)).toThrow(ProtobufError)
})
