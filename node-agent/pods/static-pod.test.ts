// Manifests in a folder as pods of this node.
import { expect, test } from 'vitest'
import { staticPod } from './static-pod.ts'

const manifest = (metadata = '{name: web}', more = '') => `
apiVersion: v1
kind: Pod
metadata: ${metadata}
spec: {containers: [{name: c, image: i}]${more}}`

test('has its node in its name, is the same while its file is, and stays whatever is wrong with the node', () => {
  const pod = staticPod(manifest(), 'web.yaml', 'n1')
  expect(pod.metadata).toMatchObject({ name: 'web-n1', namespace: 'default', annotations: { 'kubernetes.io/config.source': 'file' } })
  expect(pod.spec).toMatchObject({ nodeName: 'n1', restartPolicy: 'Always', tolerations: [{ operator: 'Exists', effect: 'NoExecute' }] })
  expect(pod.status.qosClass).toBe('BestEffort')
  expect(staticPod(manifest(), 'web.yaml', 'n1').metadata.uid).toBe(pod.metadata.uid)
  expect(staticPod(manifest(), 'web.yaml', 'n2').metadata.uid).not.toBe(pod.metadata.uid)
  expect(staticPod(manifest('{name: web, namespace: kube-system}'), 'web.yaml', 'n1').metadata.namespace).toBe('kube-system')
})

test.each<[string, string, RegExp]>([
  ['no YAML', '{', /./],
  ['no object', 'hello', /no Pod/],
  ['another kind', manifest().replace('kind: Pod', 'kind: Deployment'), /no Pod/],
  ['no name', manifest('{}'), /no name/],
  ['a name that is none', manifest('{name: A_b}'), /metadata.name/],
  ['no containers', 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {}', /spec.containers/],
  ['a secret', manifest('{name: a}', ', volumes: [{name: v, secret: {secretName: s}}]'), /objects of the API/],
  ['an account', manifest('{name: a}', ', serviceAccountName: s'), /objects of the API/],
])('%s is refused', (_, text, words) => expect(() => staticPod(text, 'f.yaml', 'n1')).toThrow(words))
