// A quick hash for names and tables; nothing that somebody must not guess.

/** FNV-1a, 32 bits, from a basis of one's choice. */
export function hash32(text: string, basis = 0x811c9dc5): number {
  let h = basis
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}

/** The finish of MurmurHash3: every bit of what goes in moves every bit of what comes out. */
function mixed(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** 64 bits as eight bytes. Texts that differ in their last digit alone come to bytes that have nothing in common. */
export function hashBytes(text: string): Uint8Array {
  const a = mixed(hash32(text))
  const b = mixed(hash32(text, a ^ 0x9e3779b9))
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setUint32(0, mixed(a ^ b))
  bytes.setUint32(4, b)
  return new Uint8Array(bytes.buffer)
}
