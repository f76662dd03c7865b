// Pods that a machine runs by itself: manifests in a folder, read again when they change, run whether or not the API is there.
import { createHash } from 'node:crypto'
import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch } from 'node:fs'
import path from 'node:path'
import { kindByName } from '../../shared/kinds/index.ts'
import { parseYaml } from '../../shared/manifests/yaml.ts'
import { FieldErrors } from '../../shared/meta/field-error.ts'
import { dnsSubdomain } from '../../shared/meta/names.ts'
import { CONFIG_HASH, CONFIG_SEEN, CONFIG_SOURCE } from '../../shared/meta/static-pods.ts'
import type { Log } from '../log.ts'
import { referencedBy } from '../volumes/content.ts'

/** Editors write a file in several steps: what changed is read this long after the last of them, ms. */
const SETTLE = 100

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

export class StaticPods {
  readonly #folder: string
  readonly #node: string
  readonly #log: Log
  readonly #changed: (pods: ReadonlyMap<string, any>) => void
  /** What a file last came to, so that each fault is told once. */
  readonly #faults = new Map<string, string>()
  /** By their files' text: the same manifest is the same pod, with the time when it was first seen. */
  #known = new Map<string, any>()
  #watcher?: FSWatcher
  #timer?: ReturnType<typeof setTimeout>

  /** `changed` is told all pods that there are, by `namespace/name`. */
  constructor(folder: string, node: string, log: Log, changed: (pods: ReadonlyMap<string, any>) => void) {
    this.#folder = folder
    this.#node = node
    this.#log = log
    this.#changed = changed
  }

  start(): void {
    mkdirSync(this.#folder, { recursive: true })
    this.#watcher = watch(this.#folder, () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => this.#read(), SETTLE)
    })
    this.#watcher.on('error', (cause) => this.#log.error('the folder of static pods can no longer be watched', cause))
    this.#read()
  }
  close(): void {
    clearTimeout(this.#timer)
    this.#watcher?.close()
  }

  #read(): void {
    const pods = new Map<string, any>()
    const known = new Map<string, any>()
    for (const file of this.#files()) {
      try {
        const text = readFileSync(path.join(this.#folder, file), 'utf8')
        const pod = this.#known.get(`${file}\n${text}`) ?? staticPod(text, file, this.#node)
        known.set(`${file}\n${text}`, pod)
        pods.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod)
        this.#faults.delete(file)
      } catch (cause) {
        const { message } = cause as Error
        if (this.#faults.get(file) !== message) this.#log.error('a static pod cannot be run', cause, { file })
        this.#faults.set(file, message)
      }
    }
    this.#known = known
    this.#changed(pods)
  }

  #files(): string[] {
    try {
      return readdirSync(this.#folder)
        .filter((f) => /^[^.].*\.(ya?ml|json)$/.test(f))
        .sort()
    } catch (cause) {
      this.#log.error('static pods could not be read', cause, { folder: this.#folder })
      return []
    }
  }
}
