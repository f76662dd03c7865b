// kedge grep: what the pods of a namespace have said, also those that are gone.
import type { LogLine } from '../../shared/logs.ts'
import { err, Failure, kubeCommand, out } from '../kube/command.ts'
import { selectorFlag } from '../kube/objects.ts'

const timeOf = (flag: string, text: string): string => {
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new Failure(`--${flag} is a time as 2026-01-31T12:00:00Z, not ${JSON.stringify(text)}`)
  return new Date(at).toISOString()
}

export const run = kubeCommand(
  {
    name: 'grep',
    usage: '[TEXT] [options]',
    about: `Search what the pods of a namespace have said, on all nodes. Nodes keep what pods said that are gone, for a day and up to 512 MiB where nobody sets it
otherwise (kedge node --log-keep, --log-keep-size).`,
    flags: {
      selector: { ...selectorFlag.selector!, about: 'Selector (label query) of the pods.' },
      pod: { type: 'string', default: '', about: 'One pod alone, by its name.' },
      container: { type: 'string', short: 'c', default: '', about: 'Containers of this name.' },
      since: { type: 'duration', default: '0s', about: 'Lines of the last 5s, 2m, or 3h.' },
      'since-time': { type: 'string', default: '', about: 'Lines from this time on (RFC 3339).' },
      'until-time': { type: 'string', default: '', about: 'Lines until this time (RFC 3339).' },
      limit: { type: 'int', default: 1000, about: 'At most so many lines, the newest.' },
      timestamps: { type: 'bool', default: false, about: 'Include the time of each line.' },
      output: { type: 'string', short: 'o', default: '', about: 'Output format. One of: (json).' },
    },
    examples: `
  # Errors of a workload in the last hour, of whichever pods it had
  kedge grep ERROR -l app=web --since=1h

  # All that a pod said that is gone
  kedge grep --pod web-7d4b9c6f8-x2x7q`,
  },
  async (k) => {
    const { f } = k
    if (k.args.length > 1) throw new Failure('one text at most: give words as one, in quotes')
    if (!['', 'json'].includes(f.output)) throw new Failure(`unknown output format ${JSON.stringify(f.output)}: json is the only one`)
    const since = f['since-time'] ? timeOf('since-time', f['since-time']) : f.since ? new Date(Date.now() - f.since).toISOString() : ''
    const words = {
      text: k.args[0] ?? '',
      labelSelector: f.selector,
      pod: f.pod,
      container: f.container,
      since,
      until: f['until-time'] ? timeOf('until-time', f['until-time']) : '',
      limit: String(f.limit),
    }
    const query = new URLSearchParams(Object.entries(words).filter(([, v]) => v))
    const { nodes, lines } = (await k.client.get(`/kedge/v1/namespaces/${encodeURIComponent(k.namespace)}/logs?${query}`)) as {
      nodes: { asked: number; answered: number }
      lines: LogLine[]
    }
    if (nodes.answered < nodes.asked) err(`${nodes.asked - nodes.answered} of ${nodes.asked} nodes have not answered: there may be more\n`)
    if (f.output === 'json') out(`${JSON.stringify(lines, null, 4)}\n`)
    else for (const l of lines) out(`${f.timestamps ? `${l.time} ` : ''}${l.pod}/${l.container}: ${l.text}\n`)
    return lines.length ? 0 : 1
  },
)
