// A git host of one real repository, as far as deploy hooks need one: archives by `git archive`, and the commit statuses that are set.
// A process of its own: tests wait for kubectl in theirs.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from './hosts.ts'
import { freePort, temporaryFolder } from './sqld.ts'

const TOKEN = 'git-host-token'

export interface CommitStatus {
  sha: string
  state: string
  description: string
}

export class GitServer {
  readonly token = TOKEN
  readonly url: string
  readonly #folder = temporaryFolder('git')
  readonly #child: ChildProcess

  private constructor(address: string, port: number) {
    this.url = `http://${address}:${port}`
    this.#git('init', '-q', '-b', 'main')
    this.#child = spawn(process.execPath, ['--no-warnings', fileURLToPath(import.meta.url), this.#folder.path, address, String(port)], {
      stdio: 'inherit',
    })
  }

  static async start(address: string): Promise<GitServer> {
    const s = new GitServer(address, await freePort())
    await eventually('the git host listens', async () => (await fetch(s.url)).status > 0)
    return s
  }

  #git(...args: string[]): string {
    const who = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.com', '-c', 'commit.gpgsign=false']
    return execFileSync('git', [...who, ...args], { cwd: this.#folder.path, encoding: 'utf8' }).trim()
  }

  /** Makes the tree exactly these files; the commit's id. */
  commit(files: Record<string, string>): string {
    this.#git('rm', '-rqf', '--ignore-unmatch', '.')
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(this.#folder.path, name)
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
    this.#git('add', '-A')
    this.#git('commit', '-q', '--allow-empty', '-m', 'A change')
    return this.#git('rev-parse', 'HEAD')
  }

  statuses(): CommitStatus[] {
    const file = path.join(this.#folder.path, '.git/statuses')
    return existsSync(file)
      ? readFileSync(file, 'utf8')
          .trim()
          .split('\n')
          .map((l) => JSON.parse(l))
      : []
  }

  stop(): void {
    this.#child.kill()
    this.#folder.remove()
  }
}

function main(folder: string, address: string, port: number): void {
  const server = createServer((req, res) => {
    if (!(req.headers.authorization ?? '').endsWith(TOKEN)) return void res.writeHead(404).end()
    const archive = /^\/repos\/acme\/web\/tarball\/([0-9a-f]{40})$/.exec(req.url ?? '')
    const status = /^\/repos\/acme\/web\/statuses\/([0-9a-f]{40})$/.exec(req.url ?? '')
    if (archive && req.method === 'GET') {
      const git = spawn('git', ['archive', '--format=tar.gz', `--prefix=acme-web-${archive[1]!.slice(0, 7)}/`, archive[1]!], {
        cwd: folder,
      })
      res.writeHead(200, { 'content-type': 'application/x-gzip' })
      git.stdout.pipe(res)
    } else if (status && req.method === 'POST') {
      let text = ''
      req.on('data', (d) => (text += d))
      req.on('end', () => {
        const file = path.join(folder, '.git/statuses')
        const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
        writeFileSync(file, `${before}${JSON.stringify({ sha: status[1], ...JSON.parse(text) })}\n`)
        res.writeHead(201).end('{}')
      })
    } else res.writeHead(404).end()
  })
  server.listen(port, address)
  process.on('SIGTERM', () => {
    rmSync(folder, { recursive: true, force: true })
    process.exit(0)
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]!, process.argv[3]!, Number(process.argv[4]))
