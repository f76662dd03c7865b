// Where else images of a registry may be had: the machine's `registries.yaml`, in the form that k3s and RKE2 have for it.
//   mirrors: { docker.io: { endpoint: [https://mirror.example.com/v2/hub] }, "*": { endpoint: [https://cache.example.com] } }
// Whether a mirror is spoken to with TLS is Docker's to know, as of any registry (insecure-registries).
import { readFileSync } from 'node:fs'

const DOCKER = 'docker.io'
/** Whatever registry an image is of. */
const ANY = '*'
const MOST_ENDPOINTS = 10

export type Mirrors = ReadonlyMap<string, readonly string[]>
const NONE: Mirrors = new Map()

/** An image's name, taken apart: `nginx` is `docker.io`, `library/nginx`, and no tail. */
function partsOf(image: string): { registry: string; repository: string; tail: string } {
  const tail = /(:[^/:@]+)?(@.+)?$/.exec(image)![0]
  const [first = '', ...rest] = image.slice(0, image.length - tail.length).split('/')
  const isHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const registry = isHost && first !== 'index.docker.io' ? first : DOCKER
  const path = isHost ? rest : [first, ...rest]
  return { registry, repository: registry === DOCKER && path.length === 1 ? `library/${path[0]}` : path.join('/'), tail }
}

/** `host[:port]/path` of an endpoint's URL; the API's version is no part of it. */
const placeOf = (endpoint: string): string =>
  endpoint
    .replace(/^https?:\/\//, '')
    .replace(/\/+$/, '')
    .replace(/\/v2(?=\/|$)/, '')

/** What an image is called where it may be had instead, in the order of asking. */
export function elsewhere(image: string, mirrors: Mirrors): string[] {
  const { registry, repository, tail } = partsOf(image)
  const places = (mirrors.get(registry) ?? mirrors.get(ANY) ?? []).map(placeOf)
  return [...new Set(places)].filter((p) => p !== registry).map((p) => `${p}/${repository}${tail}`)
}

/** The mirrors of a file; none where there is no file. Throws Error with what cannot be understood. */
export async function readMirrors(file: string): Promise<Mirrors> {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return NONE
  }
  // Few machines have one: others need not bear what reads it.
  const { parse } = await import('yaml')
  const found = parse(text)?.mirrors ?? {}
  const faulty = () => new Error(`${file}: mirrors are written as {"docker.io": {"endpoint": ["https://mirror.example.com"]}}`)
  if (typeof found !== 'object' || Array.isArray(found)) throw faulty()
  return new Map(
    Object.entries<any>(found).map(([registry, of]) => {
      const endpoints = of?.endpoint ?? []
      if (!Array.isArray(endpoints) || !endpoints.every((e) => /^(https?:\/\/)?[^\s/@]+(\/[^\s@]*)?$/.test(String(e)))) throw faulty()
      return [registry, endpoints.slice(0, MOST_ENDPOINTS).map(String)]
    }),
  )
}
