// Encryption at rest: bodies of sealed resources are AES-GCM ciphertext, bound to the object they belong to.
import { fromBase64, toBase64 } from '../../shared/meta/base64.ts'

const PREFIX = 'aesgcm'
/** Before there could be several keys, their names were not written. */
const UNNAMED = `${PREFIX}:`
const NAMED = `${PREFIX}2:`

export interface Seal {
  close(context: string, body: string): Promise<string>
  /** Returns a body that was never sealed as it is, so that encryption can be turned on later. Throws when no key or the wrong context fits. */
  open(context: string, body: string): Promise<string>
  /** How bodies begin that are sealed with the newest key. */
  readonly newest: string
  /** Whether there are older keys, that something may still be sealed with. */
  readonly rotating: boolean
}

interface Key {
  name: string
  key: CryptoKey
}

const encoder = new TextEncoder()

async function load(secret: Uint8Array): Promise<Key> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', secret as BufferSource))
  const name = [...digest.slice(0, 4)].map((b) => b.toString(16).padStart(2, '0')).join('')
  return { name, key: await crypto.subtle.importKey('raw', secret as BufferSource, 'AES-GCM', false, ['encrypt', 'decrypt']) }
}

async function decrypt(key: CryptoKey, context: string, iv: string, text: string): Promise<string> {
  const additionalData = encoder.encode(context)
  return new TextDecoder().decode(
    await crypto.subtle.decrypt({ name: 'AES-GCM', iv: fromBase64(iv), additionalData }, key, fromBase64(text)),
  )
}

/** `secrets` are 32 bytes each from the platform's secret store: what is written is sealed with the first, what is read may be with any. */
export async function createSeal(...secrets: [Uint8Array, ...Uint8Array[]]): Promise<Seal> {
  const keys = await Promise.all(secrets.map(load))
  const [first] = keys as [Key]
  const newest = `${NAMED}${first.name}:`
  return {
    newest,
    rotating: keys.length > 1,
    async close(context, body) {
      const iv = crypto.getRandomValues(new Uint8Array(12))
      const text = await crypto.subtle.encrypt(
        { name: 'AES-GCM', iv, additionalData: encoder.encode(context) },
        first.key,
        encoder.encode(body),
      )
      return `${newest}${toBase64(iv)}:${toBase64(new Uint8Array(text))}`
    },
    async open(context, body) {
      if (body.startsWith(NAMED)) {
        const [name, iv, text] = body.slice(NAMED.length).split(':') as [string, string, string]
        const found = keys.find((k) => k.name === name)
        if (!found) throw new Error(`what is stored was sealed with the key ${name}, which is not among those given`)
        return decrypt(found.key, context, iv, text)
      }
      if (!body.startsWith(UNNAMED)) return body
      const [iv, text] = body.slice(UNNAMED.length).split(':') as [string, string]
      for (const [i, { key }] of keys.entries())
        try {
          return await decrypt(key, context, iv, text)
        } catch (cause) {
          if (i === keys.length - 1) throw cause
        }
      return body
    },
  }
}

/** Whether a stored text is sealed, by whatever key. */
export const isSealed = (text: string): boolean => text.startsWith(UNNAMED) || text.startsWith(NAMED)
