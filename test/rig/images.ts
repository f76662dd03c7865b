// The images of the tests, made of this machine's Debian packages since there is no registry: busybox, an HTTP echo in three versions, nginx, redis.
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { ROOT, sh } from './hosts.ts'

const NGINX = `user root;
daemon off;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  server { listen 80; root /usr/share/nginx/html; }
}
`

/** A folder that becomes the root file system of an image. */
class Tree {
  readonly path: string
  constructor(name: string) {
    this.path = path.join(ROOT, 'images', name)
    for (const d of ['bin', 'tmp', 'etc']) mkdirSync(path.join(this.path, d), { recursive: true })
    this.file('etc/passwd', 'root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n')
    this.file('etc/group', 'root:x:0:\nnogroup:x:65534:\n')
    copyFileSync('/bin/busybox', path.join(this.path, 'bin/busybox'))
    sh(`for a in $(busybox --list | grep -vxE 'busybox|wget'); do ln -sf busybox ${this.path}/bin/$a; done`)
  }
  file(name: string, text: string, mode = 0o644): void {
    mkdirSync(path.dirname(path.join(this.path, name)), { recursive: true })
    writeFileSync(path.join(this.path, name), text, { mode })
  }
  /** A program of this machine with the libraries that it loads. */
  program(name: string): void {
    const from = sh(`readlink -f "$(command -v ${name})"`).trim()
    copyFileSync(from, path.join(this.path, 'bin', name))
    chmodSync(path.join(this.path, 'bin', name), 0o755)
    for (const library of sh(`ldd ${from} | grep -oE '/[^ ]+'`).trim().split('\n')) {
      mkdirSync(path.join(this.path, path.dirname(library)), { recursive: true })
      copyFileSync(library, path.join(this.path, library))
    }
  }
  archive(suffix = ''): string {
    const file = `${this.path}${suffix}.tar`
    execFileSync('tar', ['-C', this.path, '-cf', file, '.'])
    return file
  }
}

/** One archive for `docker load`: test/busybox, test/web:1 to :3 (tells its host and version), test/nginx, test/redis. */
export function testImages(): string {
  const tar = path.join(ROOT, 'images.tar')
  if (existsSync(tar)) return tar
  const made: { image: string; archive: string; command: string[] }[] = []
  const busybox = new Tree('busybox')
  // Debian's wget, since a static busybox cannot resolve names.
  busybox.program('wget')
  made.push({ image: 'test/busybox:1', archive: busybox.archive(), command: ['sh'] })
  for (const v of [1, 2, 3]) {
    busybox.file('www/.keep', '')
    busybox.file('web', `#!/bin/sh\necho "$HOSTNAME v${v}" > /www/index.html\ntrap "exit 0" TERM\nhttpd -f -p 8080 -h /www & wait\n`, 0o755)
    made.push({ image: `test/web:${v}`, archive: busybox.archive(`-web${v}`), command: ['/web'] })
  }
  const nginx = new Tree('nginx')
  nginx.program('nginx')
  nginx.file('etc/nginx/nginx.conf', NGINX)
  nginx.file('usr/share/nginx/html/index.html', 'nginx\n')
  for (const d of ['var/log/nginx', 'var/lib/nginx', 'usr/share/nginx']) mkdirSync(path.join(nginx.path, d), { recursive: true })
  made.push({ image: 'test/nginx:1', archive: nginx.archive(), command: ['nginx', '-c', '/etc/nginx/nginx.conf'] })
  const redis = new Tree('redis')
  redis.program('redis-server')
  redis.program('redis-cli')
  made.push({ image: 'test/redis:1', archive: redis.archive(), command: ['redis-server', '--protected-mode', 'no', '--dir', '/tmp'] })
  // Any dockerd makes the archive; the first host's will do.
  const first = readdirSync(ROOT).find((d) => existsSync(path.join(ROOT, d, 'run/docker.sock')))!
  const docker = (...args: string[]) =>
    execFileSync('docker', args, { env: { ...process.env, DOCKER_HOST: `unix://${ROOT}/${first}/run/docker.sock` }, stdio: 'pipe' })
  for (const m of made) docker('import', '-c', 'ENV PATH=/bin', '-c', `CMD ${JSON.stringify(m.command)}`, m.archive, m.image)
  docker('save', '-o', tar, ...made.map((m) => m.image))
  return tar
}
