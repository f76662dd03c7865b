// Calling webhooks, whatever they are for: services inside the cluster, dialled through its nodes, or URLs.
import { fromBase64Text } from '../../shared/meta/base64.ts'
import type { Environment } from '../registry/context.ts'
import { serviceTargets } from './service-targets.ts'

const MAX_ANSWER = 3 * 1024 * 1024

/** It could not be asked, or answered with what is no answer. */
export class CallFailed extends Error {}

/** Posts a review. */
async function post(env: Environment, to: any, seconds: number, body: string): Promise<{ url: string; answer: Promise<Response> }> {
  const { service, url, caBundle } = to
  const timeoutMs = seconds * 1000
  const ca = caBundle ? { ca: fromBase64Text(caBundle) } : {}
  const headers = { 'content-type': 'application/json', accept: 'application/json' }
  if (url) {
    const full = `${url}?timeout=${seconds}s`
    return { url: full, answer: env.outbound(full, { method: 'POST', headers, body, signal: AbortSignal.timeout(timeoutMs), ...ca }) }
  }
  const host = `${service.name}.${service.namespace}.svc`
  const path = `${service.path ?? '/'}?timeout=${seconds}s`
  const call = async () =>
    env.reach({
      targets: await serviceTargets(env, service.namespace, service.name, service.port ?? 443),
      tls: { serverName: host, ...ca },
      method: 'POST',
      path,
      headers: { ...headers, host, 'content-length': String(new TextEncoder().encode(body).length) },
      timeoutMs,
      body: new TextEncoder().encode(body),
    })
  return { url: `https://${host}:${service.port ?? 443}${path}`, answer: call() }
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of response.body ?? []) {
    size += part.length
    if (size > MAX_ANSWER) throw new Error(`the answer is longer than ${MAX_ANSWER} bytes`)
    parts.push(part as Uint8Array)
  }
  const all = new Uint8Array(size)
  let at = 0
  for (const p of parts) {
    all.set(p, at)
    at += p.length
  }
  return new TextDecoder().decode(all)
}

/** Posts `review` to a client configuration; the answer's text. Throws CallFailed, whose words begin with `what`. */
export async function callWebhook(env: Environment, to: any, seconds: number, review: object, what: string): Promise<string> {
  const { url, answer } = await post(env, to, seconds, JSON.stringify(review))
  let text: string
  let status: number
  const timer = Promise.withResolvers<never>()
  const timeout = setTimeout(() => timer.reject(new Error('context deadline exceeded')), seconds * 1000)
  try {
    const response = await Promise.race([answer, timer.promise])
    status = response.status
    text = await Promise.race([bounded(response), timer.promise])
  } catch (e) {
    // Whoever comes too late is heard by nobody.
    answer.catch(() => {})
    const why = (e as Error).name === 'TimeoutError' ? 'context deadline exceeded' : (e as Error).message
    throw new CallFailed(`${what}: Post ${JSON.stringify(url)}: ${why}`)
  } finally {
    clearTimeout(timeout)
  }
  if (status !== 200) throw new CallFailed(`${what}: the server answered ${status}`)
  return text
}
