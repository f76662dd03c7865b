// RBAC rules taken apart and put together again, as kubectl lists them: a resource a line, sorted by how a rule reads as text.

interface RuleLine {
  /** `deployments.apps/scale`; empty for URLs. */
  resource: string
  urls: string[]
  names: string[]
  verbs: string[]
}

export function compactRules(rules: any[]): RuleLine[] {
  const lines: (RuleLine & { text: string })[] = []
  const known = new Map<string, { group: string; plain: string; names: string[]; verbs: string[] }>()
  const urls: { url: string; verb: string }[] = []
  for (const r of rules) {
    for (const group of r.apiGroups ?? [])
      for (const plain of r.resources ?? [])
        for (const verb of r.verbs ?? [])
          for (const name of r.resourceNames?.length ? r.resourceNames : [undefined]) {
            const key = `${group}|${plain}|${name ?? ''}`
            const entry = known.get(key)
            if (entry) {
              if (!entry.verbs.includes(verb)) entry.verbs.push(verb)
            } else known.set(key, { group, plain, names: name === undefined ? [] : [name], verbs: [verb] })
          }
    for (const url of r.nonResourceURLs ?? []) for (const verb of r.verbs ?? []) urls.push({ url, verb })
  }
  const text = (verbs: string[], groups: string[], resources: string[], names: string[], paths: string[]) =>
    `&PolicyRule{Verbs:[${verbs.join(' ')}],APIGroups:[${groups.join(' ')}],Resources:[${resources.join(' ')}],ResourceNames:[${names.join(' ')}],NonResourceURLs:[${paths.join(' ')}],}`
  for (const { group, plain, names, verbs } of known.values()) {
    const [base, ...sub] = plain.split('/')
    lines.push({
      resource: `${base}${group ? `.${group}` : ''}${sub.length ? `/${sub.join('/')}` : ''}`,
      urls: [],
      names,
      verbs,
      text: text(verbs, [group], [plain], names, []),
    })
  }
  for (const { url, verb } of urls)
    lines.push({ resource: '', urls: [url], names: [], verbs: [verb], text: text([verb], [], [], [], [url]) })
  return lines.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
}
