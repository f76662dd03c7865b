// A daemon as it is installed, one file, with pods that do nothing: its memory, its processor time, and what it asks of the kernel (by strace, where there
// is one).
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { arch, tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KEDGE_VERSION } from '../../shared/version.ts'
import { ControlPlane } from '../rig/control-plane.ts'
import { quietly, Rig, rigMissing } from '../rig/hosts.ts'
import { testImages } from '../rig/images.ts'
import { nodesReady } from '../rig/ready.ts'

const IDLE = 50
/** How long it is let come to rest, and then watched, s. */
const CALM = 45
const WATCHED = 60

/** As the service has it that install.sh writes. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '131072' }

const pods = Array.from(
  { length: IDLE },
  (_, i) => `---
apiVersion: v1
kind: Pod
metadata: {name: idle-${i}}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: test/busybox:1, command: [sleep, "3600"]}]}
`,
).join('')

function singleFile(folder: string): string {
  const root = path.resolve(import.meta.dirname, '../..')
  execFileSync(process.execPath, ['--no-warnings', path.join(root, 'tools/build-single-file.ts'), '--arch', arch(), '--out', folder], {
    stdio: 'ignore',
  })
  const file = path.join(folder, 'kedge')
  // As install.sh puts it down: how much of a file is mapped depends on how it was written.
  execFileSync('sh', ['-c', `gzip -dc ${folder}/${KEDGE_VERSION}/kedge-linux-${arch()}.gz >${file}; chmod 755 ${file}`])
  return file
}

export async function measureRest(): Promise<Record<string, number> | string> {
  const missing = rigMissing()
  if (missing) return missing
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-rest-'))
  const rig = await Rig.start(1)
  const [host] = rig.hosts
  host!.loadImages(testImages())
  const cp = await ControlPlane.start(rig.address, [], {})
  try {
    const file = singleFile(folder)
    host!.startDaemon(cp.url, cp.joinToken(), ALLOCATOR, [], file)
    await nodesReady(cp, [host!])
    cp.k('apply -f -', { input: pods })
    cp.k('wait pod --all --for=condition=Ready --timeout=120s')
    const pid = quietly(`pgrep -f '^${file} node '`).trim().split('\n').at(-1)!
    const ticks = () => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return Number(fields[11]) + Number(fields[12])
    }
    await sleep(CALM * 1000)
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const megabytes = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024
    const before = ticks()
    await sleep(WATCHED * 1000)
    const busy = ((ticks() - before) * 10) / WATCHED
    const counts = path.join(folder, 'calls')
    quietly(`timeout -s INT ${WATCHED} strace -f -c -o ${counts} -p ${pid}`)
    const calls = /(\d+)(?:\s+\d+)?\s+total/.exec(quietly(`cat ${counts}`))?.[1]
    return {
      [`daemon with ${IDLE} idle pods, MB`]: megabytes('VmRSS'),
      'of that its own, the rest is pages of its file': megabytes('RssAnon'),
      'its processor time, ms/s': busy,
      ...(calls ? { 'its system calls, per second': Number(calls) / WATCHED } : {}),
    }
  } finally {
    await cp.stop()
    rig.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}
