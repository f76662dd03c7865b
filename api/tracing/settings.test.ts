// Where traces go, by file and by environment.
import { describe, expect, test } from 'vitest'
import { tracingIn, tracingOf } from './settings.ts'

describe('a file', () => {
  const kind = 'TracingConfiguration'
  test('as kube-apiserver reads it', () =>
    expect(tracingOf({ kind, endpoint: 'otel:4318', samplingRatePerMillion: 250_000 }, 'f')).toEqual({
      endpoint: 'http://otel:4318',
      headers: {},
      ratio: 0.25,
    }))
  const wrong: [given: any, why: RegExp][] = [
    [undefined, /TracingConfiguration is wanted/],
    [{ kind: 'Other' }, /not "Other"/],
    [{ kind, samplingRatePerMillion: 2e6 }, /samplingRatePerMillion/],
    [{ kind, endpoint: 7 }, /no URL/],
  ]
  for (const [given, why] of wrong) test(String(why), () => expect(() => tracingOf(given, 'f')).toThrow(why))
})

test('the environment', () => {
  expect(tracingIn({})).toBeUndefined()
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'https://otel.example.com'
  expect(tracingIn({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS: 'a=b%20c, d=e', OTEL_TRACES_SAMPLER_ARG: '0.5' })).toEqual({
    endpoint: OTEL_EXPORTER_OTLP_ENDPOINT,
    headers: { a: 'b c', d: 'e' },
    ratio: 0.5,
  })
  expect(() => tracingIn({ OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER_ARG: 'all' })).toThrow(/from 0 to 1/)
})
