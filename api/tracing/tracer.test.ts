// Spans on their way to an endpoint: what they say, which are not traced, and what becomes of those that cannot be sent.
import { describe, expect, test } from 'vitest'
import { parseContext, Tracer, traceOf } from './tracer.ts'

let n = 0
const random = { bytes: (count: number) => new Uint8Array(count).map(() => (n = (n * 31 + 7) % 256)), uuid: () => '' }
const log = { info: () => {}, warn: () => {}, error: () => {} }

function tracer(ratio = 1, code = () => 200) {
  const sent: any[] = []
  let at = 1000
  const t = new Tracer(
    { endpoint: 'http://otlp/', headers: { 'x-key': 'k' }, ratio },
    { clock: { now: () => at++ }, random, log },
    {},
    (async (url: string, init: any) => {
      sent.push({ url, headers: init.headers, spans: JSON.parse(init.body).resourceSpans[0].scopeSpans[0].spans })
      return new Response('{}', { status: code() })
    }) as never,
  )
  return { t, sent, counts: () => t.families()[0]!.samples.map((s) => s.value) }
}

test('a span and what comes of it are one trace', async () => {
  const { t, sent, counts } = tracer()
  const request = t.start('create pods', 'server', undefined, { code: 201 })!
  const inner = t.start('reconcile', 'internal', request.context)!
  inner.set('key', 'default/web')
  inner.end('it failed')
  request.end()
  await t.flush()
  expect(sent[0].url).toBe('http://otlp/v1/traces')
  expect(sent[0].headers).toMatchObject({ 'x-key': 'k' })
  const [second, first] = sent[0].spans
  expect(first).toMatchObject({ name: 'create pods', kind: 2, attributes: [{ key: 'code', value: { intValue: '201' } }], status: {} })
  expect(second).toMatchObject({ traceId: first.traceId, parentSpanId: first.spanId, kind: 1, status: { code: 2, message: 'it failed' } })
  expect(first.parentSpanId).toBeUndefined()
  expect(BigInt(first.endTimeUnixNano) > BigInt(first.startTimeUnixNano)).toBe(true)
  expect(counts()).toEqual([2, 0])
})

test('whoever asks decides; else the ratio does', () => {
  const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']
  expect(tracer(0).t.start('a', 'server', `00-${trace}-${span}-01`)!.context).toContain(trace)
  expect(tracer(1).t.start('a', 'server', `00-${trace}-${span}-00`)).toBeUndefined()
  expect(tracer(0).t.start('a', 'server', undefined)).toBeUndefined()
})

describe('a traceparent', () => {
  const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const cases: [text: string | undefined, isOne: boolean][] = [
    [good, true],
    [undefined, false],
    ['', false],
    ['00-0-0-01', false],
    [good.toUpperCase(), false],
    [`00-${'0'.repeat(32)}-b7ad6b7169203331-01`, false],
    [`${good}-more`, false],
  ]
  for (const [text, isOne] of cases) test(String(text), () => expect(parseContext(text) !== undefined).toBe(isOne))
  test('is found in what the log says of a writer', () => {
    expect(traceOf(JSON.stringify({ user: 'a', trace: good }))).toBe(good)
    expect(traceOf(JSON.stringify({ user: '"trace":"x"' }))).toBeUndefined()
    expect(traceOf(undefined)).toBeUndefined()
  })
})

test('an endpoint that is away holds nothing up: what could not be sent is counted', async () => {
  const { t, counts } = tracer(1, () => 503)
  t.start('a', 'server', undefined)!.end()
  await t.flush()
  expect(counts()).toEqual([0, 1])
  for (let i = 0; i < 6000; i++) t.start('a', 'server', undefined)!.end()
  for (let i = 0; i < 12; i++) await t.flush()
  expect(counts()[0]! + counts()[1]!).toBe(6001)
})

test('an object’s trace is remembered, as far as there is room', () => {
  const { t } = tracer()
  for (let i = 0; i < 2001; i++) t.remember(`pods/${i}`, String(i))
  expect([t.recall('pods/0'), t.recall('pods/2000')]).toEqual([undefined, '2000'])
})
