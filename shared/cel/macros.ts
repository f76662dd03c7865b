// Macros that cel-js lacks: optMap and optFlatMap, and comprehensions over index and value or key and value.
import { type Environment, Optional } from '@marcbachmann/cel-js'
import { addFunctions } from './libraries/library.ts'

const nameOf = (node: any, what: string): string => {
  if (node.op !== 'id') throw new Error(`${what}: argument is not an identifier`)
  return node.args
}

/** `o.optMap(x, f(x))`; flat when the expression makes an optional itself. */
const optional =
  (flat: boolean) =>
  ({ args, receiver }: any) => ({
    typeCheck(checker: any, macro: any, ctx: any) {
      const type = checker.check(receiver, ctx)
      const inner = type.kind === 'optional' ? type.valueType : checker.dynType
      macro.ctx = ctx.forkWithVariable(nameOf(args[0], flat ? 'optFlatMap()' : 'optMap()'), inner)
      const made = checker.check(args[1], macro.ctx)
      return flat ? made : checker.registry.getOptionalType(made)
    },
    evaluate(ev: any, macro: any, ctx: any) {
      const value = ev.run(receiver, ctx)
      if (!value.hasValue()) return Optional.none()
      const made = ev.run(args[1], macro.ctx.reuse(ctx).setIterValue(value.value(), ev))
      return flat ? made : Optional.of(made)
    },
  })

type Fold = (pairs: Iterable<[unknown, unknown]>, each: (key: unknown, value: unknown) => unknown[]) => unknown

function* pairsOf(v: any): Iterable<[unknown, unknown]> {
  if (Array.isArray(v)) for (let i = 0; i < v.length; i++) yield [BigInt(i), v[i]]
  else if (v instanceof Map) yield* v
  else for (const k of Object.keys(v)) yield [k, v[k]]
}

/** A comprehension with two variables; `bodies` of its arguments are expressions in which they stand. */
const twofold =
  (name: string, bodies: number, result: (checker: any, types: any[], key: any) => any, fold: Fold) =>
  ({ args, receiver }: any) => ({
    typeCheck(checker: any, macro: any, ctx: any) {
      const type = checker.check(receiver, ctx)
      const list = type.kind === 'list'
      if (!list && type.kind !== 'map' && type.kind !== 'dyn')
        throw checker.createError(
          'invalid_comprehension_range',
          `Expression of type '${type}' cannot be range of a comprehension`,
          receiver,
        )
      const key = list ? checker.intType : type.kind === 'map' ? type.keyType : checker.dynType
      const outer = ctx.forkWithVariable(nameOf(args[0], `${name}()`), key)
      macro.outer = outer
      macro.inner = outer.forkWithVariable(nameOf(args[1], `${name}()`), type.valueType ?? checker.dynType)
      return result(
        checker,
        args.slice(2, 2 + bodies).map((b: any) => checker.check(b, macro.inner)),
        key,
      )
    },
    evaluate(ev: any, macro: any, ctx: any) {
      const over = ev.run(receiver, ctx)
      return fold(pairsOf(over), (k, v) => {
        const inner = macro.inner.reuse(macro.outer.reuse(ctx).setIterValue(k, ev)).setIterValue(v, ev)
        return args.slice(2, 2 + bodies).map((b: any) => ev.run(b, inner))
      })
    },
  })

const bool = (checker: any): any => checker.boolType
const last = (types: any[]): any => types.at(-1)
const all: Fold = (pairs, each) => {
  for (const [k, v] of pairs) if (!each(k, v)[0]) return false
  return true
}
const count = (pairs: Iterable<[unknown, unknown]>, each: (k: unknown, v: unknown) => unknown[], enough: number): number => {
  let n = 0
  for (const [k, v] of pairs) if (each(k, v)[0] && ++n >= enough) break
  return n
}
const toList: Fold = (pairs, each) => {
  const out: unknown[] = []
  for (const [k, v] of pairs) {
    const made = each(k, v)
    if (made.length === 1 || made[0]) out.push(made.at(-1))
  }
  return out
}
const toMap: Fold = (pairs, each) => {
  const out = new Map<unknown, unknown>()
  for (const [k, v] of pairs) {
    const made = each(k, v)
    if (made.length === 1 || made[0]) out.set(k, made.at(-1))
  }
  return out
}

export function optionalMacros(env: Environment): void {
  addFunctions(env, {
    'optional.optMap(ast, ast): optional<dyn>': optional(false),
    'optional.optFlatMap(ast, ast): optional<dyn>': optional(true),
  })
  const twos: [name: string, bodies: number, result: (c: any, t: any[], key: any) => any, fold: Fold][] = [
    ['all', 1, bool, all],
    ['exists', 1, bool, (p, e) => count(p, e, 1) === 1],
    ['existsOne', 1, bool, (p, e) => count(p, e, 2) === 1],
    ['transformList', 1, (c, t) => c.registry.getListType(last(t)), toList],
    ['transformList', 2, (c, t) => c.registry.getListType(last(t)), toList],
    ['transformMap', 1, (c, t, key) => c.registry.getMapType(key, last(t)), toMap],
    ['transformMap', 2, (c, t, key) => c.registry.getMapType(key, last(t)), toMap],
  ]
  for (const [name, bodies, result, fold] of twos) {
    const signature = `list.${name}(${Array.from({ length: bodies + 2 }, () => 'ast').join(', ')}): dyn`
    addFunctions(env, { [signature]: twofold(name, bodies, result, fold) as any })
  }
}
