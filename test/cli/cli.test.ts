// kedge against real kubectl on the same cluster: what both print, on both outputs, and the code they end with.
import { copyFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { webDeployment, webService } from '../rig/manifests.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'
import { comparable, difference, masked, type Outcome, ours, runCommand, words } from './compare.ts'
import { differences } from './differences.ts'
import { objects, writeFiles } from './fixtures.ts'
import { looks, stories } from './invocations.ts'

const missing = standMissing()
const NS = 'look'
/** Ages and heartbeats move between two runs: what differs is asked again. */
const TRIES = 3

describe.skipIf(missing)('kedge is kubectl', () => {
  let stand: Stand
  const folder = temporaryFolder('cli')
  const config = (name: string) => path.join(folder.path, name)
  const run = async (who: 'kubectl' | 'kedge', line: string, ns: string): Promise<Outcome> => {
    const args = words(line.replaceAll('NS', ns).replaceAll('DIR', folder.path))
    return comparable(line, await runCommand(who === 'kubectl' ? 'kubectl' : ours, args, config(ns)))
  }
  /** A kubeconfig whose context is in the namespace. */
  const place = (ns: string) => {
    copyFileSync(stand.cp.kubeconfig, config(ns))
    stand.cp.k(`create namespace ${ns}`)
    stand.cp.k(`--kubeconfig ${config(ns)} config set-context --current --namespace=${ns}`)
  }

  beforeAll(async () => {
    stand = await startStand(1)
    writeFiles(folder.path)
    place(NS)
    const k = (args: string, input?: string) => stand.cp.k(`--kubeconfig ${config(NS)} ${args}`, input ? { input } : {})
    k('apply -f -', webDeployment(2) + webService)
    k('apply -f -', objects)
    k('rollout status deployment/web --timeout=60s')
    k('wait --for=condition=Ready pod/tools --timeout=60s')
  })
  afterAll(async () => {
    await stand?.stop()
    folder.remove()
  })

  test.each(looks)('%s', async (line) => {
    let found: string | undefined
    for (let tries = 0; tries < TRIES; tries++) {
      const [a, b] = await Promise.all([run('kubectl', line, NS), run('kedge', line, NS)])
      found = difference(a, b)
      if (!found) break
    }
    if (differences[line]) expect(found, 'it is listed as a difference, and is none').toBeDefined()
    else expect(found, found).toBeUndefined()
  })

  describe.each(Object.entries(stories))('%s', (name, lines) => {
    const id = name.replaceAll(/[^a-z]+/g, '-')
    const places = { kubectl: `${id}-by-kubectl`, kedge: `${id}-by-kedge` }
    beforeAll(() => {
      for (const ns of Object.values(places)) place(ns)
    })
    test.each(lines.map((line, i) => [i + 1, line] as const))('%d. %s', async (_n, line) => {
      const [a, b] = await Promise.all((['kubectl', 'kedge'] as const).map((who) => run(who, line, places[who])))
      const hide = (o: Outcome, ns: string): Outcome => ({ code: o.code, out: masked(o.out, ns), err: masked(o.err, ns) })
      const found = difference(hide(a!, places.kubectl), hide(b!, places.kedge))
      if (differences[`${name}: ${line}`]) expect(found, 'it is listed as a difference, and is none').toBeDefined()
      else expect(found, found).toBeUndefined()
    })
  })
})

test('every difference that is listed is asked for', () => {
  const all = [...looks, ...Object.entries(stories).flatMap(([name, lines]) => lines.map((l) => `${name}: ${l}`))]
  expect(Object.keys(differences).filter((d) => !all.includes(d))).toEqual([])
  expect(all.length).toBeGreaterThanOrEqual(250)
})
