// A running `port-forward` of kubectl, in any version, or of our own command; and a talk through it.
import { spawn } from 'node:child_process'
import { connect } from 'node:net'

/** Runs it, hands over the local port, and ends it. Rejects with what it printed when it ends early. */
export async function portForwarded<T>(kubectl: string, kubeconfig: string, args: string[], use: (port: number) => Promise<T>): Promise<T> {
  const child = spawn(kubectl, ['port-forward', ...args], {
    env: { ...process.env, KUBECONFIG: kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let said = ''
      const heard = (d: Buffer) => {
        said += d
        const found = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(said)
        if (found) resolve(Number(found[1]))
      }
      child.stdout.on('data', heard)
      child.stderr.on('data', heard)
      child.once('exit', () => reject(new Error(said)))
    })
    return await use(port)
  } finally {
    child.kill('SIGTERM')
  }
}

/** Says all of it, then hangs up on its side; what the other one says until it does so too. */
export function talk(port: number, what: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port })
    const parts: Buffer[] = []
    socket.on('data', (d: Buffer) => parts.push(d))
    socket.on('end', () => resolve(Buffer.concat(parts)))
    socket.on('error', reject)
    socket.setTimeout(20_000, () => socket.destroy(new Error(`nothing came for 20 s after ${Buffer.concat(parts).length} bytes`)))
    socket.end(what)
  })
}
