// What commands that change something have in common: dry runs, field managers, and how the outcome is told.
import { err, Failure, type Kube, out } from './command.ts'
import type { Flags } from './flags.ts'
import { printerFor } from './printers.ts'
import { qualified, type Resource } from './resources.ts'

export const writeFlags: Flags = {
  'dry-run': { type: 'string', default: 'none', alone: 'unchanged', about: 'Must be "none", "server", or "client".' },
  'field-manager': { type: 'string', about: 'Name of the manager used to track field ownership.' },
}
export const validateFlag: Flags = {
  validate: { type: 'string', default: 'strict', alone: 'strict', about: 'Must be one of: strict (or true), warn, ignore (or false).' },
}

export type DryRun = 'none' | 'client' | 'server'

export function dryRunOf(k: Kube): DryRun {
  const value: string = k.f['dry-run'] ?? 'none'
  if (value === 'none' || value === 'client' || value === 'server') return value
  if (value === 'unchanged') {
    err('W --dry-run is deprecated and can be replaced with --dry-run=client.\n')
    return 'client'
  }
  if (/^(true|false)$/.test(value)) throw new Failure(`Invalid dry-run value (${value}). Must be "none", "server", or "client".`)
  throw new Failure(`Invalid dry-run value (${value}). Must be "none", "server", or "client".`)
}

/** The query of a write. */
export function writeQuery(k: Kube, more: Record<string, string> = {}): string {
  const strict: Record<string, string> = { strict: 'Strict', true: 'Strict', warn: 'Warn', ignore: 'Ignore', false: 'Ignore' }
  const validation = k.f.validate === undefined ? undefined : strict[k.f.validate]
  if (k.f.validate !== undefined && !validation)
    throw new Failure(
      `invalid - validate option ${JSON.stringify(k.f.validate)}; must be one of: strict (or true), warn, ignore (or false)`,
    )
  const q = new URLSearchParams({
    ...(dryRunOf(k) === 'server' ? { dryRun: 'All' } : {}),
    fieldManager: k.f['field-manager'] || `kubectl-${k.name.split(' ').at(-1)}`,
    ...(validation ? { fieldValidation: validation } : {}),
    ...more,
  }).toString()
  return q ? `?${q}` : ''
}

export const dryRunSuffix = (k: Kube): string => ({ none: '', client: ' (dry run)', server: ' (server dry run)' })[dryRunOf(k)]

/** `deployment.apps/web created`, or the object in the format that was asked for. */
export class Teller {
  readonly #k: Kube
  readonly #printer
  constructor(k: Kube) {
    this.#k = k
    this.#printer = printerFor(k.f)
  }
  tell(resource: Resource, object: any, operation: string): void {
    if (this.#printer)
      out(
        this.#printer.print({
          apiVersion: resource.group ? `${resource.group}/${resource.version}` : resource.version,
          kind: resource.kind,
          ...object,
        }),
      )
    else out(`${qualified(resource)}/${object.metadata.name} ${operation}${dryRunSuffix(this.#k)}\n`)
  }
}
