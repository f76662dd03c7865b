// Objects that `create`, `run` and `expose` make of flags, with the empty fields that kubectl prints of them.

type Json = any

export const meta = (name: string, more: object = {}): Json => ({ creationTimestamp: null, name, ...more })

/** `a=b` pairs of a repeated flag. */
export function pairs(list: string[], what: string): [string, string][] {
  return list.map((entry) => {
    const at = entry.indexOf('=')
    if (at < 1) throw new Error(`invalid ${what} ${entry}, expected key=value`)
    return [entry.slice(0, at), entry.slice(at + 1)]
  })
}

/** A name for the container from its image. */
const containerName = (image: string): string =>
  image
    .split('/')
    .at(-1)!
    .split(/[:@]/)[0]!
    .replaceAll(/[^a-z0-9-]/g, '-')

export function deployment(name: string, images: string[], replicas: number, command: string[], port: number): Json {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta(name, { labels: { app: name } }),
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      strategy: {},
      template: {
        metadata: { creationTimestamp: null, labels: { app: name } },
        spec: {
          containers: images.map((image) => ({
            ...(command.length ? { command } : {}),
            image,
            name: containerName(image),
            ...(port >= 0 ? { ports: [{ containerPort: port }] } : {}),
            resources: {},
          })),
        },
      },
    },
    status: {},
  }
}

const jobSpec = (image: string, name: string, command: string[]): Json => ({
  template: {
    metadata: { creationTimestamp: null },
    spec: { containers: [{ ...(command.length ? { command } : {}), image, name, resources: {} }], restartPolicy: 'Never' },
  },
})

export const job = (name: string, image: string, command: string[]): Json => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: meta(name),
  spec: jobSpec(image, name, command),
  status: {},
})

export const cronJob = (name: string, image: string, schedule: string, command: string[], restart: string): Json => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: meta(name),
  spec: {
    jobTemplate: {
      metadata: meta(name),
      spec: {
        template: {
          metadata: { creationTimestamp: null },
          spec: {
            containers: [{ ...(command.length ? { command } : {}), image, name, resources: {} }],
            restartPolicy: restart || 'OnFailure',
          },
        },
      },
    },
    schedule,
  },
  status: {},
})

/** `80:8080`, or `80`. */
export function servicePort(text: string, nodePort = 0): Json {
  const [port, target] = text.split(':') as [string, string?]
  const n = Number(port)
  if (!Number.isInteger(n) || n < 1 || n > 65535) throw new Error(`the port ${JSON.stringify(port)} is not a number between 1 and 65535`)
  const to = target ?? port
  return {
    name: text.replace(':', '-'),
    ...(nodePort ? { nodePort } : {}),
    port: n,
    protocol: 'TCP',
    targetPort: /^\d+$/.test(to) ? Number(to) : to,
  }
}

export const service = (name: string, type: string, ports: Json[], more: object = {}): Json => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: meta(name, { labels: { app: name } }),
  spec: { ...more, ...(ports.length ? { ports } : {}), selector: { app: name }, type },
  status: { loadBalancer: {} },
})

export const toBase64 = (value: string | Buffer): string => Buffer.from(value).toString('base64')
