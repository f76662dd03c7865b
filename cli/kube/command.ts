// What kubectl's verbs have in common: flags, a connection, and how errors are told.
import { ApiStatusError, Client } from './client.ts'
import { type Connection, connect } from './config.ts'
import { type Flags, globals, type Parsed, parse, UsageError } from './flags.ts'
import { Resources } from './resources.ts'

/** What a command is given. */
export interface Kube {
  client: Client
  resources: Resources
  connection: Connection
  namespace: string
  /** The flags' values by name. */
  f: Record<string, any>
  args: string[]
  dash: number | undefined
  given: Set<string>
  /** `get`, as messages name it. */
  name: string
}

export interface CommandSpec {
  name: string
  /** One line after the name. */
  usage: string
  about: string
  flags?: Flags
  examples?: string
  /** Needs no server: nothing is read of the kubeconfig. */
  local?: boolean
}

/** Told as it is, without a word before it. */
export class Plain extends Error {
  readonly code: number
  constructor(message: string, code = 1) {
    super(message)
    this.code = code
  }
}

/** Told as `error: …`, with code 1 unless said otherwise. */
export class Failure extends Error {
  readonly code: number
  constructor(message: string, code = 1) {
    super(message)
    this.code = code
  }
}

/** Told as it is, several at once. */
export class Failures extends Error {
  readonly causes: unknown[]
  constructor(causes: unknown[]) {
    super('several')
    this.causes = causes
  }
}

export const out = (text: string): void => void process.stdout.write(text)
export const err = (text: string): void => void process.stderr.write(text)

const usageHint = (name: string) => `See 'kedge ${name} --help' for usage.`

function help(spec: CommandSpec): string {
  const lines = Object.entries(spec.flags ?? {}).map(([name, f]) => {
    const value =
      f.type === 'bool'
        ? (f.default ?? false)
        : f.default !== undefined && f.type !== 'list'
          ? typeof f.default === 'string' && f.type !== 'duration'
            ? `'${f.default}'`
            : f.default
          : f.type === 'list' || f.type === 'array'
            ? '[]'
            : f.type === 'int'
              ? 0
              : f.type === 'duration'
                ? '0s'
                : "''"
    return `    ${f.short ? `-${f.short}, ` : ''}--${name}=${value}:\n\t${f.about}\n`
  })
  return `${spec.about}\n${spec.examples ? `\nExamples:\n${spec.examples.replace(/^\n|\n\s*$/g, '')}\n` : ''}${lines.length ? `\nOptions:\n${lines.join('\n')}` : ''}\nUsage:\n  kedge ${spec.name} ${spec.usage}\n\nUse "kedge options" for a list of global command-line options (applies to all commands).\n`
}

/** A command for the table in main.ts. */
export const kubeCommand =
  (spec: CommandSpec, body: (k: Kube) => Promise<number | undefined>) =>
  async (argv: string[]): Promise<number> => {
    let parsed: Parsed
    const flags = {
      ...globals,
      ...spec.flags,
      help: { type: 'bool', short: spec.flags && Object.values(spec.flags).some((f) => f.short === 'h') ? undefined : 'h', about: '' },
    } as Flags
    try {
      parsed = parse(flags, argv)
      if (parsed.values.help) {
        out(help(spec))
        return 0
      }
      // A flag of the command's own hides the global one of its name: `create rolebinding --user`.
      const connection = spec.local
        ? { server: '', namespace: parsed.values.namespace || 'default', impersonate: {} }
        : connect(Object.fromEntries(Object.entries(parsed.values).filter(([n]) => !(n in (spec.flags ?? {})))))
      const client = new Client(connection)
      const code = await body({
        client,
        resources: new Resources(client),
        connection,
        namespace: connection.namespace,
        f: parsed.values,
        args: parsed.args,
        dash: parsed.dash,
        given: parsed.given,
        name: spec.name,
      })
      return code ?? 0
    } catch (cause) {
      return tell(cause, spec.name)
    }
  }

/** Dispatches to subcommands, as `rollout status`. */
export const kubeGroup =
  (name: string, about: string, commands: Record<string, (argv: string[]) => Promise<number>>) =>
  async (argv: string[]): Promise<number> => {
    const at = argv.findIndex((a) => !a.startsWith('-'))
    const word = at < 0 ? undefined : argv[at]
    const found = word === undefined ? undefined : commands[word]
    if (found) return found([...argv.slice(0, at), ...argv.slice(at + 1)])
    const list = `${about}\n\nAvailable Commands:\n${Object.keys(commands)
      .map((c) => `  ${c}`)
      .join('\n')}\n\nUsage:\n  kedge ${name} SUBCOMMAND [options]\n`
    if (word === undefined) {
      out(list)
      return 0
    }
    err(`error: unknown command ${JSON.stringify(word)}\n${usageHint(name)}\n`)
    return 1
  }

/** An error in kubectl's words. */
export function messageOf(cause: unknown): string {
  if (cause instanceof ApiStatusError) {
    const { status } = cause
    const details = status?.details ?? {}
    if (cause.reason === 'Invalid') {
      const head = details.kind ? `The ${details.kind} ${JSON.stringify(details.name ?? '')} is invalid` : 'The request is invalid'
      const causes = [...new Set((details.causes ?? []).map((c: any) => (c.field ? `${c.field}: ${c.message}` : c.message)))]
      if (!causes.length) return `${head}${status.message ? `: ${status.message}` : ''}`
      return causes.length === 1 ? `${head}: ${causes[0]}` : `${head}: \n${causes.map((c) => `* ${c}`).join('\n')}`
    }
    if (cause.reason === 'Unauthorized' && cause.code === 401)
      return `error: You must be logged in to the server (${status.message === 'Unauthorized' || !status.message ? 'Unauthorized' : status.message})`
    return cause.reason && cause.reason !== 'Unknown'
      ? `Error from server (${cause.reason}): ${status.message}`
      : `Error from server: ${status.message}`
  }
  const message = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof Plain) return message
  return /^(error: |Error in configuration: |The connection to the server|Unable to connect|Error from server|Error: )/.test(message)
    ? message
    : `error: ${message}`
}

function tell(cause: unknown, name: string): number {
  if (cause instanceof Failures) {
    for (const c of cause.causes) err(`${messageOf(c)}\n`)
    return 1
  }
  if (cause instanceof UsageError) {
    err(`Error: ${cause.message}\n${usageHint(name)}\n`)
    return 1
  }
  if (process.env.KEDGE_DEBUG && cause instanceof Error) err(`${cause.stack}\n`)
  const message = messageOf(cause)
  if (message !== 'error: ') err(`${message}\n`)
  return cause instanceof Failure || cause instanceof Plain ? cause.code : 1
}
