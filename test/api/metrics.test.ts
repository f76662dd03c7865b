// What the control plane tells Prometheus, on both platforms.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Server, startServer } from './server.ts'

/** Samples by their name and labels. */
function parsed(text: string): Map<string, number> {
  const out = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (!line || line.startsWith('#')) continue
    const m = /^([a-z_:]+(?:\{.*\})?) (\S+)$/.exec(line)
    expect(m, line).toBeTruthy()
    expect(out.has(m![1]!), `${m![1]} twice`).toBe(false)
    out.set(m![1]!, Number(m![2]))
  }
  return out
}

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  const metrics = async () => server.cp.k('get --raw /metrics')
  beforeAll(async () => {
    server = await startServer(platform)
  })
  afterAll(() => server?.stop())

  test('what is stored, queues of controllers, and who is connected', async () => {
    const at = '/api/v1/namespaces/default/configmaps'
    for (const name of ['a', 'b']) expect((await server.send('POST', at, { metadata: { name } })).code).toBe(201)
    const samples = parsed(await metrics())
    // The root certificates of its namespaces are there besides.
    expect(samples.get('apiserver_storage_objects{resource="configmaps"}')).toBeGreaterThanOrEqual(2)
    expect(samples.get('kedge_node_sessions')).toBe(0)
    expect((await server.send('POST', '/api/v1/namespaces', { metadata: { name: 'counted' } })).code).toBe(201)
    const added = async () => [...parsed(await metrics())].filter(([k, n]) => k.startsWith('workqueue_adds_total') && n > 0).length
    await expect.poll(added).toBeGreaterThan(0)
    const text = await metrics()
    for (const family of text.matchAll(/^# TYPE (\S+) (\S+)$/gm))
      expect(text.match(new RegExp(`^# TYPE ${family[1]} `, 'gm'))).toHaveLength(1)
  })

  test('requests by what they asked, how long they took and how they ended', async () => {
    const at = '/api/v1/namespaces/default/secrets'
    const of = (verb: string, scope: string, code: number) =>
      `apiserver_request_total{code="${code}",dry_run="",component="apiserver",group="",resource="secrets",scope="${scope}",subresource="",verb="${verb}",version="v1"}`
    const before = parsed(await metrics())
    await server.send('POST', at, { metadata: { name: 'a' } })
    await server.send('POST', at, { metadata: { name: 'a' } })
    await server.send('GET', `${at}/a`)
    await server.send('GET', at)
    await server.send('GET', '/api/v1/namespaces/default/nonsense-that-nobody-serves')
    const after = parsed(await metrics())
    const grown = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
    expect([
      grown(of('POST', 'namespace', 201)),
      grown(of('POST', 'namespace', 409)),
      grown(of('GET', 'resource', 200)),
      grown(of('LIST', 'namespace', 200)),
    ]).toEqual([1, 1, 1, 1])
    expect([...after.keys()].some((k) => k.includes('nonsense'))).toBe(false)
    const bucket = (le: string) =>
      `apiserver_request_duration_seconds_bucket{dry_run="",component="apiserver",group="",resource="secrets",scope="namespace",subresource="",verb="POST",version="v1",le="${le}"}`
    expect([after.get(bucket('60')), after.get(bucket('+Inf'))]).toEqual([2, 2])
    expect(after.get('apiserver_current_inflight_requests{request_kind="readOnly"}')).toBe(1)
    // workerd does not tell.
    if (platform === 'node') expect(after.get('process_resident_memory_bytes')).toBeGreaterThan(1e7)
  })

  test('objects, as kube-state-metrics tells of them', async () => {
    const containers = [{ name: 'c', image: 'one', resources: { requests: { cpu: '100m' } } }]
    const pod = { metadata: { name: 'told' }, spec: { automountServiceAccountToken: false, containers } }
    expect((await server.send('POST', '/api/v1/namespaces/default/pods', pod)).code).toBe(201)
    const text = server.cp.k('get --raw /metrics/objects')
    const samples = [...parsed(text)]
    const of = (name: string, label: string) => samples.find(([k]) => k.startsWith(`${name}{`) && k.includes(label))?.[1]
    expect(samples.find(([k]) => /^kube_pod_status_phase\{.*pod="told",.*phase="Pending"\}/.test(k))?.[1]).toBe(1)
    expect(of('kube_pod_container_resource_requests', 'resource="cpu"')).toBe(0.1)
    expect(of('kube_namespace_status_phase', 'namespace="default",phase="Active"')).toBe(1)
    expect(of('kube_service_info', 'service="kubernetes"')).toBe(1)
    const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map((m) => m[1])
    expect(new Set(names).size).toBe(names.length)
  })

  test('what the scheduler does, and who waits for it', async () => {
    const text = await metrics()
    expect(text).toContain('# TYPE scheduler_schedule_attempts_total counter')
    const of = async (line: string) => parsed(await metrics()).get(line)
    await expect.poll(() => of('scheduler_pending_pods{queue="unschedulable"}')).toBe(1)
    expect(await of('scheduler_schedule_attempts_total{profile="default-scheduler",result="unschedulable"}')).toBeGreaterThan(0)
    await server.send('POST', '/api/v1/nodes', { metadata: { name: 'n1' } })
    const status = {
      allocatable: { cpu: '2', memory: '4Gi', pods: '10' },
      capacity: { cpu: '2', memory: '4Gi', pods: '10' },
      conditions: [{ type: 'Ready', status: 'True' }],
    }
    await server.send('PATCH', '/api/v1/nodes/n1/status', { status }, undefined, 'application/merge-patch+json')
    const taints = { spec: { taints: null } }
    await server.send('PATCH', '/api/v1/nodes/n1', taints, undefined, 'application/merge-patch+json')
    await expect
      .poll(() => of('scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"}'), { timeout: 20_000 })
      .toBe(1)
    expect(await of('scheduler_pod_scheduling_sli_duration_seconds_count')).toBe(1)
    expect(await of('scheduler_pending_pods{queue="unschedulable"}')).toBe(0)
  })

  test('operators look into queues and sessions', () => {
    const see = (at: string) => JSON.parse(server.cp.k(`get --raw ${at}`))
    expect(see('/debug').views).toEqual(['/debug/queues', '/debug/sessions', '/debug/watches'])
    expect(see('/debug/queues').find((q: any) => q.name === 'deployment-controller')).toMatchObject({ waiting: 0, active: [], failing: [] })
    expect(see('/debug/sessions')).toEqual([])
    expect(see('/debug/watches').head).toBeGreaterThan(0)
    expect(server.cp.kubectl('get --raw /debug/queues --as=nobody').err).toContain('cannot get path "/debug/queues"')
    expect(server.cp.kubectl('get --raw /debug/none').err).toContain('could not find')
  })

  test('nobody sees them without the right', () => {
    expect(server.cp.kubectl('get --raw /metrics --as=somebody').err).toContain('cannot get path "/metrics"')
    server.cp.k('create clusterrolebinding monitoring --clusterrole=system:monitoring --user=somebody')
    expect(server.cp.k('get --raw /metrics --as=somebody')).toContain('workqueue_depth')
  })
})
