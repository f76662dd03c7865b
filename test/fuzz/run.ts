// Sends hostile requests to a server, while others ask it something sensible.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect } from 'node:tls'
import { seeded } from '../api/generate.ts'
import { type Hostile, Maker, typeOf } from './hostile.ts'
import { stage } from './stage.ts'

export interface Target {
  host: string
  port: number
  ca: string
  token: string
  /** Whose memory counts. */
  pid: number
}

export interface Report {
  sent: number
  /** How often each status came. */
  statuses: Record<string, number>
  /** What got a 5xx, or no answer. */
  faults: string[]
  /** ms; of sensible requests, before and during. */
  quiet: number[]
  busy: number[]
  /** MiB, along the way. */
  memory: number[]
}

const LANES = 24
const MAX_FAULTS = 20
const PROBE = '/api/v1/namespaces/fuzz/configmaps/stand'

const rss = (pid: number): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

const shown = (h: Hostile): string => `${h.what}: ${h.method} ${h.path.slice(0, 200)}`

export async function fuzz(t: Target, count: number, seed: number): Promise<Report> {
  const agent = new Agent({ keepAlive: true, ca: t.ca, maxSockets: LANES })
  // The sensible have connections of their own: a server may close those of the others after an answer.
  const sensible = new Agent({ keepAlive: true, ca: t.ca })
  const send = (h: Hostile, by = agent): Promise<{ code: number; text: string }> =>
    new Promise((resolve) => {
      const headers: Record<string, string> = {
        authorization: `Bearer ${t.token}`,
        ...(h.body !== undefined ? { 'content-type': typeOf(h), 'content-length': String(Buffer.byteLength(h.body)) } : {}),
        ...h.headers,
      }
      const req = request({ host: t.host, port: t.port, agent: by, method: h.method, path: h.path, headers, timeout: 30_000 }, (res) => {
        let text = ''
        res.on('data', (d: Buffer) => {
          if (text.length < 500) text += d.toString()
        })
        res.on('end', () => resolve({ code: res.statusCode ?? 0, text }))
        res.on('error', () => resolve({ code: res.statusCode ?? 0, text }))
      })
      req.on('timeout', () => req.destroy(new Error('no answer in 30 s')))
      // A server may close while a body is still coming, once it has answered; what stays unanswered is told as 0.
      req.on('error', (e) => resolve({ code: 0, text: e.message }))
      req.end(h.body)
    })
  const stall = (h: Hostile): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect({ host: t.host, port: t.port, ca: t.ca }, () => {
        socket.write(
          `${h.method} ${h.path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${t.token}\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n${h.body}`,
        )
        setTimeout(() => socket.destroy(), h.stallMs)
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve())
    })
  for (const { path, body } of stage) await send({ what: 'stage', method: 'POST', path, body: JSON.stringify(body) }, sensible)
  const waiting = new Set<Hostile>()
  const probe = async (): Promise<number> => {
    const begun = performance.now()
    const { code, text } = await send({ what: 'probe', method: 'GET', path: PROBE }, sensible)
    // Whoever holds it up is among those that wait for an answer.
    if (code !== 200) throw new Error(`a sensible request was answered ${code}: ${text}\n${[...waiting].map(shown).join('\n')}`)
    return performance.now() - begun
  }
  const report: Report = { sent: 0, statuses: {}, faults: [], quiet: [], busy: [], memory: [] }
  for (let i = 0; i < 500; i++) report.quiet.push(await probe())
  const maker = new Maker(seeded(seed))
  let left = count
  const lane = async () => {
    while (left-- > 0) {
      const h = maker.next()
      if (h.stallMs) {
        await stall(h)
        report.sent++
        continue
      }
      waiting.add(h)
      const { code, text } = await send(h)
      waiting.delete(h)
      report.sent++
      report.statuses[code] = (report.statuses[code] ?? 0) + 1
      const known = code < 500 && (code > 0 || /ECONNRESET|EPIPE|socket hang up|Parse Error|Invalid/.test(text))
      // A node that is not there, a version from the future: those are 503 and 504 upstream too.
      const honest = code === 503 || (code === 504 && /Too large resource version/.test(text))
      if (!known && !honest && report.faults.length < MAX_FAULTS) report.faults.push(`${code} to ${shown(h)} ${text.slice(0, 300)}`)
    }
  }
  let going = true
  const watching = (async () => {
    while (going) {
      report.busy.push(await probe())
      if (report.busy.length % 50 === 0) report.memory.push(rss(t.pid))
    }
  })()
  try {
    await Promise.all(Array.from({ length: LANES }, lane))
  } finally {
    going = false
    await watching
  }
  await probe()
  agent.destroy()
  sensible.destroy()
  return report
}
