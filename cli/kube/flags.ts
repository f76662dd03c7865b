// Flags as kubectl's library reads them: `-n=x`, `-nx`, `--watch=false`, globals anywhere, `--` ends them; its words for what is wrong.

type FlagType = 'bool' | 'string' | 'int' | 'duration' | 'list' | 'array'

interface KubeFlag {
  type: FlagType
  short?: string
  default?: string | number | boolean
  /** What the flag alone means, where it may stand without a value. */
  alone?: string
  about: string
}
export type Flags = Record<string, KubeFlag>

export interface Parsed {
  /** bool → boolean, int → number, list and array → string[], duration → ms. */
  values: Record<string, any>
  args: string[]
  /** How many arguments stand before `--`; undefined without one. */
  dash?: number
  given: Set<string>
}

export class UsageError extends Error {}

const units: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Go's `1h30m`, as ms; undefined on what is none. */
export function duration(text: string): number | undefined {
  if (/^[-+]?0$/.test(text)) return 0
  const m = /^([-+]?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/.exec(text)
  if (!m) return undefined
  let total = 0
  for (const [, n, unit] of m[2]!.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) total += Number(n) * units[unit!]!
  return m[1] === '-' ? -total : total
}

/** Comma-separated values, in quotes where they hold commas. */
const split = (text: string): string[] =>
  text === ''
    ? []
    : [...text.matchAll(/"((?:[^"]|"")*)"(?:,|$)|([^,]*)(?:,|$)/g)]
        .slice(0, text.endsWith(',') ? undefined : -1)
        .map((m) => m[1]?.replaceAll('""', '"') ?? m[2] ?? '')

function convert(name: string, flag: KubeFlag, value: string): unknown {
  const label = flag.short ? `-${flag.short}, --${name}` : `--${name}`
  const wrong = (why: string) => new UsageError(`invalid argument ${JSON.stringify(value)} for "${label}" flag: ${why}`)
  switch (flag.type) {
    case 'bool':
      if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true
      if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false
      throw wrong(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`)
    case 'int':
      if (!/^[-+]?\d+$/.test(value)) throw wrong(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`)
      return Number(value)
    case 'duration': {
      const ms = duration(value)
      if (ms === undefined)
        throw wrong(
          /^\d+$/.test(value)
            ? `time: missing unit in duration ${JSON.stringify(value)}`
            : `time: invalid duration ${JSON.stringify(value)}`,
        )
      return ms
    }
    case 'list':
      return split(value)
    case 'array':
      return [value]
    default:
      return value
  }
}

const none: Record<FlagType, unknown> = { bool: false, string: '', int: 0, duration: 0, list: [], array: [] }

/** Throws UsageError. */
export function parse(flags: Flags, argv: string[]): Parsed {
  const values: Record<string, any> = {}
  for (const [name, f] of Object.entries(flags))
    values[name] =
      f.default === undefined ? none[f.type] : f.type === 'duration' && typeof f.default === 'string' ? duration(f.default) : f.default
  const byShort = new Map(Object.entries(flags).flatMap(([name, f]) => (f.short ? [[f.short, name] as const] : [])))
  const given = new Set<string>()
  const args: string[] = []
  let dash: number | undefined
  const set = (name: string, value: string) => {
    const flag = flags[name]!
    const v = convert(name, flag, value)
    // Lists given twice add up.
    values[name] = (flag.type === 'list' || flag.type === 'array') && given.has(name) ? [...values[name], ...(v as string[])] : v
    given.add(name)
  }
  const aloneOf = (f: KubeFlag) => (f.type === 'bool' ? 'true' : f.alone)

  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === '--') {
      dash = args.length
      args.push(...argv.slice(i + 1))
      break
    }
    if (arg.startsWith('--')) {
      const [, name, value] = /^--([^=]+)(?:=([\s\S]*))?$/.exec(arg) ?? []
      const flag = name === undefined ? undefined : flags[name]
      if (!flag) throw new UsageError(`unknown flag: ${arg.replace(/=[\s\S]*/, '')}`)
      const alone = aloneOf(flag)
      if (value !== undefined) set(name!, value)
      else if (alone !== undefined) set(name!, alone)
      else if (i + 1 < argv.length) set(name!, argv[++i]!)
      else throw new UsageError(`flag needs an argument: --${name}`)
    } else if (arg.startsWith('-') && arg.length > 1) {
      for (let at = 1; at < arg.length; at++) {
        const name = byShort.get(arg[at]!)
        if (!name) throw new UsageError(`unknown shorthand flag: '${arg[at]}' in ${arg}`)
        const alone = aloneOf(flags[name]!)
        const rest = arg.slice(at + 1)
        if (rest.startsWith('=')) set(name, rest.slice(1))
        else if (alone !== undefined) {
          set(name, alone)
          continue
        } else if (rest) set(name, rest)
        else if (i + 1 < argv.length) set(name, argv[++i]!)
        else throw new UsageError(`flag needs an argument: '${arg[at]}' in ${arg}`)
        break
      }
    } else args.push(arg)
  }
  return { values, args, given, ...(dash !== undefined ? { dash } : {}) }
}

/** Those that every command has. */
export const globals: Flags = {
  kubeconfig: { type: 'string', about: 'Path to the kubeconfig file to use for CLI requests.' },
  context: { type: 'string', about: 'The name of the kubeconfig context to use' },
  cluster: { type: 'string', about: 'The name of the kubeconfig cluster to use' },
  user: { type: 'string', about: 'The name of the kubeconfig user to use' },
  namespace: { type: 'string', short: 'n', about: 'If present, the namespace scope for this CLI request' },
  server: { type: 'string', short: 's', about: 'The address and port of the Kubernetes API server' },
  token: { type: 'string', about: 'Bearer token for authentication to the API server' },
  as: { type: 'string', about: 'Username to impersonate for the operation.' },
  'as-group': { type: 'array', about: 'Group to impersonate for the operation, this flag can be repeated to specify multiple groups.' },
  'as-uid': { type: 'string', about: 'UID to impersonate for the operation.' },
  'certificate-authority': { type: 'string', about: 'Path to a cert file for the certificate authority' },
  'client-certificate': { type: 'string', about: 'Path to a client certificate file for TLS' },
  'client-key': { type: 'string', about: 'Path to a client key file for TLS' },
  'insecure-skip-tls-verify': { type: 'bool', about: "If true, the server's certificate will not be checked for validity." },
  'tls-server-name': { type: 'string', about: 'Server name to use for server certificate validation.' },
  'request-timeout': { type: 'string', default: '0', about: 'The length of time to wait before giving up on a single server request.' },
  'match-server-version': { type: 'bool', about: 'Require server version to match client version' },
  'cache-dir': { type: 'string', about: 'Default cache directory' },
  'warnings-as-errors': { type: 'bool', about: 'Treat warnings received from the server as errors and exit with a non-zero exit code' },
  v: { type: 'int', short: 'v', about: 'number for the log level verbosity' },
}
