// DNS messages as bytes, where reading the whole of one would cost too much: the header's fields, and where times to live stand.

export const HEADER = 12
const TYPE_OPT = 41

export const idOf = (m: Buffer): number => m.readUInt16BE(0)
export const isResponse = (m: Buffer): boolean => (m[2]! & 0x80) !== 0
export const isTruncated = (m: Buffer): boolean => (m[2]! & 0x02) !== 0
export const codeOf = (m: Buffer): number => m[3]! & 0x0f

/** The same message under another number. */
export function numbered(m: Buffer, id: number): Buffer {
  const copy = Buffer.from(m)
  copy.writeUInt16BE(id, 0)
  return copy
}

/** Where the name that begins at `at` ends. Throws on what is cut off. */
function afterName(m: Buffer, at: number): number {
  for (;;) {
    const length = m[at]
    if (length === undefined) throw new RangeError('a name is cut off')
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    at += length + 1
  }
}

/** Where the question ends. Throws on what is cut off. */
export const afterQuestion = (m: Buffer): number => afterName(m, HEADER) + 4

const TO_QUESTION = Buffer.from([0xc0, HEADER])

/** The same message with the question's name written once: whoever has it too points to it. */
export function compressed(m: Buffer): Buffer {
  const end = afterQuestion(m)
  const name = m.subarray(HEADER, end - 4)
  const parts: Buffer[] = [m.subarray(0, end)]
  for (let at = end; at < m.length; ) {
    const rest = afterName(m, at)
    const next = rest + 10 + m.readUInt16BE(rest + 8)
    parts.push(m.subarray(at, rest).equals(name) ? TO_QUESTION : m.subarray(at, rest), m.subarray(rest, next))
    at = next
  }
  return Buffer.concat(parts)
}

interface Timing {
  /** Where times to live stand in the message, and what they were. */
  at: { offset: number; ttl: number }[]
  /** How long the message as a whole may be kept, seconds; for one without answers, what its authority says. */
  ttl: number
}

const TYPE_SOA = 6

/** Reads a response's times. Throws on what is cut off. */
export function timing(m: Buffer): Timing {
  const at: Timing['at'] = []
  let ttl = Number.POSITIVE_INFINITY
  let offset = HEADER
  for (let i = m.readUInt16BE(4); i > 0; i--) offset = afterName(m, offset) + 4
  const answers = m.readUInt16BE(6)
  const records = answers + m.readUInt16BE(8) + m.readUInt16BE(10)
  for (let i = 0; i < records; i++) {
    offset = afterName(m, offset)
    const type = m.readUInt16BE(offset)
    const own = m.readUInt32BE(offset + 4)
    const length = m.readUInt16BE(offset + 8)
    const next = offset + 10 + length
    if (next > m.length) throw new RangeError('a record is cut off')
    if (type !== TYPE_OPT) {
      at.push({ offset: offset + 4, ttl: own })
      // What says that there is nothing ends with the least time of the zone.
      const kept = type === TYPE_SOA && !answers ? Math.min(own, m.readUInt32BE(next - 4)) : own
      if (i < answers || (type === TYPE_SOA && !answers)) ttl = Math.min(ttl, kept)
    }
    offset = next
  }
  return { at, ttl: Number.isFinite(ttl) ? ttl : 0 }
}
