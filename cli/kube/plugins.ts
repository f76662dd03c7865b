// Programs in PATH that are commands too: kedge-NAME, and kubectl's kubectl-NAME.
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readdirSync } from 'node:fs'
import path from 'node:path'

const folders = () => [...new Set((process.env.PATH ?? '').split(':').filter(Boolean))]
const executable = (file: string): boolean => {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export function plugins(): string[] {
  return folders().flatMap((d) => {
    try {
      return readdirSync(d)
        .filter((n) => /^(kubectl|kedge)-/.test(n))
        .map((n) => path.join(d, n))
        .filter(executable)
    } catch {
      return []
    }
  })
}

/** Runs the plugin with the longest name that fits; undefined when there is none. */
export function runPlugin(argv: string[]): number | undefined {
  const words: string[] = []
  for (const a of argv) {
    if (a.startsWith('-')) break
    words.push(a.replaceAll('-', '_'))
  }
  for (let n = words.length; n > 0; n--)
    for (const prefix of ['kedge', 'kubectl']) {
      const name = `${prefix}-${words.slice(0, n).join('-')}`
      const file = folders()
        .map((d) => path.join(d, name))
        .find(executable)
      if (file) return spawnSync(file, argv.slice(n), { stdio: 'inherit' }).status ?? 1
    }
  return undefined
}
