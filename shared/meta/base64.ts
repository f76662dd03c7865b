// Base64, as every platform can: bytes and texts.

/** How many arguments a call may have, everywhere. */
const PIECE = 8192

export function toBase64(bytes: Uint8Array): string {
  let s = ''
  for (let i = 0; i < bytes.length; i += PIECE) s += String.fromCharCode(...bytes.subarray(i, i + PIECE))
  return btoa(s)
}

/** Throws on what is none. */
export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))

export const toBase64Text = (text: string): string => toBase64(new TextEncoder().encode(text))
/** UTF-8; what is none is replaced. Throws on what is no base64. */
export const fromBase64Text = (base64: string): string => new TextDecoder().decode(fromBase64(base64))

/** As RFC 4648 has it for addresses: without padding. */
export const toBase64Url = (bytes: Uint8Array): string => toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
/** UTF-8, of either alphabet. Throws on what is no base64. */
export const fromBase64UrlText = (text: string): string => fromBase64Text(text.replaceAll('-', '+').replaceAll('_', '/'))
