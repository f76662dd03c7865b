// kedge up: a first cluster on this machine, from nothing to an answering example. Run again, it resumes.

import { spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import { isReady } from '../../shared/meta/conditions.ts'
import { example, exampleImage } from '../example.ts'
import { parseFlags } from '../flags.ts'
import { currentAccess, kubeconfigFile, mergeKubeconfig } from '../kubeconfig.ts'
import { installPackages, missingPackages, requiredPackages, startDocker } from '../packages.ts'
import { alive, defaultFolder, launcher, readPid } from '../processes.ts'
import { apiRequest } from '../request.ts'

const READY_TIMEOUT = 90_000
const POLL = 250

const say = (text: string) => process.stdout.write(`${text}\n`)
const step = (text: string) => process.stdout.write(`${text} ... `)
const done = (text = 'done') => process.stdout.write(`${text}\n`)
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms))

/** Asks until the answer is there; undefined when the time is up. */
async function until<T>(ask: () => Promise<T | undefined>, timeout = READY_TIMEOUT): Promise<T | undefined> {
  for (const end = Date.now() + timeout; Date.now() < end; await sleep(POLL)) {
    const value = await ask().catch(() => undefined)
    if (value !== undefined) return value
  }
  return undefined
}

/** Starts a part of the cluster in the background, unless it runs. */
function ensure(folder: string, name: string, args: string[]): void {
  if (alive(readPid(folder, name))) return
  const log = openSync(path.join(folder, `${name}.log`), 'a')
  const child = spawn(launcher, args, {
    detached: true,
    stdio: ['ignore', log, log],
    env: process.env,
  })
  writeFileSync(path.join(folder, `${name}.pid`), String(child.pid))
  child.unref()
}

const lastLines = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n') : '')

function firstAddress(): string {
  const found = Object.entries(networkInterfaces())
    .filter(([name]) => !/^(veth|docker|br-|cni)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .find((i) => i.family === 'IPv4' && !i.internal)
  return found?.address ?? '127.0.0.1'
}

export async function run(args: string[]): Promise<number | undefined> {
  const parsed = parseFlags(
    'up',
    'Starts a cluster on this machine: control plane, this machine as its node, and a small example.',
    {
      yes: { type: 'boolean', about: 'install missing packages without asking' },
      data: { type: 'string', value: 'DIR', about: 'where everything lives', default: defaultFolder() },
      listen: { type: 'string', value: 'HOST:PORT', about: 'address of the API', default: `${firstAddress()}:6443` },
      'no-example': { type: 'boolean', about: 'do not deploy the example' },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  const folder = path.resolve(v.data)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const begun = Date.now()

  const root = process.getuid?.() === 0
  const missing = missingPackages()
  if (missing.length && root) await installPackages(missing, !!v.yes)
  const canRun = root && !requiredPackages().length && (await startDocker(folder))

  step(`control plane on https://${v.listen}`)
  const server = path.join(folder, 'server')
  ensure(folder, 'serve', ['serve', '--data', server, '--listen', v.listen])
  const kubeconfig = path.join(server, 'admin.kubeconfig')
  const access = await until(async () => {
    const a = currentAccess(kubeconfig)
    await apiRequest(a, 'GET', '/readyz')
    return a
  }, 30_000)
  if (!access) {
    done('did not come up')
    throw new Error(`see ${path.join(folder, 'serve.log')}:\n${lastLines(path.join(folder, 'serve.log'))}`)
  }
  done('up')
  mergeKubeconfig(kubeconfig)
  say(`kubeconfig context "kedge" in ${kubeconfigFile()}`)

  if (!canRun) {
    say('\nThis machine runs the control plane only, no containers:')
    if (!root) say('  - the node daemon needs root: run this again with sudo')
    for (const m of requiredPackages()) say(`  - missing: ${m.command} (Debian package ${m.name}; apt-get install ${m.name})`)
    if (root && !requiredPackages().length) say('  - Docker did not start; see docker.log beside the other logs')
    say('\n  kubectl get namespaces')
    return 0
  }

  const name = hostname().toLowerCase()
  step(`node ${name}`)
  const nodeData = path.join(folder, 'node')
  let token: string[] = []
  if (!existsSync(path.join(nodeData, 'identity.json'))) {
    const made = await apiRequest(access, 'POST', '/kedge/v1/tokens', { uses: 1 })
    token = ['--token', `${made.token}.${createHash('sha256').update(new X509Certificate(access.ca!).raw).digest('hex')}`]
  }
  ensure(folder, 'node', ['node', '--server', access.server, '--name', name, '--data', nodeData, ...token])
  const ready = await until(async () => {
    const node = await apiRequest(access, 'GET', `/api/v1/nodes/${name}`)
    return isReady(node) ? node : undefined
  })
  if (!ready) {
    done('is not Ready')
    throw new Error(`see ${path.join(folder, 'node.log')}:\n${lastLines(path.join(folder, 'node.log'))}`)
  }
  done('Ready')
  if (v['no-example']) return 0

  step('example deployment "hello"')
  exampleImage()
  await example(access)
  const service = await until(async () => {
    const d = await apiRequest(access, 'GET', '/apis/apps/v1/namespaces/default/deployments/hello')
    return d.status?.availableReplicas >= 1 ? apiRequest(access, 'GET', '/api/v1/namespaces/default/services/hello') : undefined
  })
  if (!service) {
    done('is not available')
    throw new Error('the example did not start: kubectl describe pods -l app=hello')
  }
  done('available')
  const address = ready.status.addresses.find((a: any) => a.type === 'InternalIP').address
  say(`\nYour cluster is up, in ${((Date.now() - begun) / 1000).toFixed(1)} s. The example answers at:`)
  say(`  http://${service.spec.clusterIP}/  (ClusterIP, from this machine and from pods)`)
  say(`  http://${address}:${service.spec.ports[0].nodePort}/  (NodePort)`)
  say(
    '\nTry:\n  kubectl get pods -o wide\n  kubectl scale deployment hello --replicas=3\n  ./kedge ui --token            the dashboard\n\nStop it with ./kedge down, forget it with ./kedge down --purge',
  )
  return 0
}
