// A manifest of a pod that a machine runs by itself. Knows all kinds: loaded only where there is such a pod.
import { createHash } from 'node:crypto'
import { kindByName } from '../../shared/kinds/index.ts'
import { parseYaml } from '../../shared/manifests/yaml.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import { dnsSubdomain } from '../../shared/meta/names.ts'
import { CONFIG_HASH, CONFIG_SEEN, CONFIG_SOURCE } from '../../shared/meta/static-pods.ts'
import { referencedBy } from '../volumes/content.ts'

/** A manifest as the pod that this node runs. Throws with what is wrong. */
export function staticPod(text: string, file: string, node: string): any {
  const pod: any = parseYaml(text)
  if (pod?.apiVersion !== 'v1' || pod.kind !== 'Pod') throw new Error('it is no Pod of v1')
  const { name, namespace = 'default' } = pod.metadata ?? {}
  const fault = typeof name === 'string' ? dnsSubdomain(name).join('; ') : 'it has no name'
  if (fault) throw new Error(`metadata.name: ${fault}`)
  const uid = createHash('md5').update(`${node}\n${file}\n${text}`).digest('hex')
  pod.metadata = {
    ...pod.metadata,
    name: `${name}-${node}`,
    namespace,
    uid,
    creationTimestamp: null,
    annotations: {
      ...pod.metadata.annotations,
      [CONFIG_HASH]: uid,
      [CONFIG_SEEN]: new Date().toISOString(),
      [CONFIG_SOURCE]: 'file',
    },
  }
  const kind = kindByName('', 'Pod')!
  kind.defaults?.(pod)
  // It stays on its node, whatever is wrong with that.
  pod.spec = { ...pod.spec, nodeName: node, tolerations: [{ operator: 'Exists', effect: 'NoExecute' }, ...(pod.spec.tolerations ?? [])] }
  pod.status = { phase: 'Pending' }
  kind.settle?.(pod)
  const errors = new FieldErrors()
  kind.validate?.(pod, errors)
  const [first] = errors.causes
  if (first) throw new Error(`${first.field}: ${first.message}`)
  if (pod.spec.serviceAccountName || referencedBy(pod).size) throw new Error('it refers to objects of the API, which a static pod may not')
  return pod
}
