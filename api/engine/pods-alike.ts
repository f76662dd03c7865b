// Pods as the engine keeps them: most are copies of a few, so what reads the same is parsed once and held once.
import type { KObject } from '../../shared/meta/object.ts'

const MOST_SHARED = 5000
/** Parts of pods by their text. */
const shared = new Map<string, unknown>()
const MOST_SPECS = 1000
/** Specs without their nodes, by the same text. */
const specs = new Map<string, object>()

/** One of all that read the same. */
function sharedOf<T>(value: T): T {
  const text = JSON.stringify(value)
  const known = shared.get(text)
  if (known !== undefined) return known as T
  if (shared.size >= MOST_SHARED) shared.clear()
  shared.set(text, value)
  return value
}

const COMMON = ['containers', 'initContainers', 'volumes', 'tolerations', 'affinity', 'topologySpreadConstraints', 'securityContext']

function slimSpec(spec: Record<string, unknown>): object {
  const out = { ...spec }
  for (const part of COMMON) if (out[part] !== undefined) out[part] = sharedOf(out[part])
  return out
}

function slimMetadata({ managedFields: _, ...metadata }: KObject['metadata']): KObject['metadata'] {
  if (metadata.labels) metadata.labels = sharedOf(metadata.labels)
  if (metadata.ownerReferences) metadata.ownerReferences = sharedOf(metadata.ownerReferences)
  return metadata
}

/** A pod without managed fields, whose parts are shared with others like it. */
export const slim = (pod: KObject): KObject => ({ ...pod, metadata: slimMetadata(pod.metadata), spec: slimSpec(pod.spec) })

// In a body's text no string holds any of these: quotes within strings are escaped. Nothing else in a pod bears these names before its own parts do.
const MANAGERS = ',"managedFields":['
const SPEC = ',"spec":{'
const STATUS = '},"status":{'
const NODE = '"nodeName":"'
const [QUOTE, BACKSLASH, BRACKET] = [34, 92, 93]

/** The text without managed fields: the larger part of a pod, and dear to parse. */
function unmanaged(body: string): string {
  const from = body.indexOf(MANAGERS)
  if (from < 0) return body
  // No list is in them: they end with the next bracket that stands in no string.
  let to = from + MANAGERS.length
  for (let quoted = false, c = body.charCodeAt(to); quoted || c !== BRACKET; c = body.charCodeAt(++to)) {
    if (c === QUOTE) quoted = !quoted
    else if (c === BACKSLASH) to++
    else if (Number.isNaN(c)) return body
  }
  return body.slice(0, from) + body.slice(to + 1)
}

function decodeSpec(text: string): object {
  const from = text.indexOf(NODE)
  const to = from < 0 ? 0 : text.indexOf('"', from + NODE.length)
  const nodeName = from < 0 ? undefined : text.slice(from + NODE.length, to)
  const alike = from < 0 ? text : text.slice(0, from) + text.slice(to + 1)
  let common = specs.get(alike)
  if (!common) {
    const { nodeName: _, ...rest } = JSON.parse(text)
    common = slimSpec(rest)
    if (specs.size >= MOST_SPECS) specs.clear()
    specs.set(alike, common)
  }
  return nodeName === undefined ? common : { ...common, nodeName }
}

/** The slim pod of a stored text. Throws SyntaxError for a text that is none. */
export function decodePod(body: string, rv: number): KObject {
  const text = unmanaged(body)
  const from = text.indexOf(SPEC)
  const to = text.indexOf(STATUS, from)
  let pod: KObject
  if (from < 0 || to < 0) pod = slim(JSON.parse(text))
  else {
    const rest = JSON.parse(text.slice(0, from) + text.slice(to + 1))
    pod = { ...rest, metadata: slimMetadata(rest.metadata), spec: decodeSpec(text.slice(from + SPEC.length - 1, to + 1)) }
  }
  pod.metadata.resourceVersion = String(rv)
  return pod
}
