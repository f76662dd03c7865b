// Text in columns, as Go's tabwriter aligns it: a column reaches over neighbouring lines that have a cell in it.
import { humanDuration } from '../../shared/meta/duration.ts'

const PADDING = 2

function align(text: string): string {
  const lines = text.split('\n').map((l) => l.split('\t'))
  const out: string[] = []
  const widths: number[] = []
  const write = (from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const cells = lines[i]!
      out.push(cells.map((c, j) => (j < cells.length - 1 && j < widths.length ? c.padEnd(widths[j]!) : c)).join(''))
    }
  }
  const format = (from: number, to: number) => {
    const column = widths.length
    let begin = from
    for (let at = from; at < to; at++) {
      if (column >= lines[at]!.length - 1) continue
      write(begin, at)
      begin = at
      let width = 0
      for (; at < to && column < lines[at]!.length - 1; at++)
        width = Math.max(width, lines[at]![column]!.length ? lines[at]![column]!.length + PADDING : PADDING)
      widths.push(width)
      format(begin, at)
      widths.pop()
      begin = at
    }
    write(begin, to)
  }
  format(0, lines.length)
  return out.join('\n')
}

const INDENT = '  '

export class Writer {
  text = ''
  /** A line at a level; tabs part cells. */
  line(level: number, text = ''): this {
    this.text += `${INDENT.repeat(level)}${text}\n`
    return this
  }
  raw(text: string): this {
    this.text += text
    return this
  }
  toString(): string {
    return align(this.text)
  }
}

export const sortedEntries = (m: Record<string, any> | undefined): [string, any][] =>
  Object.entries(m ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
export const labelsText = (m: Record<string, string> | undefined): string =>
  sortedEntries(m)
    .map(([k, v]) => `${k}=${v}`)
    .join(',') || '<none>'

/** `Labels:` and the like: one entry a line, under each other. */
export function multiline(
  w: Writer,
  level: number,
  title: string,
  m: Record<string, string> | undefined,
  separator = '=',
  skip: string[] = [],
): void {
  const entries = sortedEntries(m).filter(([k]) => !skip.includes(k))
  if (!entries.length) {
    w.line(level, `${title}:\t<none>`)
    return
  }
  for (const [i, [k, v]] of entries.entries()) w.line(level, `${i ? '' : `${title}:`}\t${k}${separator}${v}`)
}

/** Annotations: long or many-lined values go below their key. */
export function annotations(w: Writer, level: number, m: Record<string, string> | undefined, pad = ''): void {
  const entries = sortedEntries(m).filter(([k]) => k !== 'kubectl.kubernetes.io/last-applied-configuration')
  if (!entries.length) {
    w.line(level, `${pad}Annotations:\t<none>`)
    return
  }
  for (const [i, [k, v]] of entries.entries()) {
    const head = i ? '' : `${pad}Annotations:`
    const text = String(v).replace(/\n$/, '')
    if (text.length + k.length + 2 > 140 || text.includes('\n')) {
      w.line(level, `${head}\t${k}:`)
      for (const l of text.split('\n')) w.line(level, `\t  ${l.length > 140 ? `${l.slice(0, 137)}...` : l}`)
    } else w.line(level, `${head}\t${k}: ${text}`)
  }
}

export const since = (time: string | undefined): string => (time ? humanDuration(Date.now() - Date.parse(time)) : '<unknown>')
/** `Sat, 21 Nov 2026 15:00:00 +0000` in the zone of this machine. */
export function rfc1123z(time: string | undefined): string {
  if (!time) return '<nil>'
  const d = new Date(time)
  const offset = -d.getTimezoneOffset()
  const two = (n: number) => String(Math.abs(n)).padStart(2, '0')
  const day = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][d.getDay()]
  const month = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][d.getMonth()]
  return `${day}, ${two(d.getDate())} ${month} ${d.getFullYear()} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())} ${offset < 0 ? '-' : '+'}${two(Math.trunc(offset / 60))}${two(offset % 60)}`
}
