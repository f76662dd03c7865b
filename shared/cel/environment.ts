// The language that rules and policies are written in: CEL with what Kubernetes adds to it. Parsing, types and the walk are cel-js's; equality,
// regular expressions, costs and the libraries are ours.
import { Environment } from '@marcbachmann/cel-js'
import { type Exhausted, spend, weight, within } from './budget.ts'
import { celEqual, celIn } from './equality.ts'
import { lists } from './libraries/lists.ts'
import { text } from './libraries/text.ts'
import { values } from './libraries/values.ts'
import { optionalMacros } from './macros.ts'

const MAX_NODES = 20_000
const MAX_DEPTH = 100

let shared: Environment | undefined

/** An environment to declare variables in; what was declared in `base` is there too. */
export function newEnvironment(base?: Environment): Environment {
  if (base) return base.clone()
  if (!shared) {
    shared = new Environment({
      enableOptionalTypes: true,
      // Upstream refuses lists of several types but in what format() prints; here they are lists of anything.
      homogeneousAggregateLiterals: false,
      limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH, maxListElements: 10_000, maxMapEntries: 10_000 },
    })
    for (const add of [text, lists, values, optionalMacros]) add(shared)
  }
  return shared.clone()
}

/** What compiling or running an expression came to grief over. `message` is a line and a pointer into the source when it did not compile. */
export class CelError extends Error {
  /** Ran out of its budget. */
  readonly exhausted: boolean
  /** What was spent until then. */
  readonly cost: number
  constructor(message: string, exhausted = false, cost = 0) {
    super(message)
    this.exhausted = exhausted
    this.cost = cost
  }
}

export interface Program {
  /** CEL's name of the type that the expression has. */
  type: string
  /** Names of the variables that it reads. */
  reads: ReadonlySet<string>
  /** Runs it; throws CelError. `limit` is what it may cost. Returns the value and the cost. */
  run(variables: Record<string, unknown>, limit: number): { value: unknown; cost: number }
}

interface Node {
  op: string
  args: any
  pos?: number
  handle?: unknown
  evaluate: (ev: unknown, node: unknown, ctx: unknown) => unknown
}

const isNode = (x: any): x is Node => typeof x === 'object' && x !== null && typeof x.op === 'string' && typeof x.evaluate === 'function'

function walk(x: any, visit: (n: Node) => void): void {
  if (isNode(x)) {
    visit(x)
    walk(x.args, visit)
  } else if (Array.isArray(x)) for (const y of x) walk(y, visit)
}

/** CEL's own words for what cel-js says in its. */
function reworded(summary: string): string {
  const field = /^No such key: (.*)$/.exec(summary)
  if (field) return `undefined field '${field[1]}'`
  const variable = /^Unknown variable: (.*)$/.exec(summary)
  if (variable) return `undeclared reference to '${variable[1]}' (in container '')`
  return summary.replace(/\bObj\d+\b/g, 'object').replace(/\bre2\(/g, 'matches(')
}

function located(error: any, source: string): string {
  const message = reworded(error.summary ?? String(error.message).split('\n')[0])
  const at: number = error.range?.start ?? 0
  const before = source.slice(0, at).split('\n')
  const [line, column] = [before.length, before.at(-1)!.length]
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${source.split('\n')[line - 1] ?? ''}\n | ${'.'.repeat(column)}^`
}

/** Every node pays when it is evaluated, by what comes out of it. */
function metered(node: Node): void {
  let inner = node.evaluate
  const paid = function (this: unknown, ev: unknown, n: unknown, ctx: unknown): unknown {
    const value = inner.call(node, ev, n, ctx)
    spend(weight(value))
    return value
  }
  // cel-js replaces the method by a quicker one when it first runs.
  Object.defineProperty(node, 'evaluate', {
    get: () => paid,
    set: (faster) => {
      inner = faster
    },
  })
}

/** Reads and checks an expression. Throws CelError; `want` lists the types that it may have. */
export function compile(env: Environment, source: string, want?: readonly string[]): Program {
  let parsed: ReturnType<Environment['parse']>
  try {
    parsed = env.parse(source)
  } catch (error) {
    throw new CelError(located(error, source))
  }
  const reads = new Set<string>()
  walk(parsed.ast, (n) => {
    if (n.op === 'id') reads.add(n.args)
    // The pattern would be the platform's, which some patterns keep busy for ever.
    if ((n.op === 'call' || n.op === 'rcall') && n.args[0] === 'matches') n.args[0] = 're2'
  })
  const checked = parsed.check()
  if (!checked.valid) throw new CelError(located(checked.error, source))
  const type = checked.type ?? 'dyn'
  if (want?.length && type !== 'dyn' && !want.includes(type)) throw new CelError(`must evaluate to ${want.join(' or ')}`)
  walk(parsed.ast, (n) => {
    if (n.op === '==') n.handle = celEqual
    else if (n.op === '!=') n.handle = (a: unknown, b: unknown) => !celEqual(a, b)
    else if (n.op === 'in') n.handle = celIn
    metered(n)
  })
  return {
    type,
    reads,
    run: (variables, limit) => {
      const { value, error, cost } = within(limit, () => parsed(variables))
      if (error === undefined) return { value, cost }
      const known = error as { summary?: string; message: string }
      const exhausted = known.message === ('operation cancelled: actual cost limit exceeded' satisfies Exhausted['message'])
      const message = (known.summary ?? known.message)
        .replace(/^No such key: (?!index)/, 'no such key: ')
        .replace(/^No such key: index/, 'index')
      throw new CelError(message, exhausted, cost)
    },
  }
}
