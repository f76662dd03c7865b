// kedge port-forward: local ports that lead into a pod. Every connection is a WebSocket of its own.
import { createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type WebSocket from 'ws'
import { err, Failure, type Kube, kubeCommand, out } from '../kube/command.ts'
import { podsOf } from '../kube/pods.ts'
import { pathOf } from '../kube/resources.ts'

/** v5 can say that one side has finished; kube-apiserver knows v4 alone here. */
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
const CLOSE_DATA = Buffer.from([255, 0])
const MAX_BUFFERED = 1 << 20

interface Forwarded {
  /** 0: any that is free. */
  local: number
  remote: number
}

const isPort = (text: string): boolean => /^\d+$/.test(text) && Number(text) <= 65_535

const portNamed = (pod: any, name: string): number | undefined =>
  pod.spec.containers.flatMap((c: any) => c.ports ?? []).find((p: any) => p.name === name)?.containerPort

/** `[LOCAL:]REMOTE`, where a service's port stands for the pod's behind it. Throws with kubectl's words. */
export function portsOf(words: string[], pod: any, service?: any): Forwarded[] {
  return words.map((word) => {
    // Of three parts kubectl takes the first, and so do we.
    const parts = word.split(':')
    const [first, second] = parts.length === 2 ? parts : [parts[0]]
    const remoteWord = second ?? first!
    let remote: number | undefined
    if (service) {
      const port = (service.spec.ports ?? []).find((p: any) => (isPort(remoteWord) ? p.port === Number(remoteWord) : p.name === remoteWord))
      if (!port)
        throw new Failure(
          isPort(remoteWord)
            ? `Service ${service.metadata.name} does not have a service port ${remoteWord}`
            : `Service '${service.metadata.name}' does not have a named port '${remoteWord}'`,
        )
      const target = service.spec.clusterIP === 'None' ? port.port : (port.targetPort ?? port.port)
      remote = typeof target === 'number' ? target : portNamed(pod, target)
      if (remote === undefined) throw new Failure(`Pod '${pod.metadata.name}' does not have a named port '${target}'`)
    } else {
      remote = isPort(remoteWord) ? Number(remoteWord) : portNamed(pod, remoteWord)
      if (remote === undefined) throw new Failure(`Pod '${pod.metadata.name}' does not have a named port '${remoteWord}'`)
    }
    if (remote === 0) throw new Failure(`remote port must be > 0`)
    // A service's own number is what its users know: it stays the local one.
    const own = service && isPort(remoteWord) ? Number(remoteWord) : remote
    if (second !== undefined && first !== '' && !isPort(first!))
      throw new Failure(`error parsing local port '${first}': strconv.ParseUint: parsing ${JSON.stringify(first)}: invalid syntax`)
    return { local: second === undefined ? own : Number(first || 0), remote }
  })
}

/** Joins one connection to the pod; resolves when both are done with it. Rejects with what the node says of the port. */
function join(local: Socket, ws: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    const seen = [0, 0]
    let fault = ''
    local.on('data', (bytes: Buffer) => {
      ws.send(Buffer.concat([Buffer.from([0]), bytes]))
      if (ws.bufferedAmount < MAX_BUFFERED) return
      local.pause()
      const again = setInterval(() => {
        if (ws.bufferedAmount > MAX_BUFFERED / 2 && ws.readyState === ws.OPEN) return
        clearInterval(again)
        local.resume()
      }, 10)
    })
    local.on('end', () => {
      if (ws.protocol === PROTOCOLS[0] && ws.readyState === ws.OPEN) ws.send(CLOSE_DATA)
    })
    local.on('error', () => local.destroy())
    local.on('close', () => ws.close())
    ws.on('message', (data: Buffer) => {
      const channel = data[0]!
      if (channel > 1) return
      // Each channel begins with the two bytes of its port.
      const skip = Math.min(2 - seen[channel]!, data.length - 1)
      seen[channel]! += skip
      const bytes = data.subarray(1 + skip)
      if (!bytes.length) return
      if (channel === 1) fault += bytes
      else if (!local.write(bytes)) {
        ws.pause()
        local.once('drain', () => ws.resume())
      }
    })
    ws.on('close', () => {
      local.end()
      if (fault) reject(new Error(fault))
      else resolve()
    })
    ws.on('error', reject)
  })
}

function listen(k: Kube, address: string, { local, remote }: Forwarded, path: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    const { port } = server.address() as { port: number }
    out(`Handling connection for ${port}\n`)
    k.client
      .socket(`${path}?ports=${remote}`, PROTOCOLS)
      .then((ws) => {
        const done = join(socket, ws)
        socket.resume()
        return done
      })
      .catch((cause) => {
        err(`an error occurred forwarding ${port} -> ${remote}: ${cause.message}\n`)
        socket.destroy()
      })
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(local, address, () => resolve(server))
  })
}

async function runningPod(k: Kube, word: string, timeout: number): Promise<any> {
  for (const end = Date.now() + timeout; ; await sleep(200)) {
    const [pod] = await podsOf(k, word)
    if (pod.status?.phase !== 'Pending' || Date.now() > end) return pod
  }
}

export const run = kubeCommand(
  {
    name: 'port-forward',
    usage: 'TYPE/NAME [options] [LOCAL_PORT:]REMOTE_PORT [...[LOCAL_PORT_N:]REMOTE_PORT_N]',
    about: 'Forward one or more local ports to a pod.',
    examples: `
  # Listen on port 8888 locally, forwarding to 5000 in the pod
  kedge port-forward pod/mypod 8888:5000

  # A random local port, and what the service calls https
  kedge port-forward service/myservice :https`,
    flags: {
      address: {
        type: 'list',
        default: 'localhost',
        about: 'Addresses to listen on (comma separated). Only accepts IP addresses or localhost as a value.',
      },
      'pod-running-timeout': {
        type: 'duration',
        default: '1m0s',
        about: 'The length of time to wait until at least one pod is running',
      },
    },
  },
  async (k) => {
    const [word, ...words] = k.args
    if (!word || !words.length)
      throw new Failure(`TYPE/NAME and list of ports are required for port-forward\nSee 'kedge ${k.name} -h' for help and examples`)
    const [type, name] = word.includes('/') ? (word.split('/') as [string, string]) : ['pods', word]
    const resource = await k.resources.find(type)
    const service = resource.kind === 'Service' ? await k.client.get(pathOf(resource, k.namespace, name)) : undefined
    const pod = await runningPod(k, word, k.f['pod-running-timeout'])
    const ports = portsOf(words, pod, service)
    if (pod.status?.phase !== 'Running')
      throw new Failure(`unable to forward port because pod is not running. Current status=${pod.status?.phase}`)
    const path = `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}/portforward`
    const asked: string[] = [k.f.address].flat()
    const servers: Server[] = []
    for (const p of ports) {
      let chosen = p.local
      const faults: string[] = []
      const here: Server[] = []
      for (const address of asked.flatMap((a) => (a === 'localhost' ? ['127.0.0.1', '::1'] : [a]))) {
        const shown = address.includes(':') ? `[${address}]` : address
        try {
          const server = await listen(k, address, { local: chosen, remote: p.remote }, path)
          here.push(server)
          // The other family listens on the same one.
          chosen = (server.address() as { port: number }).port
          out(`Forwarding from ${shown}:${chosen} -> ${p.remote}\n`)
        } catch (cause) {
          const { code, message } = cause as NodeJS.ErrnoException
          const why = code === 'EADDRINUSE' ? 'bind: address already in use' : message
          faults.push(`unable to create listener: Error listen tcp${address.includes(':') ? 6 : 4} ${shown}:${chosen}: ${why}`)
        }
      }
      if (!here.length) {
        for (const s of servers) s.close()
        err(`Unable to listen on port ${p.local}: Listeners failed to create with the following errors: [${faults.join(' ')}]\n`)
        throw new Failure(`unable to listen on any of the requested ports: [{${p.local} ${p.remote}}]`)
      }
      servers.push(...here)
    }
    await new Promise<void>((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve))
    process.exit(0)
  },
)
