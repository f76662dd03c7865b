// JSON objects as Kubernetes' protobuf, for clients that accept nothing else: `k8s\0` and a runtime.Unknown around the message.
import { fromBase64 } from '../meta/base64.ts'
import { nanosOf } from '../meta/duration.ts'
import { type Field, fieldsOf, messageOf, ProtobufError } from './protobuf.ts'

const encoder = new TextEncoder()

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(256)
  #length = 0

  #room(n: number): void {
    if (this.#length + n <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + n))
    larger.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = larger
  }
  varint(value: number | bigint): void {
    this.#room(10)
    if (typeof value === 'number' && value >= 0 && value < 0x80) {
      this.#bytes[this.#length++] = value
      return
    }
    let v = BigInt.asUintN(64, BigInt(value))
    while (v >= 0x80n) {
      this.#bytes[this.#length++] = Number(v & 0x7fn) | 0x80
      v >>= 7n
    }
    this.#bytes[this.#length++] = Number(v)
  }
  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }
  bytes(field: number, value: Uint8Array): void {
    this.varint((field << 3) | 2)
    this.varint(value.length)
    this.raw(value)
  }
  integer(field: number, value: number | bigint): void {
    this.varint(field << 3)
    this.varint(value)
  }
  double(field: number, value: number): void {
    this.varint((field << 3) | 1)
    const eight = new Uint8Array(8)
    new DataView(eight.buffer).setFloat64(0, value, true)
    this.raw(eight)
  }
  done(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }
}

const made = (fill: (w: Writer) => void): Uint8Array => {
  const w = new Writer()
  fill(w)
  return w.done()
}
const text = (s: string): Uint8Array => encoder.encode(s)

function time(value: string, w: Writer): void {
  const ms = Date.parse(value)
  if (Number.isNaN(ms)) throw new ProtobufError(`${JSON.stringify(value)} is no time`)
  const fraction = /\.(\d+)/.exec(value)?.[1] ?? ''
  w.integer(1, Math.floor(ms / 1000))
  if (Number(fraction)) w.integer(2, Number(fraction.padEnd(9, '0').slice(0, 9)))
}

/** What stands inside the bytes of a field of this type. */
function inner(type: string, v: any): Uint8Array {
  switch (type) {
    case 's':
      return text(String(v))
    case 'y':
      return fromBase64(v)
    case 'quantity':
      return made((w) => w.bytes(1, text(String(v))))
    case 'int-or-string':
      return made((w) => {
        w.integer(1, typeof v === 'string' ? 1 : 0)
        w.integer(2, typeof v === 'number' ? v : 0)
        w.bytes(3, text(typeof v === 'string' ? v : ''))
      })
    case 'duration':
      return made((w) => w.integer(1, nanosOf(String(v))))
    case 'time':
    case 'micro-time':
      return made((w) => time(v, w))
    case 'raw':
      return made((w) => w.bytes(1, text(JSON.stringify(v))))
    case 'schema-or-array':
      return made((w) => {
        if (Array.isArray(v)) for (const x of v) w.bytes(2, message('JSONSchemaProps', x))
        else w.bytes(1, message('JSONSchemaProps', v))
      })
    case 'schema-or-bool':
      return made((w) => {
        w.integer(1, v === false ? 0 : 1)
        if (typeof v === 'object') w.bytes(2, message('JSONSchemaProps', v))
      })
    case 'schema-or-strings':
      return made((w) => {
        if (Array.isArray(v)) for (const x of v) w.bytes(2, text(x))
        else w.bytes(1, message('JSONSchemaProps', v))
      })
    default:
      return message(type, v)
  }
}

function put(w: Writer, number: number, type: string, v: any): void {
  if (type === 'i') w.integer(number, v)
  else if (type === 'b') w.integer(number, v ? 1 : 0)
  else if (type === 'd') w.double(number, v)
  else w.bytes(number, inner(type, v))
}

function field(w: Writer, number: number, f: Field, o: any): void {
  if (f.flag === '^') {
    const own = message(f.type, o)
    if (own.length) w.bytes(number, own)
    return
  }
  const v = o[f.name]
  if (v === undefined || v === null) return
  if (f.flag === '*') for (const x of v) put(w, number, f.type, x)
  else if (f.flag === '%')
    // In the order of the keys, so that equal objects are equal bytes.
    for (const k of Object.keys(v).sort())
      w.bytes(
        number,
        made((entry) => {
          entry.bytes(1, text(k))
          put(entry, 2, f.type, v[k])
        }),
      )
  else put(w, number, f.type, v)
}

function message(name: string, o: any): Uint8Array {
  return made((w) => {
    if (name.endsWith('ExtraValue')) {
      for (const x of o) w.bytes(1, text(x))
      return
    }
    for (const [number, f] of fieldsOf(name)) field(w, number, f, o)
  })
}

/** A message by its name, without anything around it. */
export const encodeMessage = (name: string, o: object): Uint8Array => message(name, o)

const MAGIC = new Uint8Array([0x6b, 0x38, 0x73, 0x00])

function body({ apiVersion, kind, ...rest }: any): Uint8Array {
  if (!kind.endsWith('List') || !Array.isArray(rest.items)) return message(messageOf(apiVersion, kind), rest)
  const item = messageOf(apiVersion, kind.slice(0, -4))
  return made((w) => {
    w.bytes(1, message('ListMeta', rest.metadata ?? {}))
    for (const i of rest.items) w.bytes(2, message(item, i))
  })
}

/** A whole answer. Throws ProtobufError for kinds that have no protobuf. */
export function encodeProtobuf(o: any): Uint8Array {
  return made((w) => {
    w.raw(MAGIC)
    w.bytes(
      1,
      made((meta) => {
        meta.bytes(1, text(o.apiVersion))
        meta.bytes(2, text(o.kind))
      }),
    )
    w.bytes(2, body(o))
    w.bytes(3, text(''))
    w.bytes(4, text(''))
  })
}

/** One event of a watch, with its length before it. */
export function encodeWatchEvent(type: string, object: any): Uint8Array {
  const event = made((w) => {
    w.bytes(1, text(type))
    w.bytes(
      2,
      made((raw) => raw.bytes(1, encodeProtobuf(object))),
    )
  })
  const out = new Uint8Array(4 + event.length)
  new DataView(out.buffer).setUint32(0, event.length)
  out.set(event, 4)
  return out
}
