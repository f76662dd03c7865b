// Metrics as Prometheus reads them (text format 0.0.4).

export interface Sample {
  labels?: Record<string, string>
  value: number
  /** Milliseconds since 1970; of now where absent. */
  at?: number
  /** Of a histogram: which of its series. */
  part?: 'bucket' | 'sum' | 'count'
}
export interface Family {
  name: string
  help: string
  type: 'counter' | 'gauge' | 'histogram'
  samples: readonly Sample[]
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

// Nearly no value has anything to escape, and there are very many.
const escaped = (text: string) =>
  /[\\\n"]/.test(text) ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"') : text

/** Labels as they stand between braces. */
export function labelPairs(labels: Record<string, string>): string {
  let out = ''
  for (const name in labels) out += `${out ? ',' : ''}${name}="${escaped(labels[name]!)}"`
  return out
}
const labelText = (labels: Record<string, string> = {}): string => {
  const all = labelPairs(labels)
  return all ? `{${all}}` : ''
}

/** Families without samples are left out. */
export const exposition = (families: readonly Family[]): string =>
  families
    .filter((f) => f.samples.length)
    .map(({ name, help, type, samples }) => {
      const lines = samples.map(
        (s) => `${name}${s.part ? `_${s.part}` : ''}${labelText(s.labels)} ${s.value}${s.at === undefined ? '' : ` ${Math.round(s.at)}`}`,
      )
      return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
    })
    .join('')
