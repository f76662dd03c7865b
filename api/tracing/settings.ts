// Where traces go: kube-apiserver's TracingConfiguration, or the variables that all of OpenTelemetry goes by.
import type { TraceSettings } from './tracer.ts'

const MILLION = 1_000_000

const checked = (endpoint: unknown, where: string): string => {
  const url = typeof endpoint === 'string' && /^https?:/.test(endpoint) ? endpoint : `http://${endpoint}`
  if (typeof endpoint !== 'string' || !endpoint || !URL.canParse(url))
    throw new Error(`${where}: the endpoint ${JSON.stringify(endpoint)} is no URL`)
  return url
}

/** Of a file as it was parsed; `where` is its name. Throws with what is wrong in it. */
export function tracingOf(parsed: any, where: string): TraceSettings {
  if (parsed?.kind !== 'TracingConfiguration')
    throw new Error(`${where}: a TracingConfiguration is wanted, not ${JSON.stringify(parsed?.kind)}`)
  const perMillion = parsed.samplingRatePerMillion ?? 0
  if (!(perMillion >= 0 && perMillion <= MILLION)) throw new Error(`${where}: samplingRatePerMillion is a number from 0 to ${MILLION}`)
  const headers = Object.fromEntries(Object.entries(parsed.headers ?? {}).map(([k, v]) => [k, String(v)]))
  return { endpoint: checked(parsed.endpoint ?? 'http://localhost:4318', where), headers, ratio: perMillion / MILLION }
}

/** Of the environment; undefined where it names no endpoint. Throws with what is wrong in it. */
export function tracingIn(env: Record<string, string | undefined>): TraceSettings | undefined {
  const endpoint = env.OTEL_EXPORTER_OTLP_ENDPOINT
  if (!endpoint) return undefined
  const headers = Object.fromEntries(
    (env.OTEL_EXPORTER_OTLP_HEADERS ?? '')
      .split(',')
      .filter((h) => h.includes('='))
      .map((h) => [h.slice(0, h.indexOf('=')).trim(), decodeURIComponent(h.slice(h.indexOf('=') + 1).trim())]),
  )
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG ?? 1)
  if (!(ratio >= 0 && ratio <= 1)) throw new Error('OTEL_TRACES_SAMPLER_ARG is a number from 0 to 1')
  return { endpoint: checked(endpoint, 'OTEL_EXPORTER_OTLP_ENDPOINT'), headers, ratio }
}
