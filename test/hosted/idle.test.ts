// An idle cluster costs nothing: in workerd, with two joined nodes and no client, the database is not asked and the object sleeps; a deploy wakes it.
// `npm run test:idle` looks for ten minutes; among the other tests a shorter while has to do.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControlPlane } from '../rig/control-plane.ts'
import { CountingProxy } from '../rig/counting-proxy.ts'
import { eventually, Rig } from '../rig/hosts.ts'
import { testImages } from '../rig/images.ts'
import { nodesReady } from '../rig/ready.ts'
import { testSqld } from '../rig/sqld.ts'
import { standMissing } from '../rig/stand.ts'

const missing = standMissing()
const SECONDS = Number(process.env.KEDGE_IDLE_SECONDS ?? 60)
/** What the slow sweep may ask: it looks for what to forget, every ten minutes. */
const SWEEP_SECONDS = 600
const STATEMENTS_PER_SWEEP = 40

const pod = (name: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: "test/web:1", imagePullPolicy: IfNotPresent}]
`

describe.skipIf(missing)('an idle cluster on Workers', () => {
  let rig: Rig
  let cp: ControlPlane
  let proxy: CountingProxy
  let sqld: Awaited<ReturnType<typeof testSqld>>
  const awake = () => cp.wholeLog().split('the cluster object is awake').length - 1
  const sessions = () => rig.hosts.map((h) => h.log('node.log').split('session opened').length - 1)

  beforeAll(async () => {
    sqld = await testSqld()
    proxy = await CountingProxy.start(sqld.url)
    rig = await Rig.start(2)
    const images = testImages()
    for (const h of rig.hosts) h.loadImages(images)
    cp = await ControlPlane.start(rig.address, ['--platform', 'workers', '--database-url', proxy.url])
    for (const h of rig.hosts) h.startDaemon(cp.url, cp.joinToken())
    await nodesReady(cp, rig.hosts)
  })
  afterAll(async () => {
    await cp?.stop()
    rig?.stop()
    await proxy?.stop()
    await sqld?.close()
  })

  const started = async (name: string): Promise<number> => {
    const begun = performance.now()
    cp.k('apply -f -', { input: pod(name) })
    cp.k(`wait --for=condition=Ready pod/${name} --timeout=60s`)
    return performance.now() - begun
  }

  test(`over ${SECONDS} s nothing is asked of the database, and the object sleeps while the nodes stay connected`, {
    timeout: (SECONDS + 300) * 1000,
  }, async () => {
    await started('first')
    const warm = await started('second')
    // What was under way comes to rest: statuses, events, the engine's own looks.
    await eventually(
      'the cluster is at rest',
      async () => {
        proxy.reset()
        await new Promise((r) => setTimeout(r, 8000))
        return proxy.count === 0
      },
      120_000,
    )
    const [wokenBefore, dialledBefore] = [awake(), sessions()]
    proxy.reset()
    await new Promise((r) => setTimeout(r, SECONDS * 1000))
    const [statements, seen, woken] = [proxy.count, [...proxy.seen], awake() - wokenBefore]
    console.log(`idle for ${SECONDS} s: ${statements} requests to the database, the object awoke ${woken} times`)
    const sweeps = Math.floor(SECONDS / SWEEP_SECONDS) + (SECONDS >= SWEEP_SECONDS ? 1 : 0)
    const why = cp
      .wholeLog()
      .split('\n')
      .filter((l) => l.includes('woken'))
      .slice(-woken || undefined)
    expect(statements, [...why, ...seen].join('\n')).toBeLessThanOrEqual(sweeps * STATEMENTS_PER_SWEEP)
    expect(woken).toBeLessThanOrEqual(sweeps)

    const cold = await started('third')
    console.log(`pod to Ready: ${Math.round(warm)} ms with the object awake, ${Math.round(cold)} ms from its sleep`)
    expect(awake(), 'the object had been evicted').toBeGreaterThan(wokenBefore)
    expect(sessions(), 'and the nodes never had to dial again').toEqual(dialledBefore)
  })
})
