// How the libraries of functions register what they have.
import type { Environment } from '@marcbachmann/cel-js'

/** Signature → handler; receivers come first. */
export type Functions = Record<string, (...args: any[]) => unknown>

export function addFunctions(env: Environment, functions: Functions): void {
  for (const [signature, handler] of Object.entries(functions)) env.registerFunction(signature, handler as any, { async: false } as any)
}

/** A word before the dot that stands for nothing but its functions: `sets.contains(…)`. */
export function addNamespace(env: Environment, name: string, functions: Functions): void {
  const type = `kubernetes.${name[0]!.toUpperCase()}${name.slice(1)}Functions`
  class Space {}
  env.registerType(type, { ctor: Space as any, fields: {} })
  env.registerConstant(name, type, new Space() as any)
  addFunctions(
    env,
    Object.fromEntries(Object.entries(functions).map(([s, f]) => [`${type}.${s}`, (_: unknown, ...args: any[]) => f(...args)])),
  )
}

/** A type whose values are made and asked by functions alone. */
export function addType(env: Environment, name: string, ctor: new (...args: any[]) => object): void {
  env.registerType(name, { ctor: ctor as any, fields: {} })
  env.registerOperator(`${name} == ${name}`, (a: any, b: any) => a.equals(b))
}
