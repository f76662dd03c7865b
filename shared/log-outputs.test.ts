// What outputs are sent, and what their answers mean.
import { expect, test } from 'vitest'
import { type LogRecord, nanoseconds, type Output, outputsOf, requestOf, verdictOf } from './log-outputs.ts'

const record: LogRecord = {
  id: 'c-1-0',
  time: '2026-01-31T12:00:00.123456789Z',
  stream: 'stderr',
  text: 'a "fault"',
  containerId: 'c',
  namespace: 'shop',
  pod: 'web-1',
  uid: 'u',
  container: 'web',
  image: 'web:1',
  node: 'n1',
  labels: { app: 'web', 'app.kubernetes.io/part-of': 'shop' },
}
const output = (type: Output['type'], more: object = {}): Output => ({
  name: type,
  type,
  url: 'http://sink.test',
  headers: {},
  index: 'kedge',
  ...more,
})

test('elasticsearch: a create for each, in the index of its day, with what fluentd adds', () => {
  const { url, type, body } = requestOf(output('elasticsearch'), [record, { ...record, id: 'c-1-9' }])
  expect([url, type]).toEqual(['http://sink.test/_bulk', 'application/x-ndjson'])
  const lines = body.split('\n')
  expect(lines).toHaveLength(5)
  expect(JSON.parse(lines[0]!)).toEqual({ create: { _index: 'kedge-2026.01.31', _id: 'c-1-0' } })
  expect(JSON.parse(lines[1]!)).toEqual({
    '@timestamp': record.time,
    log: 'a "fault"',
    stream: 'stderr',
    docker: { container_id: 'c' },
    kubernetes: {
      namespace_name: 'shop',
      pod_name: 'web-1',
      pod_id: 'u',
      container_name: 'web',
      container_image: 'web:1',
      host: 'n1',
      labels: { app: 'web', 'app_kubernetes_io/part-of': 'shop' },
    },
  })
})

test('loki: a stream for each container, with nanoseconds', () => {
  const { url, body } = requestOf(output('loki'), [record, { ...record, text: 'more' }, { ...record, stream: 'stdout' }])
  expect(url).toBe('http://sink.test/loki/api/v1/push')
  const { streams } = JSON.parse(body)
  expect(streams).toHaveLength(2)
  expect(streams[0]).toEqual({
    stream: { namespace: 'shop', pod: 'web-1', container: 'web', node_name: 'n1', stream: 'stderr', job: 'shop/web' },
    values: [
      ['1769860800123456789', 'a "fault"'],
      ['1769860800123456789', 'more'],
    ],
  })
})

test('otlp: a resource for each container, by the semantic conventions', () => {
  const { url, body } = requestOf(output('otlp'), [record])
  expect(url).toBe('http://sink.test/v1/logs')
  const [{ resource, scopeLogs }] = JSON.parse(body).resourceLogs
  expect(resource.attributes).toContainEqual({ key: 'k8s.pod.name', value: { stringValue: 'web-1' } })
  expect(scopeLogs[0].logRecords[0]).toMatchObject({ timeUnixNano: '1769860800123456789', body: { stringValue: 'a "fault"' } })
})

test.each([
  ['2026-01-31T12:00:00Z', '1769860800000000000'],
  ['2026-01-31T12:00:00.5Z', '1769860800500000000'],
])('%s in nanoseconds', (time, want) => expect(nanoseconds(time)).toBe(want))

const items = (...statuses: number[]) =>
  JSON.stringify({ errors: true, items: statuses.map((status) => ({ create: { status, error: { reason: 'why' } } })) })
test.each<[string, Output['type'], number, string, object]>([
  ['all is well', 'loki', 204, '', { again: false, refused: 0 }],
  ['too much at once', 'loki', 429, 'slow', { again: true, refused: 0, why: '429: slow' }],
  ['away', 'otlp', 503, '', { again: true, refused: 0, why: '503: ' }],
  ['credentials that somebody may mend', 'otlp', 401, '', { again: true, refused: 0, why: '401: ' }],
  ['what it will never take', 'loki', 400, 'too old', { again: false, refused: 2, why: '400: too old' }],
  ['elasticsearch: all is there', 'elasticsearch', 200, '{"errors":false}', { again: false, refused: 0 }],
  ['elasticsearch: some were there before', 'elasticsearch', 200, items(201, 409), { again: false, refused: 0 }],
  ['elasticsearch: one is refused', 'elasticsearch', 200, items(201, 400), { again: false, refused: 1, why: '400: why' }],
  ['elasticsearch: one is to be sent again', 'elasticsearch', 200, items(400, 429), { again: true, refused: 0, why: '400: why' }],
  ['elasticsearch: what is no answer', 'elasticsearch', 200, '<html>', { again: true, refused: 0, why: 'the answer is no JSON' }],
])('%s', (_, type, code, body, want) => expect(verdictOf(output(type), code, body, 2)).toEqual(want))

test.each<[string, any, object[] | RegExp]>([
  ['nothing', undefined, []],
  [
    'one',
    { outputs: [{ type: 'loki', url: 'http://loki:3100/', headers: { 'x-scope-orgid': 7 } }] },
    [{ name: 'loki', type: 'loki', url: 'http://loki:3100', headers: { 'x-scope-orgid': '7' } }],
  ],
  ['what is not known', { outputs: [{ type: 'syslog', url: 'http://x' }] }, /outputs\[0\] has the type "syslog"/],
  ['what is no URL', { outputs: [{ type: 'loki', url: 'loki' }] }, /has no URL/],
  ['two of one name', { outputs: ['a', 'b'].map((h) => ({ type: 'loki', url: `http://${h}` })) }, /has the name loki of another/],
])('a file with %s', (_, parsed, want) => {
  if (want instanceof RegExp) expect(() => outputsOf(parsed, 'logs.yaml')).toThrow(want)
  else expect(outputsOf(parsed, 'logs.yaml')).toMatchObject(want)
})

test('an event is told of as one', () => {
  const event = { kind: 'Pod', name: 'web-1', reason: 'BackOff', type: 'Warning', count: '3', component: 'kubelet' }
  const none = { stream: '', containerId: '', container: '', image: '', node: '', labels: {} }
  const told: LogRecord = { ...record, ...none, text: 'Back-off restarting', event }
  expect(JSON.parse(requestOf(output('elasticsearch'), [told]).body.split('\n')[1]!)).toEqual({
    '@timestamp': record.time,
    log: 'Back-off restarting',
    event,
    kubernetes: { namespace_name: 'shop', pod_name: 'web-1', pod_id: 'u' },
  })
  const [{ stream, values }] = JSON.parse(requestOf(output('loki'), [told]).body).streams
  expect(stream).toEqual({ namespace: 'shop', type: 'Warning', kind: 'Pod', job: 'kubernetes-events' })
  expect(JSON.parse(values[0][1])).toEqual({ ...event, message: 'Back-off restarting' })
  expect(requestOf(output('otlp'), [told]).body).toContain('"k8s.event.reason"')
})
