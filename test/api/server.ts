// A control plane of its own for a suite, with requests by the admin's token.
import { writeFileSync } from 'node:fs'
import { Agent, get } from 'node:https'
import path from 'node:path'
import { ControlPlane } from '../rig/control-plane.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Ask, ask } from './ask.ts'

export interface Server {
  cp: ControlPlane
  /** Where its files are. */
  folder: string
  send: Ask
  /** The lines of an answer that ends by itself, each as JSON. */
  lines(path: string): Promise<any[]>
  stop(): Promise<void>
}

/** `more`: arguments of `kedge serve`; `files` are written beside, and named in them by `{name}`. */
export async function startServer(platform: string, more: string[] = [], files: Record<string, string> = {}): Promise<Server> {
  const folder = temporaryFolder('api')
  const file = path.join(folder.path, 'tokens.csv')
  writeFileSync(file, 'admintoken,admin,admin,system:masters\n')
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder.path, name), text)
  const own = more.map((a) => a.replace(/^\{(.*)\}$/, (_, name) => path.join(folder.path, name)))
  const cp = await ControlPlane.start('127.0.0.1', ['--token-file', file, '--platform', platform, ...own])
  const agent = new Agent({ keepAlive: true, ca: cp.ca })
  return {
    cp,
    folder: folder.path,
    send: ask(cp.url, 'admintoken', agent),
    lines: (path) =>
      new Promise((resolve, reject) => {
        get(`${cp.url}${path}`, { agent, headers: { authorization: 'Bearer admintoken' } }, (res) => {
          const parts: Buffer[] = []
          res.on('data', (d: Buffer) => parts.push(d))
          res.on('end', () =>
            resolve(
              Buffer.concat(parts)
                .toString()
                .split('\n')
                .filter(Boolean)
                .map((l: string) => JSON.parse(l)),
            ),
          )
        }).on('error', reject)
      }),
    stop: async () => {
      agent.destroy()
      await cp.stop()
      folder.remove()
    },
  }
}
