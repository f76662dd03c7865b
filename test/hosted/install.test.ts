// One pasted command on a fresh Debian with systemd makes it a node; the daemon upgrades itself, goes back when it must, is looked at, and goes away.
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import { KEDGE_VERSION } from '../../shared/version.ts'
import { HostServer } from '../rig/control-plane.ts'
import { HostUser } from '../rig/host-user.ts'
import { eventually, Rig } from '../rig/hosts.ts'
import { testImages } from '../rig/images.ts'
import { webDeployment, webService } from '../rig/manifests.ts'
import { OidcProvider } from '../rig/oidc-provider.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { standMissing } from '../rig/stand.ts'
import { Vm } from '../rig/vm.ts'

const missing = standMissing()
const NEXT = '0.1.1-next'
const BROKEN = '0.1.2-broken'

const pinned = (name: string, node: string) =>
  `---\n{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {nodeName: ${node}, terminationGracePeriodSeconds: 0, containers: [{name: c, image: "test/web:1"}]}}`

describe.skipIf(missing)('machines of a hosted cluster on Workers', () => {
  const downloads = temporaryFolder('downloads')
  let rig: Rig
  let host: HostServer
  let provider: OidcProvider
  let vms: Vm[]
  let user: HostUser
  const kedge = (args: string) => user.kedge(args)
  const kubectl = (args: string, input?: string) => user.kubectl(args, input)
  /** The line that `kedge token create --join` says to paste; there is no sudo on these machines. */
  const pasted = () => {
    const out = execFileSync('sh', ['-c', `${launcher} token create --join 2>&1 >/dev/null`], { env: user.environment, encoding: 'utf8' })
    return /^ {2}(echo .*)$/m.exec(out)![1]!.replace('sudo ', '')
  }
  const version = (node: string) => /kedge\.(.*)$/.exec(kubectl(`get node ${node} -o jsonpath={.status.nodeInfo.kubeletVersion}`))?.[1]

  beforeAll(async () => {
    const build = (v: string) =>
      execFileSync(
        process.execPath,
        ['--no-warnings', 'tools/build-single-file.ts', '--out', downloads.path, '--arch', 'x64', '--version', v],
        { stdio: 'pipe' },
      )
    build(NEXT)
    // A build that starts well enough to be taken, and no further.
    const broken = gzipSync(`#!/bin/sh\n[ "$1" = version ] && echo v1.36.0+kedge.${BROKEN} && exit\nexit 3\n`)
    mkdirSync(path.join(downloads.path, BROKEN))
    writeFileSync(path.join(downloads.path, BROKEN, 'kedge-linux-x64.gz'), broken)
    // The newest is what a fresh machine gets.
    build(KEDGE_VERSION)
    const file = path.join(downloads.path, 'index.json')
    const index = JSON.parse(readFileSync(file, 'utf8'))
    index.versions[BROKEN] = {
      'linux-x64': { path: `${BROKEN}/kedge-linux-x64.gz`, sha256: createHash('sha256').update(broken).digest('hex') },
    }
    writeFileSync(file, JSON.stringify(index))

    // The one host is for its Docker, which makes the images.
    rig = await Rig.start(1)
    provider = await OidcProvider.start('127.0.0.1')
    provider.lifetime = 3600
    const oidc = ['--oidc-issuer-url', provider.issuer, '--oidc-client-id', provider.clientId]
    host = await HostServer.start(rig.address, ['--platform', 'workers', '--signup', 'open', '--downloads', downloads.path, ...oidc])
    user = new HostUser(host)
    vms = [await Vm.start(1), await Vm.start(2)]
    const signedIn = await user.signIn('--new-account', 'acme')
    expect(signedIn.out, signedIn.err).toContain('as ann@example.com: account acme')
    kedge('cluster create prod')
  }, 300_000)
  afterAll(async () => {
    for (const vm of vms ?? []) vm.stop()
    await host?.stop()
    provider?.stop()
    rig?.stop()
    downloads.remove()
  })

  test('the command is an npm package too', () => {
    const prefix = path.join(downloads.path, 'prefix')
    execFileSync('npm', ['install', '-g', '--prefix', prefix, '--offline', '--no-audit', '--no-fund', path.join(downloads.path, 'npm')], {
      stdio: 'pipe',
    })
    expect(user.run(path.join(prefix, 'bin/kedge'), ['version', '--client'])).toContain(`+kedge.${KEDGE_VERSION}\n`)
    expect(user.run(path.join(prefix, 'bin/kedge'), ['get', 'namespaces', '-o', 'name'])).toContain('namespace/default')
  })

  test('one pasted command: packages, daemon, service, Ready', async () => {
    const outputs = await Promise.all(
      vms.map(
        (vm) =>
          new Promise<{ out: string; seconds: number }>((resolve, reject) => {
            const begun = Date.now()
            const [command, ...args] = vm.command(pasted())
            const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
            let out = ''
            for (const s of [child.stdout, child.stderr]) s.on('data', (d) => (out += d))
            child.on('exit', (code) => (code === 0 ? resolve({ out, seconds: (Date.now() - begun) / 1000 }) : reject(new Error(out))))
          }),
      ),
    )
    for (const { out, seconds } of outputs) {
      expect(out).toContain('installing docker.io containernetworking-plugins nftables iptables')
      expect(out).toContain('is Ready')
      console.log(`installed in ${seconds.toFixed(1)} s, packages included, two machines at once`)
    }
    expect(kubectl('get nodes --no-headers').match(/ Ready /g)).toHaveLength(2)
    expect(vms[0]!.run('systemctl show -p ActiveState -p NRestarts -p WatchdogUSec kedge-node').trim().split('\n').sort()).toEqual([
      'ActiveState=active',
      'NRestarts=0',
      'WatchdogUSec=1min',
    ])
  })

  test('run again it changes nothing', () => {
    const pid = vms[0]!.run('systemctl show -p MainPID --value kedge-node')
    const out = vms[0]!.run(pasted())
    expect(out).toContain(`kedge ${KEDGE_VERSION} is here already`)
    expect(out).toContain('the daemon runs already')
    expect(vms[0]!.run('systemctl show -p MainPID --value kedge-node')).toBe(pid)
  })

  test('a download that somebody changed is refused, and what is not to be given out is not there', () => {
    const get = `curl -fsSL --cacert /tmp/kedge-ca.crt ${host.url}`
    const forged = `s/^VERSION=.*/VERSION=${NEXT}/; s/^CHECKSUM_X64=.*/CHECKSUM_X64=00/`
    expect(() => vms[0]!.run(`${get}/install.sh | sed "${forged}" | sh`)).toThrow(/the download's checksum is [0-9a-f]{64}, not 00/)
    expect(vms[0]!.run('readlink /usr/local/lib/kedge/current')).toBe(`kedge-${KEDGE_VERSION}\n`)
    for (const name of ['../ca.key', '%2e%2e/ca.key', '9.9.9/kedge-linux-x64.gz', 'install.sh'])
      expect(() => vms[0]!.run(`${get}/downloads/${name} --path-as-is`)).toThrow(/40[0-9]/)
  })

  test('a deployment runs there, by kubectl of somebody who signed in at a provider', async () => {
    expect(kubectl('auth whoami')).toContain('ann@example.com')
    const images = testImages()
    for (const vm of vms) vm.loadImages(images)
    kubectl('apply -f -', webDeployment(4) + webService)
    kubectl('create ingress web --rule=web.test/*=web:80')
    kubectl('rollout status deployment/web --timeout=60s')
    const ip = kubectl('get svc web -o jsonpath={.spec.clusterIP}')
    for (const vm of vms)
      await eventually(`${vm.name} reaches the service`, () => vm.run(`curl -s -m 2 http://${ip}/`).trim().endsWith('v1'))
    for (const vm of vms)
      await eventually(`${vm.name} serves the ingress`, () =>
        vm.run('curl -s -m 2 -H Host:web.test http://127.0.0.1/').trim().endsWith('v1'),
      )
  })

  test('the daemons upgrade one after another under load: no container restarts, no request fails', async () => {
    const before = vms.map((vm) => vm.containers())
    const ip = kubectl('get svc web -o jsonpath={.spec.clusterIP}')
    const [command, ...args] = vms[0]!.command(
      `n=0; f=0; while [ ! -e /tmp/enough ]; do for to in ${ip} '-H Host:web.test 127.0.0.1'; do curl -sf -o /dev/null -m 2 $to || f=$((f+1)); n=$((n+1)); done; done; echo $n $f`,
    )
    const load = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let counted = ''
    load.stdout.on('data', (d) => (counted += d))
    const out = kedge(`node upgrade --version ${NEXT}`)
    expect(out).toBe(`vm1 runs ${NEXT}\nvm2 runs ${NEXT}\n`)
    const ended = new Promise((r) => load.once('exit', r))
    vms[0]!.run('touch /tmp/enough')
    await ended
    const [requests, failed] = counted.trim().split(' ').map(Number)
    console.log(`upgraded under ${requests} requests, ${failed} failed`)
    expect(requests).toBeGreaterThan(100)
    expect(failed).toBe(0)
    expect(vms.map((vm) => vm.containers())).toEqual(before)
    expect(kubectl('logs deploy/web').length).toBeGreaterThanOrEqual(0)
  })

  test('a version that does not come up is rolled back, and the round ends there', async () => {
    const before = vms.map((vm) => vm.containers())
    let said = ''
    try {
      kedge(`node upgrade --version ${BROKEN}`)
    } catch (cause) {
      said = String((cause as { stderr: string }).stderr)
    }
    expect(said).toContain(`vm1: ${BROKEN}: it did not come up on this machine and was rolled back`)
    expect([version('vm1'), version('vm2')]).toEqual([NEXT, NEXT])
    expect(vms.map((vm) => vm.containers())).toEqual(before)
    expect(kubectl('get nodes --no-headers').match(/ Ready /g)).toHaveLength(2)
    // Asked for the good one again, nothing is wrong any more.
    expect(kedge(`node upgrade --version ${NEXT}`)).toBe(`vm1 runs ${NEXT}\nvm2 runs ${NEXT}\n`)
  })

  test('kill -9 of the daemon: systemd starts it again, containers stay', async () => {
    const before = vms[1]!.containers()
    vms[1]!.run('kill -9 $(systemctl show -p MainPID --value kedge-node)')
    await eventually('it is back', () => vms[1]!.run('kedge node wait --timeout 5').includes('Ready'))
    expect(vms[1]!.containers()).toEqual(before)
  })

  test('the doctor finds nothing, then what is broken; its bundle holds no secret', async () => {
    expect(vms[1]!.run('kedge node doctor')).toContain('no fault found')
    vms[1]!.run('sysctl -q -w net.ipv4.ip_forward=0')
    const out = vms[1]!.try('kedge node doctor --bundle /tmp/b.tar.gz')
    expect(out).toMatch(/FAULT +forwarding .*\n +→ sysctl -w net\.ipv4\.ip_forward=1/)
    vms[1]!.run('sysctl -q -w net.ipv4.ip_forward=1; mkdir -p /tmp/b; tar -xzf /tmp/b.tar.gz -C /tmp/b')
    expect(vms[1]!.run('ls /tmp/b/kedge-doctor')).toMatch(/journal\.txt[\s\S]*report\.txt/)
    expect(vms[1]!.try('grep -rlE "PRIVATE KEY|eyJ" /tmp/b')).toBe('')
  })

  test('uninstalled, nothing is left but the packages', async () => {
    const out = vms[1]!.run(`curl -fsSL --cacert /tmp/kedge-ca.crt ${host.url}/install.sh | sh -s -- --uninstall --remove-data`)
    expect(out).toContain('these packages came with the installation and stay: docker.io')
    const left = vms[1]!.run(
      'docker ps -aq; nft list tables | grep kedge; iptables -S | grep kedge; ip -4 addr show lo | grep 10.96; ip route show proto 107; ls -d /var/lib/kedge /usr/local/lib/kedge /usr/local/bin/kedge /etc/kedge /etc/systemd/system/kedge* /etc/sysctl.d/90-kedge.conf 2>/dev/null; pgrep -f "[k]edge-0"; pgrep haproxy; true',
    )
    expect(left).toBe('')
    kedge('node rm vm2')
    await eventually('its pods run on the other', () => kubectl('get deployment web -o jsonpath={.status.readyReplicas}') === '4', 60_000)
    // A machine that was wiped comes back under its old name.
    vms[1]!.run(pasted())
    expect(kubectl('get nodes --no-headers').match(/ Ready /g)).toHaveLength(2)
  })

  test('a machine that goes down ends its pods in good order, and is a node again when it comes back', async () => {
    kubectl(
      'apply -f -',
      ['slow', 'critical']
        .map(
          (name) => `---
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: leaving}}
spec:
  nodeName: vm2
  terminationGracePeriodSeconds: 600
  ${name === 'critical' ? 'priorityClassName: system-node-critical' : ''}
  containers: [{name: c, image: "test/busybox:1", command: [sh, -c, "trap 'sleep 2; exit 7' TERM; touch /tmp/up; while :; do sleep 0.1; done"], readinessProbe: {exec: {command: [ls, /tmp/up]}, periodSeconds: 1}}]
`,
        )
        .join(''),
    )
    kubectl('wait pod -l app=leaving --for=condition=Ready --timeout=60s')
    const down = vms[1]!.powerOff()
    const node = () => JSON.parse(kubectl('get node vm2 -o json'))
    const ready = () => node().status.conditions.find((c: any) => c.type === 'Ready')
    await eventually('the node says so', () => ready().message === 'node is shutting down')
    await down
    const ends = ['slow', 'critical'].map((name) => {
      const { status } = JSON.parse(kubectl(`get pod ${name} -o json`))
      expect(status).toMatchObject({
        phase: 'Failed',
        reason: 'Terminated',
        message: 'Pod was terminated in response to imminent node shutdown.',
      })
      expect(status.conditions.find((c: any) => c.type === 'DisruptionTarget').reason).toBe('TerminationByKubelet')
      const { exitCode, finishedAt } = status.containerStatuses[0].state.terminated
      expect(exitCode).toBe(7)
      return Date.parse(finishedAt)
    })
    expect(ends[1]! - ends[0]!).toBeGreaterThan(1000)
    await eventually('its pods run on the other', () => kubectl('get deployment web -o jsonpath={.status.readyReplicas}') === '4', 60_000)
    kubectl('delete pod -l app=leaving')
    await vms[1]!.switchOn()
    await eventually('it is back', () => ready().status === 'True', 60_000)
    kubectl('apply -f -', pinned('after', 'vm2'))
    kubectl('wait pod after --for=condition=Ready --timeout=60s')
    kubectl('delete pod after')
  }, 240_000)
})
