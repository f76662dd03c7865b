// Programs in other languages, as their users write them: Go's client-go over protobuf, Debian's Python client. Each prints what it checks.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControlPlane } from '../rig/control-plane.ts'
import { quietly } from '../rig/hosts.ts'

const here = import.meta.dirname
const PYTHON = '/usr/bin/python3'
const python = existsSync('/usr/lib/python3/dist-packages/kubernetes')
const go = quietly('command -v go').trim()
if (!python) console.warn("the Python client is skipped: Debian's python3-kubernetes is not here")
if (!go) console.warn('client-go is skipped: there is no Go here')

describe.each(['node', 'workers'])('on %s', (platform) => {
  let cp: ControlPlane
  beforeAll(async () => {
    cp = await ControlPlane.start('127.0.0.1', ['--platform', platform])
  })
  afterAll(() => cp?.stop())

  const faults = (program: string, args: string[]) => {
    const done = spawnSync(program, args, { env: { ...process.env, KUBECONFIG: cp.kubeconfig }, encoding: 'utf8', timeout: 120_000 })
    const lines = done.stdout.split('\n')
    const last = lines.filter(Boolean).at(-1)
    return { faults: lines.filter((l) => l.startsWith('not ok')), last: last === 'done' ? last : `${last}\n${done.stderr}` }
  }

  test.skipIf(!python)('python: objects, watches, the dynamic client, leader election', () => {
    expect(faults(PYTHON, [path.join(here, 'python/check.py')])).toEqual({ faults: [], last: 'done' })
  })

  test.skipIf(!go)(
    'client-go: protobuf, informers, the dynamic client, leader election',
    () => {
      // Built once; Go's own cache knows it the next time.
      const program = path.join(here, '../../node_modules/.cache/client-go-check')
      mkdirSync(path.dirname(program), { recursive: true })
      execFileSync(go, ['build', '-buildvcs=false', '-o', program, '.'], { cwd: path.join(here, 'go'), stdio: 'inherit' })
      expect(faults(program, [])).toEqual({ faults: [], last: 'done' })
    },
    600_000,
  )
})
