// The small example of `kedge up`: a web server that tells its pod's name. Its image is made on the spot, since a first cluster may have no registry.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Access } from './kubeconfig.ts'
import { apiRequest } from './request.ts'

const IMAGE = 'kedge/hello:1'
const SCRIPT = 'busybox mkdir -p /www && echo "hello from $HOSTNAME" > /www/index.html && exec busybox httpd -f -p 8080 -h /www'

/** Puts the image into this machine's Docker, unless it is there: Debian's static busybox and a line of shell. */
export function exampleImage(): void {
  if (spawnSync('docker', ['image', 'inspect', IMAGE], { stdio: 'ignore' }).status === 0) return
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-hello-'))
  try {
    mkdirSync(path.join(folder, 'bin'))
    copyFileSync('/bin/busybox', path.join(folder, 'bin/busybox'))
    const tar = spawnSync('tar', ['-C', folder, '-c', '.'], { maxBuffer: 64 * 1024 * 1024 })
    const command = JSON.stringify(['/bin/busybox', 'sh', '-c', SCRIPT])
    const r = spawnSync('docker', ['import', '-c', 'ENV PATH=/bin', '-c', `CMD ${command}`, '-', IMAGE], { input: tar.stdout })
    if (r.status !== 0) throw new Error(`the example's image could not be made: ${r.stderr}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const labels = { app: 'hello' }

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'hello', labels },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [
          {
            name: 'hello',
            image: IMAGE,
            imagePullPolicy: 'IfNotPresent',
            ports: [{ containerPort: 8080 }],
            readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 5 },
          },
        ],
      },
    },
  },
}
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'hello', labels },
  spec: { type: 'NodePort', selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
}

/** Creates what is not there yet. */
export async function example(access: Access): Promise<void> {
  for (const [path, object] of [
    ['/apis/apps/v1/namespaces/default/deployments', deployment],
    ['/api/v1/namespaces/default/services', service],
  ] as const)
    await apiRequest(access, 'POST', path, object).catch((e) => {
      if (e.code !== 409) throw e
    })
}
