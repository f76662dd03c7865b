// Containers through Docker's API: what runs, told by events and not by polling; create, start, stop, images. Nothing here knows of pods beyond labels.

import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { arch } from 'node:os'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { ContainerInspectInfo } from 'dockerode'
import type { Log } from '../log.ts'
import type { Bounds } from '../plan/resize.ts'
import Docker from './dockerode.ts'
import { pauseProgram, tarOf } from './pause.ts'

export const label = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
  type: 'io.kubernetes.docker.type',
  restarts: 'io.kubernetes.container.restartCount',
  instance: 'dev.kedge.instance',
}

export interface Observed {
  id: string
  podUid: string
  podName: string
  podNamespace: string
  /** `POD` for the sandbox. */
  name: string
  sandbox: boolean
  restarts: number
  image: string
  imageId: string
  created: number
  state: 'created' | 'running' | 'exited'
  pid: number
  startedAt?: string
  finishedAt?: string
  exitCode?: number
  oomKilled?: boolean
  error?: string
  /** The file that Docker writes its output to. */
  logPath?: string
  labels: Record<string, string>
  /** What it is bounded by. */
  bounds?: Bounds
}

interface LayerFolders {
  UpperDir?: string
  LowerDir?: string
}

const PAUSE_IMAGE = 'kedge/pause:1'
const RETRY = 500
const MAX_RETRY = 5000
/** How often, and how far apart (ms), it is looked whether a removal that another asked for has come to its end. */
const [MOST_LOOKS, LOOK_EVERY] = [50, 100]
const never = '0001-01-01T00:00:00Z'
const time = (t: string | undefined) => (t && t !== never ? t : undefined)

/** A reference as Docker lists it. */
export const withTag = (ref: string): string => (/[:@][^/]*$/.test(ref) ? ref : `${ref}:latest`)

async function extract(archive: NodeJS.ReadableStream, folder: string): Promise<void> {
  const tar = spawn('tar', ['-x', '-p', '-C', folder], { stdio: ['pipe', 'ignore', 'pipe'] })
  let err = ''
  tar.stderr.on('data', (d) => (err += d))
  const ended = once(tar, 'close')
  await pipeline(archive, tar.stdin)
  const [code] = await ended
  if (code !== 0) throw new Error(`an image could not be unpacked: ${err.trim().slice(0, 500)}`)
}

/** Whether a process id still belongs to the container: ids are reused, cgroups are not. */
function ownsProcess(id: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(id)
  } catch {
    return false
  }
}

function observedOf(i: ContainerInspectInfo): Observed {
  const labels = i.Config.Labels ?? {}
  const s = i.State
  const state = s.Running || s.Paused || s.Restarting ? 'running' : s.Status === 'created' ? 'created' : 'exited'
  return {
    id: i.Id,
    podUid: labels[label.podUid] ?? '',
    podName: labels[label.podName] ?? '',
    podNamespace: labels[label.podNamespace] ?? '',
    name: labels[label.container] ?? '',
    sandbox: labels[label.type] === 'podsandbox',
    restarts: Number(labels[label.restarts] ?? 0),
    image: i.Config.Image,
    imageId: i.Image,
    created: Date.parse(i.Created),
    state,
    pid: s.Pid,
    startedAt: time(s.StartedAt),
    finishedAt: time(s.FinishedAt),
    exitCode: s.ExitCode,
    oomKilled: s.OOMKilled,
    error: s.Error || undefined,
    logPath: i.LogPath || undefined,
    labels,
    bounds: {
      CpuShares: i.HostConfig?.CpuShares ?? 0,
      CpuQuota: i.HostConfig?.CpuQuota ?? 0,
      Memory: i.HostConfig?.Memory ?? 0,
    },
  }
}

/** `changed` (pod uid) tells of every container that came, started, ended or went; `reset` of a whole new look. */
export class Runtime extends EventEmitter<{ changed: [string]; reset: [] }> {
  readonly docker: Docker
  /** Is told of each container before it is removed. */
  removing: (c: Observed) => void = () => {}
  readonly #instance: string
  readonly #log: Log
  readonly containers = new Map<string, Observed>()
  #events?: NodeJS.ReadableStream
  #closed = false
  #info?: Promise<{ DockerRootDir?: string; CgroupDriver?: string }>
  connected = false

  constructor(socketPath: string, instance: string, log: Log) {
    super()
    this.docker = new Docker({ socketPath })
    this.#instance = instance
    this.#log = log
  }

  #filters = () => ({ label: [`${label.instance}=${this.#instance}`] })

  /** Connects and takes a first look; keeps both up when Docker goes away and comes back. */
  async start(): Promise<void> {
    let delay = RETRY
    for (;;) {
      try {
        await this.#listen()
        await this.#ensurePause()
        await this.relist()
        return
      } catch (cause) {
        this.connected = false
        if (this.#closed) return
        this.#log.warn('Docker does not answer; trying again', { cause: (cause as Error).message, in_ms: delay })
        await new Promise((r) => setTimeout(r, delay))
        delay = Math.min(delay * 2, MAX_RETRY)
      }
    }
  }

  async #listen(): Promise<void> {
    // Events first, the list after: nothing falls between them.
    const stream = await this.docker.getEvents({ filters: { type: ['container'], ...this.#filters() } as never })
    this.#events = stream
    let rest = ''
    stream.on('data', (d: Buffer) => {
      rest += d.toString()
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const text = rest.slice(0, end)
        rest = rest.slice(end + 1)
        if (text.trim()) this.#event(JSON.parse(text))
      }
    })
    const lost = () => {
      if (this.#events !== stream || this.#closed) return
      this.#events = undefined
      this.#info = undefined
      this.connected = false
      this.#log.warn('Docker went away')
      void this.start()
    }
    stream.on('end', lost)
    stream.on('close', lost)
    stream.on('error', lost)
  }

  #event(e: { Action?: string; status?: string; id?: string; Actor?: { ID: string } }): void {
    const action = e.Action ?? e.status ?? ''
    const id = e.Actor?.ID ?? e.id
    if (!id) return
    if (action === 'destroy') {
      const known = this.containers.get(id)
      this.containers.delete(id)
      if (known) this.emit('changed', known.podUid)
    } else if (action === 'start' || action === 'die') void this.look(id)
  }

  /** Inspects one container and tells when it changed. */
  async look(id: string): Promise<Observed | undefined> {
    try {
      const o = observedOf(await this.docker.getContainer(id).inspect())
      const before = this.containers.get(id)
      this.containers.set(id, o)
      if (before?.state !== o.state || before?.startedAt !== o.startedAt) this.emit('changed', o.podUid)
      return o
    } catch (cause) {
      if ((cause as { statusCode?: number }).statusCode === 404) {
        const known = this.containers.get(id)
        this.containers.delete(id)
        if (known) this.emit('changed', known.podUid)
      }
      return undefined
    }
  }

  async relist(): Promise<void> {
    const list = await this.docker.listContainers({ all: true, filters: this.#filters() as never })
    const seen = new Set(list.map((c) => c.Id))
    for (const id of [...this.containers.keys()]) if (!seen.has(id)) this.containers.delete(id)
    await Promise.all(list.map((c) => this.look(c.Id)))
    // Only now is it known what runs: before, a running sandbox would look like a lost one.
    this.connected = true
    this.emit('reset')
  }

  ofPod(uid: string): Observed[] {
    return [...this.containers.values()].filter((c) => c.podUid === uid)
  }
  podUids(): Set<string> {
    return new Set([...this.containers.values()].map((c) => c.podUid))
  }

  async #ensurePause(): Promise<void> {
    if (await this.hasImage(PAUSE_IMAGE)) return
    const tar = tarOf('pause', pauseProgram(arch()))
    // `docker import` of an archive made on the spot: a registry is never asked.
    const stream = await this.docker.importImage(Readable.from([tar]), { repo: 'kedge/pause', tag: '1' } as object)
    await new Promise((resolve, reject) => {
      stream.on('end', resolve)
      stream.on('error', reject)
      stream.resume()
    })
  }

  async hasImage(ref: string): Promise<boolean> {
    return this.docker
      .getImage(ref)
      .inspect()
      .then(() => true)
      .catch((e) => {
        if (e?.statusCode === 404) return false
        throw e
      })
  }

  /** Pulls by reference; rejects with the registry's words. */
  async pull(ref: string, auth?: { username: string; password: string; serveraddress: string }): Promise<void> {
    const stream = (await this.docker.pull(withTag(ref), auth ? { authconfig: auth } : {})) as unknown as NodeJS.ReadableStream
    await new Promise<void>((resolve, reject) => {
      this.docker.modem.followProgress(stream, (cause: Error | null) => (cause ? reject(cause) : resolve()))
    })
  }

  /** Gives an image another name instead of the one that it has. */
  async rename(ref: string, other: string): Promise<void> {
    const [, repo, tag] = /^(.+):([^/:]+)$/.exec(withTag(other))!
    await this.docker.getImage(withTag(ref)).tag({ repo: repo!, tag: tag! })
    await this.removeImage(withTag(ref))
  }

  /** The folders that an image is made of, the topmost first; undefined where Docker keeps it in another form. */
  async layersOf(ref: string): Promise<string[] | undefined> {
    const { GraphDriver: driver } = (await this.docker.getImage(ref).inspect()) as { GraphDriver?: { Name: string; Data?: LayerFolders } }
    if (driver?.Name !== 'overlay2' || !driver.Data?.UpperDir) return undefined
    return [driver.Data.UpperDir, ...(driver.Data.LowerDir ?? '').split(':').filter(Boolean)]
  }

  /** Writes what an image holds into a folder. */
  async exportImage(ref: string, folder: string): Promise<void> {
    // A command has to be named, and is never run.
    const c = await this.docker.createContainer({ Image: ref, Cmd: ['/'], NetworkDisabled: true })
    try {
      await extract(await c.export(), folder)
    } finally {
      await c.remove({ force: true, v: true })
    }
  }

  /** With what the container has written (`SizeRw`, bytes), which takes Docker a moment to count. */
  async inspectWithSize(id: string): Promise<ContainerInspectInfo & { SizeRw?: number }> {
    return this.docker.getContainer(id).inspect({ size: true } as object)
  }

  /** What stays as it is while Docker runs: the folder of its disk, and how it makes cgroups. */
  info(): Promise<{ DockerRootDir?: string; CgroupDriver?: string }> {
    this.#info ??= this.docker.info().catch((cause) => {
      this.#info = undefined
      throw cause
    })
    return this.#info!
  }

  /** All images, by the references they have, and the ids of those that some container has: anybody's. */
  async imagesAndUse(): Promise<{ images: { id: string; refs: string[]; size: number }[]; inUse: Set<string> }> {
    const [images, containers] = await Promise.all([this.docker.listImages(), this.docker.listContainers({ all: true })])
    return {
      images: images.map((i) => ({ id: i.Id, refs: [...(i.RepoTags ?? []), ...(i.RepoDigests ?? [])], size: i.Size })),
      inUse: new Set(containers.map((c) => c.ImageID)),
    }
  }

  /** Takes a reference away, and the image with its last one. */
  async removeImage(ref: string): Promise<void> {
    await this.docker.getImage(ref).remove()
  }

  /** Removes containers of ours that have ended: their logs with them. */
  async removeEnded(): Promise<void> {
    for (const c of [...this.containers.values()]) if (!c.sandbox && c.state === 'exited') await this.remove(c.id)
  }

  async create(name: string, options: Docker.ContainerCreateOptions): Promise<string> {
    const c = await this.docker.createContainer({ name, ...options, Labels: { ...options.Labels, [label.instance]: this.#instance } })
    return c.id
  }

  pauseOptions(): { Image: string; Cmd: string[] } {
    return { Image: PAUSE_IMAGE, Cmd: ['/pause'] }
  }

  /** What does not start is known from then on: somebody has to remove it. */
  async startContainer(id: string): Promise<Observed | undefined> {
    try {
      await this.docker.getContainer(id).start()
    } catch (cause) {
      await this.look(id)
      throw cause
    }
    return this.look(id)
  }

  /**
   * Sends a signal; a container that is gone or stopped is no error. The process is signalled directly where it is surely the container's:
   * by Docker's API the same takes some 20 ms longer, which every rollout would wait for.
   */
  async kill(id: string, signal: string): Promise<void> {
    const pid = this.containers.get(id)?.pid
    if (pid && ownsProcess(id, pid)) {
      try {
        process.kill(pid, signal as NodeJS.Signals)
        return
      } catch {
        // Ended this moment, or not ours to signal: Docker knows.
      }
    }
    await this.docker
      .getContainer(id)
      .kill({ signal })
      .catch((e) => {
        if (e?.statusCode !== 404 && e?.statusCode !== 409) throw e
      })
  }

  /** Gives a running container other bounds. Rejects with the kernel's words, as when it has more memory than it may. */
  async resize(id: string, bounds: Bounds): Promise<void> {
    await this.docker.getContainer(id).update(bounds)
    await this.look(id)
  }

  /** Resolves when it is gone. Rejects when it is not: another removal may be under way and come to nothing, on a disk that is full. */
  async remove(id: string): Promise<void> {
    const gone = this.containers.get(id)
    if (gone) this.removing(gone)
    await this.docker
      .getContainer(id)
      .remove({ force: true, v: true })
      .catch((e) => {
        if (e?.statusCode === 409) return this.#removed(id)
        if (e?.statusCode !== 404) throw e
      })
    const known = this.containers.get(id)
    this.containers.delete(id)
    if (known) this.emit('changed', known.podUid)
  }

  async #removed(id: string): Promise<void> {
    const isThere = () =>
      this.docker
        .getContainer(id)
        .inspect()
        .then(
          () => true,
          (e) => e?.statusCode !== 404,
        )
    for (let i = 0; await isThere(); i++) {
      if (i >= MOST_LOOKS) throw new Error(`container ${id.slice(0, 12)} is still being removed`)
      await new Promise((r) => setTimeout(r, LOOK_EVERY))
    }
  }

  close(): void {
    this.#closed = true
    ;(this.#events as unknown as { destroy?: () => void })?.destroy?.()
  }
}
