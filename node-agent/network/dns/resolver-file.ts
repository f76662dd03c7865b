// Whom this host asks for names: its resolv.conf, or what systemd-resolved asks in its stead.
import { readFileSync } from 'node:fs'

export interface HostResolver {
  servers: string[]
  search: string[]
  options: string[]
}

const FILE = '/etc/resolv.conf'
const BEHIND_STUB = '/run/systemd/resolve/resolv.conf'
/** Answers on the host's loopback alone, where no pod reaches it. */
const STUBS = ['127.0.0.53', '127.0.0.54']

/** The fields of a resolv.conf. */
function parsed(text: string): HostResolver {
  const fields = (key: string) =>
    text
      .split('\n')
      .map((l) => l.trim().split(/\s+/))
      .filter(([first]) => first === key)
      .map((l) => l.slice(1))
  // Of several search lists the last one counts.
  return {
    servers: fields('nameserver').flatMap((l) => l.slice(0, 1)),
    search: fields('search').at(-1) ?? [],
    options: fields('options').flat(),
  }
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

export function hostResolver(): HostResolver {
  const own = parsed(read(FILE))
  if (!own.servers.length || !own.servers.every((s) => STUBS.includes(s))) return own
  const behind = parsed(read(BEHIND_STUB))
  return behind.servers.length ? behind : own
}
