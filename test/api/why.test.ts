// `kedge why` against a real control plane: what holds things back, in a cluster without a node.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launcher } from '../../cli/processes.ts'
import { type Server, startServer } from './server.ts'

let server: Server
const kedge = async (...args: string[]): Promise<string> => {
  const run = promisify(execFile)(launcher, args, { env: { ...process.env, KUBECONFIG: server.cp.kubeconfig } })
  return (await run.catch((cause) => cause)).stdout || (await run.catch((cause) => cause.stderr))
}
const deployment = (name: string, more = '') => `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec: {selector: {matchLabels: {app: ${name}}}, template: {metadata: {labels: {app: ${name}}}, spec: {containers: [{name: c, image: web:1}]${more}}}}
`

beforeAll(async () => {
  server = await startServer('node')
  server.cp.k('apply -f -', {
    input: `${deployment('web')}${deployment('dark', ', serviceAccountName: nobody')}---
apiVersion: v1
kind: Service
metadata: {name: wbe}
spec: {selector: {app: wbe}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
`,
  })
})
afterAll(() => server?.stop())

test('a deployment, by its pod', async () => {
  await expect
    .poll(() => kedge('why', 'deploy/web'))
    .toMatch(/^deployment\/web: 1 of 1 pods are not ready, as pod web-\S+: there is no node that could run it\. Join a machine/)
})
test('a deployment, by what refuses its pods', async () => {
  await expect
    .poll(() => kedge('why', 'deploy', 'dark'))
    .toMatch(/service account nobody is not there\. Create it: kubectl create serviceaccount nobody/)
})
test('all that is held back, and nothing else', async () => {
  const found = JSON.parse(await kedge('why', 'deployments,services', '--all', '-o', 'json'))
  expect(found.map((f: any) => f.about)).toEqual(['deployment/dark', 'deployment/web', 'service/wbe'])
  expect(found[2].why).toMatch(/No pod has the labels app=wbe/)
})
test('what it does not know, and what is not there', async () => {
  expect(await kedge('why', 'configmap/settings')).toMatch(/not known what holds back configmaps/)
  expect(await kedge('why', 'pod/none')).toMatch(/pods "none" not found/)
})
test('somebody who may see pods alone is told what those say', async () => {
  server.cp.k('create clusterrole podsonly --verb=get,list --resource=pods')
  server.cp.k('create rolebinding podsonly --clusterrole=podsonly --user=eve')
  const [pod] = server.cp.k('get pods -l app=web -o name').trim().split('\n')
  expect(await kedge('why', pod!, '--as', 'eve')).toMatch(/^pod\/web-\S+: (No node can take it|It has just been made)/)
})
