// What the annotations of an ingress ask for, by the names and meanings of ingress-nginx (kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/annotations);
// rewrite-target also by its name and meaning from before, a prefix that is replaced.
// Every value ends in a proxy's configuration: what is not plainly of its kind is left out, and said.
import { parseCidr } from '../meta/address.ts'
import { dnsSubdomain } from '../meta/names.ts'

const PREFIX = 'nginx.ingress.kubernetes.io/'
const OLDER_REWRITE = 'ingress.kubernetes.io/rewrite-target'

type Protocol = 'HTTP' | 'HTTPS' | 'GRPC' | 'GRPCS'

export interface IngressOptions {
  /** What the path becomes, `$1` standing for what the first bracket of the rule's path took. */
  rewrite?: string
  /** What the rule's path, as a prefix, becomes. */
  rewritePrefix?: string
  /** Paths are regular expressions. */
  regex?: true
  /** Where `/` leads to. */
  appRoot?: string
  /** To https, where the host has TLS; always with `force`. */
  sslRedirect: boolean
  forceSslRedirect?: true
  /** In seconds: until a connection stands, and between two signs of life. */
  connectTimeout?: number
  idleTimeout?: number
  /** The longest request, bytes. */
  bodySize?: number
  protocol: Protocol
  /** Who may come, as ranges. */
  sources?: string[]
  /** The cookie by which clients keep their endpoint. */
  cookie?: string
  /** Where everything is sent to. */
  redirect?: { to: string; code: number }
  /** The Host that backends see. */
  host?: string
}

/** A path or a template of one: no white space, quotes, or control characters. */
const PATH = /^\/[!#-&(-[\]-~]*$/
const LOCATION = /^(https?:\/\/[A-Za-z0-9.:[\]-]+)?\/?[!#-&(-[\]-~]*$/
const COOKIE = /^[A-Za-z0-9_.-]{1,64}$/
const SIZE = /^(\d{1,12})([kmg]?)$/i
const UNIT: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }
const PROTOCOLS: readonly string[] = ['HTTP', 'HTTPS', 'GRPC', 'GRPCS']
const LONGEST = 30 * 24 * 3600

export interface OptionsRead {
  options: IngressOptions
  /** What could not be understood, an annotation each. */
  faults: string[]
}

export function optionsOf(ingress: any): OptionsRead {
  const annotations: Record<string, string> = ingress.metadata.annotations ?? {}
  const options: IngressOptions = { sslRedirect: true, protocol: 'HTTP' }
  const faults: string[] = []
  /** The value by its reading; undefined when there is none, or none that can be read. */
  const read = <T>(name: string, reading: (text: string) => T | undefined, key = `${PREFIX}${name}`): T | undefined => {
    const text = annotations[key]?.trim()
    if (text === undefined || text === '') return undefined
    const value = reading(text)
    if (value === undefined) faults.push(`annotation ${key}: ${JSON.stringify(text.slice(0, 100))} is not understood`)
    return value
  }
  const matching = (form: RegExp) => (text: string) => (form.test(text) && text.length <= 2048 ? text : undefined)
  const boolean = (text: string) => (text === 'true' ? true : text === 'false' ? false : undefined)
  const seconds = (text: string) =>
    /^\d{1,8}s?$/.test(text) && Number.parseInt(text, 10) <= LONGEST ? Number.parseInt(text, 10) : undefined
  const set = <K extends keyof IngressOptions>(key: K, value: IngressOptions[K] | undefined) => {
    if (value !== undefined) options[key] = value
  }

  set('rewrite', read('rewrite-target', matching(PATH)))
  set('rewritePrefix', read('', matching(PATH), OLDER_REWRITE))
  if (read('use-regex', boolean) || (options.rewrite && /\$\d/.test(options.rewrite))) options.regex = true
  set('appRoot', read('app-root', matching(PATH)))
  set('sslRedirect', read('ssl-redirect', boolean))
  if (read('force-ssl-redirect', boolean)) options.forceSslRedirect = true
  set('connectTimeout', read('proxy-connect-timeout', seconds))
  const idle = [read('proxy-read-timeout', seconds), read('proxy-send-timeout', seconds)].filter((s) => s !== undefined)
  if (idle.length) options.idleTimeout = Math.max(...idle)
  const bodySize = read('proxy-body-size', (text) => {
    const [, amount, unit] = SIZE.exec(text) ?? []
    return amount === undefined ? undefined : Number(amount) * UNIT[unit!.toLowerCase()]!
  })
  // Zero is no limit.
  if (bodySize) options.bodySize = bodySize
  set(
    'protocol',
    read('backend-protocol', (text) => (PROTOCOLS.includes(text.toUpperCase()) ? (text.toUpperCase() as Protocol) : undefined)),
  )
  const ranges = (text: string) => {
    const all = text.split(',').map((s) => s.trim())
    return all.every((s) => parseCidr(s.includes('/') ? s : `${s}/${s.includes(':') ? 128 : 32}`)) ? all : undefined
  }
  set('sources', read('whitelist-source-range', ranges) ?? read('allowlist-source-range', ranges))
  if (read('affinity', (text) => text === 'cookie' || undefined)) {
    options.cookie = read('session-cookie-name', matching(COOKIE)) ?? 'INGRESSCOOKIE'
  }
  const permanent = read('permanent-redirect', matching(LOCATION))
  const code = read('permanent-redirect-code', (text) => (/^30[1278]$/.test(text) ? Number(text) : undefined))
  const temporary = read('temporal-redirect', matching(LOCATION))
  if (permanent) options.redirect = { to: permanent, code: code ?? 301 }
  else if (temporary) options.redirect = { to: temporary, code: 302 }
  set(
    'host',
    read('upstream-vhost', (text) => (dnsSubdomain(text.replace(/:\d{1,5}$/, '')).length ? undefined : text)),
  )
  return { options, faults }
}

/** Whether it is an expression that means the same to the proxy (PCRE) as it does here. */
export function isPathExpression(path: string): boolean {
  if (/[\s'"\x00-\x1f\x7f]|\(\?(?![:=!])|\\[kpPxuQEGAZz]/.test(path) || path.length > 1024) return false
  try {
    new RegExp(path)
    return true
  } catch {
    return false
  }
}
