// A quick hash for names and tables; nothing that somebody must not guess.

/** FNV-1a, 32 bits, from a basis of one's choice. */
export function hash32(text: string, basis = 0x811c9dc5): number {
  let h = basis
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  return h >>> 0
}
