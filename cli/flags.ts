// Flags of our commands: declared once, parsed by node:util, shown by --help.
import { parseArgs } from 'node:util'

/** Where the texts of flags begin, less their indent. */
const WIDTH = 30

export interface Flag {
  type: 'string' | 'boolean'
  about: string
  /** What stands for the value in the help, as DIR. */
  value?: string
  multiple?: boolean
  /** One letter. */
  short?: string
  default?: string | boolean
}

export interface Parsed {
  values: Record<string, any>
  positionals: string[]
}

/** Parses, or prints the help and returns undefined. Throws on unknown flags. */
export function parseFlags(command: string, about: string, flags: Record<string, Flag>, args: string[]): Parsed | undefined {
  const options = Object.fromEntries(
    Object.entries({ ...flags, help: { type: 'boolean', about: 'show this help' } as Flag }).map(([name, f]) => [
      name,
      {
        type: f.type,
        ...(f.multiple ? { multiple: true } : {}),
        ...(f.default !== undefined ? { default: f.default } : {}),
        ...(name === 'help' ? { short: 'h' } : f.short ? { short: f.short } : {}),
      },
    ]),
  )
  const { values, positionals } = parseArgs({ args, options: options as never, allowPositionals: true })
  if (!(values as { help?: boolean }).help) return { values, positionals }
  const lines = Object.entries(flags).map(([name, f]) => {
    const left = `${f.short ? `-${f.short}, ` : ''}--${name}${f.type === 'string' ? ` ${f.value ?? 'VALUE'}` : ''}`
    // A flag that leaves no room has its text on the next line.
    const head = left.length < WIDTH ? left.padEnd(WIDTH) : `${left}\n${' '.repeat(WIDTH + 2)}`
    return `  ${head}${f.about}${f.default !== undefined && f.default !== false ? ` (default ${f.default})` : ''}`
  })
  process.stdout.write(`${about}\n\nUsage: kedge ${command} [flags]\n\nFlags:\n${lines.join('\n')}\n`)
  return undefined
}
