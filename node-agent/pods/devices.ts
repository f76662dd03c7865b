// Resources that this machine has besides processors and memory, as the owner's `resources.yaml` names them: devices, which go to one container each, and
// amounts of something that is only counted.
//   resources:
//   - {name: example.com/serial, devices: [/dev/ttyUSB0, /dev/ttyUSB1]}
//   - {name: example.com/gpu, devices: [{paths: [/dev/gpu0, /dev/gpuctl], env: {GPU: "0"}}]}
//   - {name: example.com/licence, count: 4}
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { unitsOf } from '../../shared/meta/quantity.ts'
import { podFolder } from '../volumes/volumes.ts'
import type { Refusal } from './leaving.ts'

const NOTE = 'devices.json'
/** `domain/name`, as Kubernetes wants names of resources that are nobody's own. */
const NAME = /^(?!([^/]*\.)?kubernetes\.io\/)[a-z0-9]([a-z0-9.-]*[a-z0-9])?\/[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/
const MOST = 10_000

export interface Device {
  /** Where it is, on the host and in the container. */
  paths: string[]
  env: Record<string, string>
}
/** Of each resource, all that there is. */
export type Resources = ReadonlyMap<string, readonly Device[]>

function deviceOf(d: any): Device | undefined {
  const paths = typeof d === 'string' ? [d] : (d?.paths ?? [])
  const env = d?.env ?? {}
  const isWell = Array.isArray(paths) && paths.every((p) => typeof p === 'string' && path.isAbsolute(p)) && typeof env === 'object'
  return isWell ? { paths, env: Object.fromEntries(Object.entries(env).map(([k, v]) => [k, String(v)])) } : undefined
}

/** What a file names; nothing where there is none. Throws with what is wrong in it. */
export async function readResources(file: string): Promise<Resources> {
  const out = new Map<string, Device[]>()
  if (!existsSync(file)) return out
  // Few machines have one: others need not bear what reads it.
  const { parse } = await import('yaml')
  for (const r of parse(readFileSync(file, 'utf8'))?.resources ?? []) {
    const fail = (why: string): never => {
      throw new Error(`${file}: ${JSON.stringify(r?.name)} ${why}`)
    }
    if (typeof r?.name !== 'string' || !NAME.test(r.name)) fail('is no name of a resource: write it as example.com/name')
    if (out.has(r.name)) fail('is there twice')
    if (r.devices === undefined && !(Number.isInteger(r.count) && r.count >= 0 && r.count <= MOST)) fail('has neither devices nor a count')
    const devices = (r.devices ?? Array.from({ length: r.count }, () => ({}))).map(deviceOf)
    out.set(r.name, devices.every((d: Device | undefined) => d) ? devices : fail('has a device that is no absolute path'))
  }
  return out
}

/** Of each resource, which ones a container has, by their places in the list. */
type Given = Record<string, Record<string, number[]>>

const containersOf = ({ spec }: any): any[] => [...(spec.initContainers ?? []), ...spec.containers]

export class Devices {
  readonly #resources: Resources
  readonly #data: string
  readonly #isUsed: (uid: string) => boolean
  readonly #given = new Map<string, Given>()

  /** `isUsed` says whether a pod's containers may have what they were given; what was given before is read from the pods' folders. */
  constructor(resources: Resources, data: string, isUsed: (uid: string) => boolean) {
    this.#resources = resources
    this.#data = data
    this.#isUsed = isUsed
    const pods = path.join(data, 'pods')
    if (!resources.size || !existsSync(pods)) return
    for (const uid of readdirSync(pods)) {
      const note = path.join(pods, uid, NOTE)
      if (existsSync(note)) this.#given.set(uid, JSON.parse(readFileSync(note, 'utf8')))
    }
  }

  /** For the Node's capacity. */
  get amounts(): Record<string, string> {
    return Object.fromEntries([...this.#resources].map(([name, all]) => [name, String(all.length)]))
  }

  /** Gives a pod what it asks for, once; why it cannot have it, where it cannot. */
  give(pod: any): Refusal | undefined {
    const { uid } = pod.metadata
    if (!this.#resources.size || this.#given.has(uid)) return undefined
    for (const known of [...this.#given.keys()]) if (!this.#isUsed(known)) this.#given.delete(known)
    const given: Given = {}
    for (const [resource, all] of this.#resources) {
      const taken = new Set([...this.#given.values()].flatMap((g) => Object.values(g).flatMap((c) => c[resource] ?? [])))
      const free = all.map((_, i) => i).filter((i) => !taken.has(i))
      for (const c of containersOf(pod)) {
        const wanted = unitsOf(c.resources?.limits?.[resource])
        if (!wanted) continue
        // What an init container has had, others may have after it.
        const own = c.restartPolicy !== 'Always' && pod.spec.initContainers?.includes(c) ? free.slice(0, wanted) : free.splice(0, wanted)
        if (own.length < wanted) {
          const message = `Allocate failed due to requested number of devices unavailable for ${resource}. Requested: ${wanted}, Available: ${own.length}, which is unexpected`
          return { reason: 'UnexpectedAdmissionError', message }
        }
        given[c.name] = { ...given[c.name], [resource]: own }
      }
    }
    if (!Object.keys(given).length) return undefined
    const folder = podFolder(this.#data, uid)
    mkdirSync(folder, { recursive: true })
    writeFileSync(path.join(folder, NOTE), JSON.stringify(given))
    this.#given.set(uid, given)
    return undefined
  }

  /** What a container has been given. */
  of(uid: string, container: string): Device {
    const own = Object.entries(this.#given.get(uid)?.[container] ?? {})
    const devices = own.flatMap(([resource, places]) => places.flatMap((i) => this.#resources.get(resource)?.[i] ?? []))
    return { paths: [...new Set(devices.flatMap((d) => d.paths))], env: Object.assign({}, ...devices.map((d) => d.env)) }
  }
}
