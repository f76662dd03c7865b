// Runs one invocation by kubectl and by kedge, and says in which lines they part.
import { execFile } from 'node:child_process'
import { launcher } from '../../cli/processes.ts'

export interface Outcome {
  code: number
  out: string
  err: string
}

/** Words as a shell splits them: quotes hold together, a backslash in double quotes keeps what follows. */
export function words(line: string): string[] {
  const out: string[] = []
  let word: string | undefined
  for (let i = 0; i < line.length; i++) {
    const c = line[i]!
    if (c === ' ' && word !== undefined) {
      out.push(word)
      word = undefined
    } else if (c === ' ') continue
    else if ((c === "'" || c === '"') && !/[{[]/.test(word ?? '')) {
      const end = line.indexOf(c, i + 1)
      word = (word ?? '') + line.slice(i + 1, end)
      i = end
    } else word = (word ?? '') + c
  }
  return word === undefined ? out : [...out, word]
}

export function runCommand(file: string, args: string[], kubeconfig: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      file,
      args,
      { env: { ...process.env, KUBECONFIG: kubeconfig, TZ: 'UTC', HOME: '/nonexistent' }, timeout: 90_000, maxBuffer: 64 << 20 },
      (cause, out, err) => resolve({ code: cause ? ((cause as { code?: number }).code ?? 1) : 0, out, err }),
    )
    child.stdin?.end()
  })
}

/** kubectl's words about itself become ours. */
const asOurs = (text: string): string =>
  text
    .replace(/\bkubectl(?=[ '])/g, 'kedge')
    .replace(/\/tmp\/(LIVE|MERGED)-\w+/g, '/tmp/$1')
    .replace(/(, age: )[\dhms.]+/g, '$1AGE')
    .replace(/^(---|\+\+\+) (\/tmp\/\S+)\t.*$/gm, '$1 $2')

/** kubectl walks a Go map here, in another order each time. */
const unordered = /^(label .*--list|logs .*--all-containers|describe (cm|configmap|secret|-f .*settings))\b/

/** From one moment to the next others are in use. */
const measured = (text: string) => text.replace(/\d+(m|Mi|%)/g, 'N$1').replace(/ +/g, ' ')

/** What an invocation printed, as it can be compared. */
export const comparable = (line: string, done: Outcome): Outcome => {
  const out = line.startsWith('top ') ? measured(asOurs(done.out)) : asOurs(done.out)
  return { ...done, out: unordered.test(line) ? out.split('\n').sort().join('\n') : out, err: asOurs(done.err) }
}

const masks: [RegExp, string][] = [
  // How far a rollout is when somebody looks is no matter of the command.
  [/^Waiting for .*\n/gm, ''],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, 'UID'],
  [/resourceVersion: "\d+"/g, 'resourceVersion: RV'],
  [/"?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"?/g, 'TIME'],
  [/\b10\.(96|244)\.\d+\.\d+\b/g, 'IP'],
  [/\b\d+(s|m|h)(\d+s)?\b/g, 'AGE'],
  [/\b(node-debugger-\w+|debugger|kube-api-access)-[a-z0-9]{5}\b/g, '$1-HASH'],
  [/-[a-z0-9]{8,10}(-[a-z0-9]{5})?\b/g, '-HASH'],
  [/ {2,}/g, '  '],
]

/** For what two commands did in two places: names, times and addresses are not theirs to choose. */
export const masked = (text: string, ns: string): string =>
  masks.reduce((t, [from, to]) => t.replace(from, to), text.replaceAll(ns, 'NS')).replace(/[ \t]+$/gm, '')

export function difference(a: Outcome, b: Outcome): string | undefined {
  if (a.code === b.code && a.out === b.out && a.err === b.err) return undefined
  const part = (name: string, x: string, y: string) => {
    if (x === y) return ''
    const [p, q] = [x.split('\n'), y.split('\n')]
    const at = p.findIndex((l, i) => l !== q[i])
    const i = at < 0 ? p.length : at
    return `${name}, line ${i + 1} (of ${p.length} and ${q.length}):\n  kubectl: ${JSON.stringify(p[i] ?? null)}\n  kedge:   ${JSON.stringify(q[i] ?? null)}\n`
  }
  return `${a.code === b.code ? '' : `code ${a.code} and ${b.code}\n`}${part('stdout', a.out, b.out)}${part('stderr', a.err, b.err)}`
}

export const ours = launcher
