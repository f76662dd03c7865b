// Decodes Kubernetes' protobuf bodies into the JSON that they stand for.
import { pluginMessages } from './plugin-messages.ts'
import { messages } from './protobuf-fields.ts'

/** The bytes are no Kubernetes protobuf, or of a message that is not known here. */
export class ProtobufError extends Error {}

export interface Field {
  name: string
  type: string
  flag: '' | '*' | '%' | '^' | '?'
}

const cache = new Map<string, Map<number, Field>>()

export function fieldsOf(message: string): Map<number, Field> {
  const known = cache.get(message)
  if (known) return known
  const text = messages[message] ?? pluginMessages[message]
  if (text === undefined) throw new ProtobufError(`no message ${message}`)
  const out = new Map<number, Field>()
  for (const part of text ? text.split(', ') : []) {
    const [number, name, type] = part.split(' ') as [string, string, string]
    const flag = /^[*%^?]/.test(type) ? (type[0] as Field['flag']) : ''
    out.set(Number(number), { name, type: flag ? type.slice(1) : type, flag })
  }
  cache.set(message, out)
  return out
}

class Reader {
  readonly #bytes: Uint8Array
  #at: number
  readonly #end: number
  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }
  get done() {
    return this.#at >= this.#end
  }
  varint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      if (this.#at >= this.#end) throw new ProtobufError('unexpected EOF')
      const b = this.#bytes[this.#at++]!
      value |= BigInt(b & 0x7f) << shift
      if (b < 0x80) return BigInt.asIntN(64, value)
    }
    throw new ProtobufError('integer overflow')
  }
  slice(): Uint8Array {
    const n = Number(this.varint())
    if (n < 0 || this.#at + n > this.#end) throw new ProtobufError('unexpected EOF')
    const out = this.#bytes.subarray(this.#at, this.#at + n)
    this.#at += n
    return out
  }
  fixed(n: number): Uint8Array {
    if (this.#at + n > this.#end) throw new ProtobufError('unexpected EOF')
    this.#at += n
    return this.#bytes.subarray(this.#at - n, this.#at)
  }
  /** Field number and value: bigint of varints, bytes of everything else. */
  *fields(): Generator<[number, bigint | Uint8Array]> {
    while (!this.done) {
      const tag = Number(this.varint())
      const wire = tag & 7
      const value =
        wire === 0 ? this.varint() : wire === 2 ? this.slice() : wire === 1 ? this.fixed(8) : wire === 5 ? this.fixed(4) : undefined
      if (value === undefined) throw new ProtobufError(`illegal wire type ${wire}`)
      yield [tag >>> 3, value]
    }
  }
}

const decoder = new TextDecoder()
const MAX_DEPTH = 64

function numbers(bytes: Uint8Array): Map<number, bigint | Uint8Array> {
  return new Map(new Reader(bytes).fields())
}

function time(bytes: Uint8Array, micro: boolean): string | undefined {
  const f = numbers(bytes)
  if (!f.size) return undefined
  const ms = Number(f.get(1) ?? 0n) * 1000
  const nanos = Number(f.get(2) ?? 0n)
  if (Number.isNaN(new Date(ms).getTime())) throw new ProtobufError('time out of range')
  const base = new Date(ms).toISOString().slice(0, 19)
  return micro ? `${base}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${base}Z`
}

const base64 = (bytes: Uint8Array) => {
  let s = ''
  for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(s)
}

function json(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    throw new ProtobufError('embedded JSON cannot be read')
  }
}

function value(type: string, raw: bigint | Uint8Array, depth: number): unknown {
  if (typeof raw === 'bigint') {
    if (type === 'b') return raw !== 0n
    if (type === 'i') return Number(raw)
    throw new ProtobufError(`wrong wire type for ${type}`)
  }
  switch (type) {
    case 's':
      return decoder.decode(raw)
    case 'y':
      return base64(raw)
    case 'd':
      return new DataView(raw.buffer, raw.byteOffset, 8).getFloat64(0, true)
    case 'b':
    case 'i':
      throw new ProtobufError(`wrong wire type for ${type}`)
    case 'quantity': {
      const text = numbers(raw).get(1)
      return text instanceof Uint8Array ? decoder.decode(text) : '0'
    }
    case 'int-or-string': {
      const f = numbers(raw)
      const text = f.get(3)
      return f.get(1) === 1n ? (text instanceof Uint8Array ? decoder.decode(text) : '') : Number(f.get(2) ?? 0n)
    }
    case 'duration':
      return `${Number(numbers(raw).get(1) ?? 0n) / 1e9}s`
    case 'time':
    case 'micro-time':
      return time(raw, type === 'micro-time')
    case 'schema-or-array':
      return schemaOr(raw, depth, (f) => f.get(1), true)
    case 'schema-or-bool':
      return schemaOr(raw, depth, (f) => f.get(2)) ?? numbers(raw).get(1) === 1n
    case 'schema-or-strings':
      return schemaOr(raw, depth, (f) => f.get(1)) ?? [...new Reader(raw).fields()].map(([, v]) => decoder.decode(v as Uint8Array))
    case 'raw': {
      const inner = numbers(raw).get(1)
      return inner instanceof Uint8Array && inner.length ? json(inner) : undefined
    }
    default:
      return message(type, raw, depth + 1)
  }
}

/** A schema of a custom resource where something simpler could stand instead. */
function schemaOr(raw: Uint8Array, depth: number, one: (f: Map<number, bigint | Uint8Array>) => unknown, many = false): unknown {
  const schema = one(numbers(raw))
  if (schema instanceof Uint8Array) return message('JSONSchemaProps', schema, depth + 1)
  if (!many) return undefined
  return [...new Reader(raw).fields()].map(([, v]) => message('JSONSchemaProps', v as Uint8Array, depth + 1))
}

/** Go writes fields that are no pointers even when they are zero; JSON leaves those out. */
const isZero = (v: unknown) => v === '' || v === 0 || v === false || v === undefined

function message(name: string, bytes: Uint8Array, depth: number): any {
  if (depth > MAX_DEPTH) throw new ProtobufError('exceeded max depth')
  if (name.endsWith('ExtraValue')) return [...new Reader(bytes).fields()].map(([, v]) => decoder.decode(v as Uint8Array))
  const fields = fieldsOf(name)
  const out: Record<string, any> = {}
  for (const [number, raw] of new Reader(bytes).fields()) {
    const f = fields.get(number)
    if (!f) continue
    if (f.flag === '*') {
      // Numbers may come packed.
      if (f.type === 'i' && raw instanceof Uint8Array) {
        const r = new Reader(raw)
        const list: number[] = (out[f.name] ??= [])
        while (!r.done) list.push(Number(r.varint()))
      } else (out[f.name] ??= []).push(value(f.type, raw, depth))
    } else if (f.flag === '%') {
      const entry = numbers(raw as Uint8Array)
      const key = decoder.decode((entry.get(1) as Uint8Array) ?? new Uint8Array())
      const v = entry.get(2)
      const decoded = v === undefined ? '' : value(f.type, v, depth)
      Object.defineProperty((out[f.name] ??= {}), key, { value: decoded, enumerable: true, configurable: true, writable: true })
    } else if (f.flag === '^') Object.assign(out, value(f.type, raw, depth))
    else {
      const v = value(f.type, raw, depth)
      if (f.flag === '?' || !isZero(v)) out[f.name] = v
    }
  }
  return out
}

/** The message of a kind: some names are those of several groups. */
export function messageOf(apiVersion: string, kind: string): string {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['core', apiVersion]
  const own = `${group!.split('.')[0]}${version === 'v1' ? '' : version}.${kind}`
  return messages[own] === undefined ? kind : own
}

/** Whether a kind can be written as protobuf. */
export const hasMessage = (apiVersion: string, kind: string): boolean => messages[messageOf(apiVersion, kind)] !== undefined

/** A message by its name, without anything around it. Throws ProtobufError. */
export const decodeMessage = (name: string, bytes: Uint8Array): any => message(name, bytes, 0)

const MAGIC = [0x6b, 0x38, 0x73, 0x00]

/** A whole body (`k8s\0` and runtime.Unknown) as its JSON object, with kind and apiVersion. Throws ProtobufError. */
export function decodeProtobuf(bytes: Uint8Array): any {
  if (bytes.length < 4 || MAGIC.some((b, i) => bytes[i] !== b))
    throw new ProtobufError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  const envelope = numbers(bytes.subarray(4))
  const type = envelope.get(1)
  const raw = envelope.get(2) ?? new Uint8Array()
  if (!(type instanceof Uint8Array) || !(raw instanceof Uint8Array)) throw new ProtobufError('the envelope cannot be read')
  const meta = numbers(type)
  const text = (n: number) => {
    const v = meta.get(n)
    return v instanceof Uint8Array ? decoder.decode(v) : ''
  }
  const kind = text(2)
  return { kind, apiVersion: text(1), ...message(messageOf(text(1), kind), raw, 0) }
}
