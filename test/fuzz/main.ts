// `npm run fuzz:api`: 50,000 hostile requests by a seed (KEDGE_SEED), while others ask something sensible. Ends with 1 when anything was answered
// with a server's fault or when memory grew without end; how long the others waited is told.
import { ControlPlane } from '../rig/control-plane.ts'
import { fuzz } from './run.ts'
import { targetOf } from './target.ts'

const count = Number(process.env.KEDGE_FUZZ ?? 50_000)
const seed = Number(process.env.KEDGE_SEED ?? 1)

const percentile = (values: number[], p: number): number => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * p)]!

const cp = await ControlPlane.start('127.0.0.1')
try {
  const begun = performance.now()
  const r = await fuzz(targetOf(cp), count, seed)
  const seconds = (performance.now() - begun) / 1000
  const [quiet, busy] = [percentile(r.quiet, 0.99), percentile(r.busy, 0.99)]
  const warm = r.memory.slice(0, Math.ceil(r.memory.length / 5))
  const [start, end] = [Math.max(...warm), Math.max(...r.memory.slice(-Math.ceil(r.memory.length / 5)))]
  console.log(`seed ${seed}: ${r.sent} requests in ${seconds.toFixed(0)} s`)
  console.log(
    `answers: ${Object.entries(r.statuses)
      .map(([k, v]) => `${k}: ${v}`)
      .join(', ')}`,
  )
  console.log(
    `others: median ${percentile(r.quiet, 0.5).toFixed(1)} → ${percentile(r.busy, 0.5).toFixed(1)} ms, p99 ${quiet.toFixed(1)} → ${busy.toFixed(1)} ms (${(busy / quiet).toFixed(1)}×), of ${r.busy.length}`,
  )
  console.log(`memory: ${start.toFixed(0)} → ${end.toFixed(0)} MiB`)
  for (const f of r.faults) console.log(`FAULT ${f}`)
  const failed = r.faults.length > 0 || end > start * 1.5 + 50
  console.log(failed ? 'failed' : 'passed')
  process.exitCode = failed ? 1 : 0
} catch (cause) {
  console.log(cp.log())
  throw cause
} finally {
  await cp.stop()
}
