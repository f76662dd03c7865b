// Encryption at rest: bodies of sealed resources are AES-GCM ciphertext, bound to the object they belong to.

const PREFIX = 'aesgcm:'

const toBase64 = (bytes: Uint8Array) => {
  let s = ''
  for (let i = 0; i < bytes.length; i += 8192) s += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(s)
}
const fromBase64 = (text: string) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0))

export interface Seal {
  close(context: string, body: string): Promise<string>
  /** Returns a body that was never sealed as it is, so that encryption can be turned on later. Throws when the key or context is wrong. */
  open(context: string, body: string): Promise<string>
}

/** `secret` is 32 bytes from the platform's secret store. */
export async function createSeal(secret: Uint8Array): Promise<Seal> {
  const key = await crypto.subtle.importKey('raw', secret as BufferSource, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const encoder = new TextEncoder()
  return {
    async close(context, body) {
      const iv = crypto.getRandomValues(new Uint8Array(12))
      const text = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: encoder.encode(context) }, key, encoder.encode(body))
      return `${PREFIX}${toBase64(iv)}:${toBase64(new Uint8Array(text))}`
    },
    async open(context, body) {
      if (!body.startsWith(PREFIX)) return body
      const [iv, text] = body.slice(PREFIX.length).split(':') as [string, string]
      const clear = await crypto.subtle.decrypt(
        { name: 'AES-GCM', iv: fromBase64(iv), additionalData: encoder.encode(context) },
        key,
        fromBase64(text),
      )
      return new TextDecoder().decode(clear)
    },
  }
}
