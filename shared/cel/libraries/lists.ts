// Lists and sets: Kubernetes' lists library, cel-go's lists and sets extensions.
import type { Environment } from '@marcbachmann/cel-js'
import { Duration } from '@marcbachmann/cel-js/evaluator'
import { spend } from '../budget.ts'
import { celEqual } from '../equality.ts'
import { addFunctions, addNamespace } from './library.ts'

const order = (a: any, b: any): number => (a < b ? -1 : a > b ? 1 : 0)
const touch = (list: unknown[]): void => spend(Math.ceil(list.length / 10))

function most(list: unknown[], sign: 1 | -1, name: string): unknown {
  touch(list)
  if (!list.length) throw new Error(`${name} called on empty list`)
  return list.reduce((a, b) => (order(a, b) * sign < 0 ? b : a))
}

function sorted(list: unknown[]): unknown[] {
  spend(list.length)
  return [...list].sort(order)
}

function distinct(list: unknown[]): unknown[] {
  const out: unknown[] = []
  for (const x of list) if (!out.some((y) => celEqual(x, y))) out.push(x)
  return out
}

function flatten(list: unknown[], depth: bigint): unknown[] {
  if (depth < 0n) throw new Error('level must be non-negative')
  touch(list)
  return list.flat(Number(depth))
}

function slice(list: unknown[], from: bigint, to: bigint): unknown[] {
  if (from < 0n || to < from || Number(to) > list.length) throw new Error(`cannot slice(${from}, ${to}), list is length ${list.length}`)
  return list.slice(Number(from), Number(to))
}

const MAX_RANGE = 100_000
function range(n: bigint): bigint[] {
  if (Number(n) > MAX_RANGE) throw new Error(`range of ${n} is too long`)
  spend(Number(n))
  return Array.from({ length: Math.max(0, Number(n)) }, (_, i) => BigInt(i))
}

const has = (list: unknown[], x: unknown): boolean => list.some((y) => celEqual(x, y))

export function lists(env: Environment): void {
  addFunctions(env, {
    'list<A>.isSorted(): bool': (l: unknown[]) => {
      touch(l)
      return l.every((x, i) => i === 0 || order(l[i - 1], x) <= 0)
    },
    'list<int>.sum(): int': (l: bigint[]) => {
      touch(l)
      return l.reduce((a, b) => a + b, 0n)
    },
    'list<double>.sum(): double': (l: number[]) => {
      touch(l)
      return l.reduce((a, b) => a + b, 0)
    },
    'list<google.protobuf.Duration>.sum(): google.protobuf.Duration': (l: Duration[]) =>
      l.reduce((a, b) => a.addDuration(b), new Duration(0n)),
    'list<A>.min(): A': (l: unknown[]) => most(l, -1, 'min'),
    'list<A>.max(): A': (l: unknown[]) => most(l, 1, 'max'),
    'list<A>.indexOf(A): int': (l: unknown[], x: unknown) => BigInt(l.findIndex((y) => celEqual(x, y))),
    'list<A>.lastIndexOf(A): int': (l: unknown[], x: unknown) => BigInt(l.findLastIndex((y) => celEqual(x, y))),
    'list<A>.slice(int, int): list<A>': slice,
    'list<A>.distinct(): list<A>': distinct,
    'list<A>.sort(): list<A>': sorted,
    'list<A>.reverse(): list<A>': (l: unknown[]) => {
      touch(l)
      return [...l].reverse()
    },
    'list<A>.flatten(): list<dyn>': (l: unknown[]) => flatten(l, 1n),
    'list<A>.flatten(int): list<dyn>': flatten,
  })
  addNamespace(env, 'lists', { 'range(int): list<int>': range })
  addNamespace(env, 'sets', {
    'contains(list<A>, list<A>): bool': (a: unknown[], b: unknown[]) => b.every((x) => has(a, x)),
    'equivalent(list<A>, list<A>): bool': (a: unknown[], b: unknown[]) => a.every((x) => has(b, x)) && b.every((x) => has(a, x)),
    'intersects(list<A>, list<A>): bool': (a: unknown[], b: unknown[]) => a.some((x) => has(b, x)),
  })
}
