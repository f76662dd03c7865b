// Real kubectl of every age on this machine, through its verbs: each must do what it does against kube-apiserver.
import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ControlPlane } from '../rig/control-plane.ts'
import { quietly } from '../rig/hosts.ts'

const program = quietly('command -v kubectl').trim()
const folder = program ? path.dirname(realpathSync(program)) : ''
const older = Array.from({ length: 10 }, (_, i) => path.join(folder, `kubectl.1.${27 + i}`)).filter((f) => existsSync(f))
/** The one in the path alone, where there are no others. */
const kubectls = older.length ? older : [program]

const deployment = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${replicas}
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [ { name: c, image: nginx, resources: { requests: { cpu: 10m } } } ] }
`
const map = (data: string) => `
apiVersion: v1
kind: ConfigMap
metadata: { name: m }
data: { ${data} }
`

interface Step {
  line: string
  input?: string
  /** What standard output has. */
  says: RegExp
  /** Where it is not 0. */
  code?: number
  env?: Record<string, string>
}

const steps: Step[] = [
  { line: 'version', says: /Server Version/ },
  { line: 'cluster-info', says: /control plane/ },
  { line: 'api-versions', says: /^apps\/v1$/m },
  { line: 'api-resources', says: /deployments +deploy/ },
  { line: 'explain deployment.spec.strategy', says: /rollingUpdate/ },
  { line: 'explain pods --recursive', says: /terminationGracePeriodSeconds/ },
  { line: 'auth can-i create pods', says: /^yes/ },
  { line: 'auth can-i --list', says: /\*\.\*/ },
  { line: 'get --raw /healthz', says: /ok/ },
  { line: 'get namespaces', says: /kube-system +Active/ },
  { line: 'get all -A', says: /service\/kubernetes/ },
  { line: 'create configmap m --from-literal=a=1', says: /created/ },
  { line: 'create configmap m --from-literal=a=1', says: /^$/, code: 1 },
  { line: 'get cm m -o yaml', says: /a: "1"/ },
  { line: 'get cm m -o jsonpath={.data.a}', says: /^1$/ },
  { line: 'get cm -o custom-columns=N:.metadata.name --no-headers', says: /^m$/m },
  { line: 'get cm -l none=none -o name', says: /^$/ },
  { line: 'get cm --field-selector metadata.name=m -o name', says: /^configmap\/m\n$/ },
  { line: 'get cm m -o wide --show-labels --show-kind', says: /configmap\/m/ },
  { line: 'describe cm m', says: /Name: +m/ },
  { line: 'label cm m x=y', says: /labeled/ },
  { line: 'annotate cm m note=hello', says: /annotate/ },
  { line: 'patch cm m -p {"data":{"b":"2"}}', says: /patched/ },
  { line: 'patch cm m --type=json -p [{"op":"remove","path":"/data/b"}]', says: /patched/ },
  { line: 'patch cm m --type=merge -p {"data":{"c":"3"}}', says: /patched/ },
  { line: 'apply -f - --dry-run=server', input: map('a: "5"'), says: /configured \(server dry run\)/ },
  { line: 'diff -f -', input: map('a: "5"'), says: /\+ *a: "5"/, code: 1 },
  { line: 'apply --server-side --force-conflicts -f -', input: map('a: "5"'), says: /serverside-applied/ },
  { line: 'replace -f -', input: map('d: before'), says: /replaced/ },
  { line: 'edit cm m', env: { KUBE_EDITOR: 'sed -i s/before/after/' }, says: /edited/ },
  { line: 'get cm m -o jsonpath={.data}', says: /^\{"d":"after"\}$/ },
  { line: 'apply -f -', input: deployment(0), says: /created/ },
  { line: 'apply -f -', input: deployment(1), says: /configured/ },
  { line: 'apply -f -', input: deployment(1), says: /unchanged/ },
  { line: 'apply view-last-applied deploy web', says: /replicas: 1/ },
  { line: 'scale deploy web --replicas=0', says: /scaled/ },
  { line: 'set image deploy/web c=nginx:2', says: /image updated/ },
  { line: 'set env deploy/web A=b', says: /env updated/ },
  { line: 'set resources deploy/web --limits=cpu=20m', says: /resource requirements updated/ },
  { line: 'rollout history deploy/web', says: /REVISION/ },
  { line: 'rollout status deploy/web --timeout=20s', says: /successfully rolled out/ },
  { line: 'rollout pause deploy/web', says: /paused/ },
  { line: 'rollout resume deploy/web', says: /resumed/ },
  { line: 'rollout restart deploy/web', says: /restarted/ },
  { line: 'rollout undo deploy/web', says: /rolled back/ },
  { line: 'expose deploy web --port=80', says: /exposed/ },
  { line: 'autoscale deploy web --min=1 --max=3 --cpu-percent=50', says: /autoscaled/ },
  { line: 'get hpa,svc,endpoints,rs,deploy', says: /horizontalpodautoscaler/ },
  { line: 'describe deploy web', says: /StrategyType: +RollingUpdate/ },
  { line: 'describe hpa web', says: /Reference: +Deployment\/web/ },
  { line: 'create serviceaccount robot', says: /created/ },
  { line: 'create token robot', says: /^ey/ },
  { line: 'create role reader --verb=get --resource=pods', says: /created/ },
  { line: 'create rolebinding reader --role=reader --serviceaccount=NS:robot', says: /created/ },
  { line: 'auth can-i get pods --as=system:serviceaccount:NS:robot', says: /^yes/ },
  { line: 'auth can-i list secrets --as=system:serviceaccount:NS:robot', says: /^no/, code: 1 },
  { line: 'create secret generic s --from-literal=k=v', says: /created/ },
  { line: 'create quota q --hard=pods=5', says: /created/ },
  { line: 'create job j --image=x', says: /created/ },
  { line: 'create cronjob cj --image=x --schedule=|0 0 * * *|', says: /created/ },
  { line: 'create ingress i --rule=a.example/*=web:80', says: /created/ },
  { line: 'create pdb p --selector=app=web --min-available=1', says: /created/ },
  { line: 'get job,cronjob,ingress,pdb,quota', says: /cronjob.batch\/cj/ },
  { line: 'describe quota q', says: /pods +\d+ +5/ },
  { line: 'run solo --image=x --restart=Never', says: /created/ },
  { line: 'get pod solo', says: /Pending/ },
  { line: 'get events', says: /FailedScheduling/ },
  { line: 'events --for pod/solo', says: /FailedScheduling/ },
  { line: 'wait --for=jsonpath={.status.phase}=Pending pod/solo --timeout=10s', says: /condition met/ },
  { line: 'delete pod solo --now', says: /deleted/ },
  { line: 'wait --for=delete pod/solo --timeout=10s', says: /.*/ },
  { line: 'delete deploy,svc,hpa,cm --all', says: /deleted/ },
  { line: 'get nothing', says: /^$/, code: 1 },
]

describe.each(kubectls.map((k) => [path.basename(k), k] as const))('%s', (_, kubectl) => {
  let cp: ControlPlane
  const ns = 'here'
  beforeAll(async () => {
    cp = await ControlPlane.start('127.0.0.1')
    cp.k(`create namespace ${ns}`)
    cp.k(`config set-context --current --namespace=${ns}`)
  })
  afterAll(() => cp?.stop())

  const run = ({ line, input, env }: Step) =>
    new Promise<{ code: number; out: string; err: string }>((done) => {
      const words = [...line.replaceAll('NS', ns).matchAll(/(\S*?)\|([^|]*)\||(\S+)/g)].map((m) =>
        m[3] !== undefined ? m[3] : `${m[1]}${m[2]}`,
      )
      const child = execFile(
        kubectl,
        words,
        { env: { ...process.env, KUBECONFIG: cp.kubeconfig, ...env }, timeout: 60_000 },
        (cause, out, err) => done({ code: cause ? Number((cause as any).code) || 1 : 0, out, err }),
      )
      child.stdin?.end(input ?? '')
    })

  test.each(steps.map((s) => [s.line, s] as const))('%s', async (_line, step) => {
    const done = await run(step)
    expect(done.code, done.err).toBe(step.code ?? 0)
    expect(done.out).toMatch(step.says)
  })
})
