// kedge cp: files and folders, through tar in the container.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { err, Failure, type Kube, kubeCommand } from '../kube/command.ts'
import { containerOf, podsOf } from '../kube/pods.ts'
import { stream } from '../kube/streams.ts'

interface Place {
  namespace?: string
  pod?: string
  file: string
}

/** `[[namespace/]pod:]file` */
function placeOf(text: string): Place {
  const at = text.indexOf(':')
  if (at < 0) return { file: text }
  if (at === 0) throw new Failure('filespec must match the canonical format: [[namespace/]pod:]file/path')
  const [a, b] = text.slice(0, at).split('/') as [string, string?]
  return { ...(b === undefined ? { pod: a } : { namespace: a, pod: b }), file: text.slice(at + 1) }
}

export const run = kubeCommand(
  {
    name: 'cp',
    usage: '<file-spec-src> <file-spec-dest> [options]',
    about: 'Copy files and directories to and from containers.',
    flags: {
      container: { type: 'string', short: 'c', about: 'Container name.' },
      'no-preserve': {
        type: 'bool',
        about: "The copied file/directory's ownership and permissions will not be preserved in the container",
      },
      retries: { type: 'int', about: 'Set number of retries to complete a copy operation from a container.' },
    },
  },
  async (k) => {
    if (k.args.length !== 2) throw new Failure('source and destination are required')
    const [from, to] = k.args.map(placeOf) as [Place, Place]
    if (from.pod && to.pod) throw new Failure('one of src or dest must be a local file specification')
    if (!from.pod && !to.pod) throw new Failure('one of src or dest must be a remote file specification')
    if (!from.file || !to.file) throw new Failure('filepath can not be empty')
    if (to.pod) await upload(k, from.file, to)
    else await download(k, from, to.file)
    return 0
  },
)

async function remote(k: Kube, place: Place): Promise<{ at: string; container: string }> {
  if (place.namespace) k.namespace = place.namespace
  const [pod] = await podsOf(k, place.pod!)
  return {
    at: `/api/v1/namespaces/${encodeURIComponent(pod.metadata.namespace)}/pods/${encodeURIComponent(pod.metadata.name)}/exec`,
    container: containerOf(pod, k.f.container, err),
  }
}

const query = (container: string, stdin: boolean, command: string[]) => {
  const q = new URLSearchParams({ container, stdout: 'true', stderr: 'true', ...(stdin ? { stdin: 'true' } : {}) })
  for (const c of command) q.append('command', c)
  return q
}
const quiet = { stdout: () => {}, stderr: () => {}, tty: false }

async function upload(k: Kube, file: string, to: Place): Promise<void> {
  if (!existsSync(file)) throw new Failure(`${file} doesn't exist in local filesystem`)
  const { at, container } = await remote(k, to)
  let target = to.file.replace(/(.)\/+$/, '$1')
  const isFolder = await stream(k.client, `${at}?${query(container, false, ['test', '-d', target])}`, quiet).then(
    () => true,
    () => false,
  )
  if (isFolder) target = path.posix.join(target, path.basename(path.resolve(file)))
  const folder = path.posix.dirname(target)
  // Under its new name in the archive: nothing has to be moved in the container.
  const name = path.posix.basename(target)
  const source = path.resolve(file)
  const args = statSync(source).isDirectory()
    ? ['-C', source, '--transform', `s,^\\.,${name.replaceAll(/[,\\&]/g, '\\$&')},`, '-cf', '-', '.']
    : ['-C', path.dirname(source), '--transform', `s,^.*$,${name.replaceAll(/[,\\&]/g, '\\$&')},`, '-cf', '-', path.basename(source)]
  const tar = spawn('tar', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  // Node throws away what a child has written when it ends before anybody reads: here that waits.
  const packed = tar.stdout.pipe(new PassThrough())
  const unpack = ['tar', ...(k.f['no-preserve'] ? ['--no-same-permissions', '--no-same-owner'] : []), '-xmf', '-', '-C', folder]
  await stream(k.client, `${at}?${query(container, true, unpack)}`, {
    stdin: packed,
    stdout: () => {},
    stderr: (b) => void process.stderr.write(b),
    tty: false,
  })
}

async function download(k: Kube, from: Place, file: string): Promise<void> {
  const { at, container } = await remote(k, from)
  const source = from.file.replace(/(.)\/+$/, '$1')
  const name = path.posix.basename(source)
  const into = existsSync(file) && statSync(file).isDirectory() ? path.join(file, name) : file
  mkdirSync(path.dirname(path.resolve(into)), { recursive: true })
  const rename = `s,^${name.replaceAll(/[.,\\&*[\]^$]/g, '\\$&')},${path.basename(into).replaceAll(/[,\\&]/g, '\\$&')},`
  // Links that lead out are not followed, and absolute names lose their slash: tar's own rules.
  const tar = spawn('tar', ['-C', path.dirname(path.resolve(into)), '--transform', rename, '--no-same-owner', '-xmf', '-'], {
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  const ended = new Promise<number>((r) => tar.on('exit', (code) => r(code ?? 1)))
  await stream(k.client, `${at}?${query(container, false, ['tar', '-C', path.posix.dirname(source), '-cf', '-', name])}`, {
    stdout: (b) => new Promise<void>((r) => (tar.stdin.write(b) ? r() : tar.stdin.once('drain', () => r()))),
    stderr: (b) => void process.stderr.write(b),
    tty: false,
  })
  tar.stdin.end()
  if ((await ended) !== 0) throw new Failure('the archive could not be unpacked')
}
