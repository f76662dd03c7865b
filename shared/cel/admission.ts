// Expressions of admission policies and of webhooks' match conditions: what they may speak of, compiled once.
import type { Environment } from '@marcbachmann/cel-js'
import { declareAuthorizer } from './authorizer.ts'
import { type CelError, compile, newEnvironment, type Program } from './environment.ts'
import { withLiterals } from './literals.ts'

export interface Variable {
  name: string
  expression: string
}

export interface Scope {
  params?: boolean
  variables?: Variable[]
}

interface Compiled {
  program?: Program
  fault?: string
}

const MAX_COMPILED = 2000
const compiled = new Map<string, Compiled>()
let plain: Environment | undefined
let withParams: Environment | undefined

function declared(params: boolean): Environment {
  if (!plain) {
    plain = newEnvironment()
    for (const v of ['object', 'oldObject', 'request', 'namespaceObject']) plain.registerVariable(v, 'dyn')
    declareAuthorizer(plain)
  }
  if (!params) return newEnvironment(plain)
  withParams ??= newEnvironment(plain).registerVariable('params', 'dyn')
  return newEnvironment(withParams)
}

/** The value of `variables`: each is worked out when it is first read. */
class Variables {}

function environment({ params = false, variables = [] }: Scope): Environment {
  const env = declared(params)
  const fields: Record<string, string> = {}
  variables.forEach((v, i) => {
    const found = compileAdmission(v.expression, { params, variables: variables.slice(0, i) })
    fields[v.name] = found.program?.type === 'null' ? 'dyn' : (found.program?.type ?? 'dyn')
  })
  env.registerType('kubernetes.Variables', { ctor: Variables as any, fields })
  return env.registerVariable('variables', 'kubernetes.Variables')
}

/** The expression compiled, or why it cannot be. `want` as for any program. */
export function compileAdmission(expression: string, scope: Scope, want?: readonly string[]): Compiled {
  const key = JSON.stringify([expression, scope.params ?? false, scope.variables?.map((v) => [v.name, v.expression]) ?? [], want ?? []])
  const known = compiled.get(key)
  if (known) return known
  let made: Compiled
  try {
    made = { program: compile(environment(scope), withLiterals(expression), want) }
  } catch (e) {
    made = { fault: (e as CelError).message }
  }
  if (compiled.size >= MAX_COMPILED) compiled.delete(compiled.keys().next().value!)
  compiled.set(key, made)
  return made
}

/** `variables` for one evaluation; `read` works out the program of one with what came before it. */
export function variablesValue(list: Variable[], read: (v: Variable, earlier: Variable[]) => unknown): object {
  const out = new Variables()
  list.forEach((v, i) => {
    let done = false
    let value: unknown
    Object.defineProperty(out, v.name, {
      enumerable: true,
      get: () => {
        if (!done) value = read(v, list.slice(0, i))
        done = true
        return value
      },
    })
  })
  return out
}
