// What a Worker's heap holds, by workerd's debugger: what Workers count, unlike the size of the process.
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { WebSocket } from 'ws'
import { boundCommand } from '../../api/platform/workers/bound.ts'
import { workerd } from '../../api/platform/workers/serve.ts'
import { freePort } from '../rig/sqld.ts'

export interface HeapProbe {
  /** For the server that is to be looked at. */
  env: Record<string, string>
  /** Used after a collection, MB. */
  used(): Promise<number>
}

export async function heapProbe(folder: string): Promise<HeapProbe> {
  const port = await freePort()
  const script = path.join(folder, 'workerd-with-debugger.sh')
  writeFileSync(script, `#!/bin/sh\nexec ${boundCommand(workerd()).join(' ')} "$@" --inspector-addr=127.0.0.1:${port}\n`)
  chmodSync(script, 0o755)
  const used = async (): Promise<number> => {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { id: string; webSocketDebuggerUrl: string }[]
    const socket = new WebSocket(targets.find((t) => t.id === 'core:user:kedge')!.webSocketDebuggerUrl)
    await new Promise((r) => socket.once('open', r))
    let id = 0
    const ask = (method: string) =>
      new Promise<any>((resolve) => {
        const mine = ++id
        socket.on('message', (text) => {
          const m = JSON.parse(String(text))
          if (m.id === mine) resolve(m.result)
        })
        socket.send(JSON.stringify({ id: mine, method }))
      })
    await ask('HeapProfiler.enable')
    // workerd does not answer collectGarbage; before a snapshot the heap is collected, too.
    await ask('HeapProfiler.takeHeapSnapshot')
    const { usedSize, backingStorageSize, embedderHeapUsedSize } = await ask('Runtime.getHeapUsage')
    socket.close()
    return (usedSize + backingStorageSize + embedderHeapUsedSize) / 2 ** 20
  }
  return { env: { MINIFLARE_WORKERD_PATH: script }, used }
}
