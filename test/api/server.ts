// A control plane of its own for a suite, with requests by the admin's token.
import { writeFileSync } from 'node:fs'
import { Agent } from 'node:https'
import path from 'node:path'
import { ControlPlane } from '../rig/control-plane.ts'
import { temporaryFolder } from '../rig/sqld.ts'
import { type Ask, ask } from './ask.ts'

export interface Server {
  cp: ControlPlane
  send: Ask
  stop(): Promise<void>
}

export async function startServer(platform: string): Promise<Server> {
  const folder = temporaryFolder('api')
  const file = path.join(folder.path, 'tokens.csv')
  writeFileSync(file, 'admintoken,admin,admin,system:masters\n')
  const cp = await ControlPlane.start('127.0.0.1', ['--token-file', file, '--platform', platform])
  const agent = new Agent({ keepAlive: true, ca: cp.ca })
  return {
    cp,
    send: ask(cp.url, 'admintoken', agent),
    stop: async () => {
      agent.destroy()
      await cp.stop()
      folder.remove()
    },
  }
}
