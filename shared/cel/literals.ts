// `Object{spec: Object.spec{replicas: 3}}` and `JSONPatch{op: "add", …}`: the literals of mutating policies, as the maps that they stand for.

const TYPE = /^(Object(?:\.[A-Za-z_]\w*)*|JSONPatch)\s*\{/
const FIELD = /^(\s*)([A-Za-z_]\w*)(\s*:)/
const STRING = /^[rRbB]{0,2}("""[\s\S]*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')/

/** The expression without literals of types: their fields are keys. Text in quotes stays as it is. */
export function withLiterals(source: string): string {
  if (!source.includes('{')) return source
  let out = ''
  let rest = source
  // Which of the open brackets are literals of a type.
  const open: boolean[] = []
  const take = (n: number) => {
    out += rest.slice(0, n)
    rest = rest.slice(n)
  }
  const field = () => {
    const found = FIELD.exec(rest)
    if (!found) return
    out += `${found[1]}"${unescaped(found[2]!)}"${found[3]}`
    rest = rest.slice(found[0].length)
  }
  while (rest) {
    const string = STRING.exec(rest)
    const type = /[\w.]$/.test(out) ? null : TYPE.exec(rest)
    if (string) take(string[0].length)
    else if (type) {
      out += '{'
      rest = rest.slice(type[0].length)
      open.push(true)
      field()
    } else {
      const c = rest[0]!
      take(1)
      if ('([{'.includes(c)) open.push(false)
      else if (')]}'.includes(c)) open.pop()
      else if (c === ',' && open.at(-1)) field()
    }
  }
  return out
}

/** The property that a field of the language stands for. */
const unescaped = (name: string): string =>
  name
    .replaceAll('__slash__', '/')
    .replaceAll('__dash__', '-')
    .replaceAll('__dot__', '.')
    .replaceAll('__underscores__', '__')
    .replace(/^__(\w+?)__$/, '$1')
