// Cron jobs while the clocks change: control plane and daemons live in the night of 29 March 2026, when Berlin's two o'clock is skipped.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventually } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

const cron = (name: string, schedule: string) => `
apiVersion: batch/v1
kind: CronJob
metadata: {name: ${name}}
spec:
  schedule: "${schedule}"
  timeZone: Europe/Berlin
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: c, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [echo, ${name}]}]
---`

describe.skipIf(missing)('the night that is an hour short', () => {
  let stand: Stand
  beforeAll(async () => {
    stand = await startStand(1, { time: '2026-03-29T00:59:40Z' })
  })
  afterAll(() => stand?.stop())

  test('what is due at three runs when it is three; what is due within the hour that there is not does not run', async () => {
    const { cp } = stand
    const list = [cron('at-three', '0 3 * * *'), cron('half-past-two', '30 2 * * *'), cron('every-minute', '* * * * *')]
    cp.k('apply -f -', { input: list.join('\n') })
    const jobs = (): any[] => JSON.parse(cp.k('get jobs -o json')).items
    const of = (name: string) => jobs().filter((j) => j.metadata.ownerReferences[0].name === name)
    await eventually('it ran', () => of('at-three')[0]?.status.succeeded === 1, 90_000)
    const due = (j: any) => j.metadata.annotations['batch.kubernetes.io/cronjob-scheduled-timestamp']
    expect(of('at-three').map(due)).toEqual(['2026-03-29T03:00:00+02:00'])
    expect(of('every-minute').map(due)).toContain('2026-03-29T03:00:00+02:00')
    expect(of('half-past-two')).toEqual([])
    expect(JSON.parse(cp.k('get cronjob at-three -o json')).status.lastScheduleTime).toBe('2026-03-29T01:00:00Z')
  })
})
