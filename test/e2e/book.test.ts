// A book's first steps with Kubernetes, chapter by chapter as its reader would take them: the objects, storage and resources, and delivering changes.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { condition, isReady } from '../../shared/meta/conditions.ts'
import { eventually } from '../rig/hosts.ts'
import { type Stand, standMissing, startStand } from '../rig/stand.ts'

const missing = standMissing()

/** A container of a test image, as one line of YAML; `more` continues it. */
const container = (image: string, more = '', name = 'c') =>
  `{name: ${name}, image: "test/${image}", imagePullPolicy: IfNotPresent${more && `, ${more}`}}`
const shell = (script: string, more = '') => container('busybox:1', `command: [sh, -c, ${JSON.stringify(script)}]${more && `, ${more}`}`)

const controller = (
  kind: 'ReplicationController' | 'ReplicaSet' | 'Deployment',
  name: string,
  replicas: number,
  version: string,
  image: string,
  more = '',
) => `
apiVersion: ${kind === 'ReplicationController' ? 'v1' : 'apps/v1'}
kind: ${kind}
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: ${kind === 'ReplicationController' ? `{project: chapter3, service: web, version: "${version}"}` : `{matchLabels: {project: chapter3, version: "${version}"}}`}
  ${more}
  template:
    metadata: {labels: {project: chapter3, service: web, version: "${version}"}}
    spec: {terminationGracePeriodSeconds: 1, containers: [${container(image, 'ports: [{containerPort: 8080}]')}]}
---`

describe.skipIf(missing)('the book', () => {
  let stand: Stand
  let ns: string
  // What begins with a brace kubectl takes for JSON.
  const k = (args: string, input?: string) => stand.cp.k(`-n ${ns} ${args}`, input === undefined ? {} : { input: `---\n${input}` })
  const json = (args: string) => JSON.parse(k(`${args} -o json`))
  const pods = (selector: string): any[] => json(`get pods -l ${selector}`).items
  const running = (selector: string) => pods(selector).filter((p) => isReady(p) && !p.metadata.deletionTimestamp)
  const becomes = (what: string, is: () => boolean) => eventually(what, is, 90_000)
  const fetched = (url: string, host = 0) => stand.hosts[host]!.try(`wget -q -O - -T 2 -t 1 ${url}`).trim()
  const chapter = (name: string) => {
    ns = name
    stand.cp.k(`create namespace ${name}`)
  }

  beforeAll(async () => {
    stand = await startStand(2)
  })
  afterAll(() => stand?.stop())

  describe('chapter 3, the objects', () => {
    beforeAll(() => chapter('chapter3'))

    test('replication controllers keep a number of pods, and count those that were there before', async () => {
      k('apply -f -', controller('ReplicationController', 'nginx', 2, '0.1', 'web:1'))
      await becomes('two run', () => running('version=0.1').length === 2)
      const own = `{apiVersion: v1, kind: Pod, metadata: {name: our-nginx, labels: {project: chapter3, service: web, version: "0.1"}}, spec: {terminationGracePeriodSeconds: 1, containers: [${container('web:1')}]}}`
      k('apply -f -', own)
      await becomes('one of three has to go', () => pods('version=0.1').length === 2 && running('version=0.1').length === 2)
      k('apply -f -', controller('ReplicationController', 'nginx', 5, '0.1', 'web:1'))
      await becomes('five run', () => running('version=0.1').length === 5)
      const [first] = pods('version=0.1')
      k(`delete pod ${first.metadata.name} --wait=false`)
      await becomes(
        'another takes its place',
        () => running('version=0.1').length === 5 && !running('version=0.1').some((p) => p.metadata.uid === first.metadata.uid),
      )
      k('delete rc nginx --cascade=orphan')
      expect(running('version=0.1')).toHaveLength(5)
      k('delete pods -l version=0.1')
    })

    test('a deployment rolls an image out over its replica sets, and back', async () => {
      const rolling = 'minReadySeconds: 1\n  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}'
      k('apply -f -', controller('Deployment', 'nginx', 2, '0.3', 'web:1', rolling))
      k('rollout status deployment/nginx --timeout=60s')
      k('set image deployment/nginx c=test/web:2')
      k('rollout status deployment/nginx --timeout=60s')
      expect(new Set(running('version=0.3').map((p) => p.spec.containers[0].image))).toEqual(new Set(['test/web:2']))
      expect(
        json('get rs')
          .items.map((r: any) => r.spec.replicas)
          .sort(),
      ).toEqual([0, 2])
      k('rollout undo deployment/nginx')
      k('rollout status deployment/nginx --timeout=60s')
      expect(k('rollout history deployment/nginx')).toMatch(/^2 .*\n3 /m)
      k('delete deployment nginx')
    })

    test('one service in front of two versions, by its address, by variables and by a port of the nodes', async () => {
      const ports = '[{protocol: TCP, port: 80, targetPort: 8080, name: http}]'
      const service = (name: string, type: string) =>
        `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {type: ${type}, selector: {project: chapter3, service: web}, ports: ${ports}}}\n---\n`
      k(
        'apply -f -',
        controller('ReplicationController', 'web-1', 2, '0.1', 'web:1') + controller('ReplicationController', 'web-2', 2, '0.2', 'web:2'),
      )
      k(
        'apply -f -',
        service('nginx-service', 'ClusterIP') + service('nginx-nodeport', 'NodePort') + service('nginx-outside', 'LoadBalancer'),
      )
      await becomes('four run', () => running('service=web').length === 4)
      const versions = (url: string) => new Set(Array.from({ length: 12 }, () => fetched(url).split(' ').at(-1)))
      const { clusterIP } = json('get svc nginx-service').spec
      const both = (url: string) => becomes(`${url} reaches both`, () => ['v1', 'v2'].every((v) => versions(url).has(v)))
      await both(`http://${clusterIP}/`)
      await both(`http://${stand.hosts[1]!.ip}:${json('get svc nginx-nodeport').spec.ports[0].nodePort}/`)
      // A load balancer's address is that of the nodes; each answers at its own.
      await becomes('it has addresses', () => json('get svc nginx-outside').status.loadBalancer.ingress?.length === 2)
      for (const { ip } of json('get svc nginx-outside').status.loadBalancer.ingress) await both(`http://${ip}/`)
      const asks = 'while :; do wget -q -O - http://$NGINX_SERVICE_SERVICE_HOST:$NGINX_SERVICE_SERVICE_PORT/; sleep 1; done'
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: asker}, spec: {terminationGracePeriodSeconds: 1, containers: [${shell(asks)}]}}`,
      )
      await becomes('a pod finds it', () => /v[12]/.test(k('logs asker')))
      k('delete pod asker')
    })

    test('only those may use a load balancer whom its ranges name', async () => {
      const { ip } = json('get svc nginx-outside').status.loadBalancer.ingress[0]
      const ranges = (list: string[]) =>
        k(`patch svc nginx-outside --type=merge -p |${JSON.stringify({ spec: { loadBalancerSourceRanges: list } })}|`)
      const answers = () => /v[12]/.test(fetched(`http://${ip}/`, 1))
      ranges(['192.0.2.0/24'])
      await becomes('it is closed', () => !answers())
      ranges(['192.0.2.0/24', '10.88.0.0/24'])
      await becomes('it is open again', answers)
      k('delete svc nginx-outside nginx-nodeport nginx-service')
      k('delete rc web-1 web-2')
    })

    test('a service without a selector leads where its endpoints say', async () => {
      const [first] = stand.hosts
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: outside}, spec: {hostNetwork: true, terminationGracePeriodSeconds: 1, nodeName: ${first!.name}, containers: [${container('web:3')}]}}`,
      )
      k('wait pod/outside --for=condition=Ready --timeout=60s')
      k('apply -f -', '{apiVersion: v1, kind: Service, metadata: {name: proxy}, spec: {ports: [{port: 80, targetPort: 8080}]}}')
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Endpoints, metadata: {name: proxy}, subsets: [{addresses: [{ip: ${first!.ip}}], ports: [{port: 8080}]}]}`,
      )
      const { clusterIP } = json('get svc proxy').spec
      await becomes('it answers', () => fetched(`http://${clusterIP}/`, 1).endsWith('v3'))
      k('delete pod outside')
    })

    test('configuration and secrets come as variables and as files', async () => {
      k('create configmap example --from-literal=database.properties=endpoint=db.example.com')
      k('create secret generic mypassword --from-literal=mypassword=mypassw0rd')
      const env =
        'env: [{name: ENDPOINT, valueFrom: {configMapKeyRef: {name: example, key: database.properties}}}, {name: MY_PASSWORD, valueFrom: {secretKeyRef: {name: mypassword, key: mypassword}}}]'
      const mounts = 'volumeMounts: [{name: config, mountPath: /config}, {name: secret, mountPath: /secret, readOnly: true}]'
      const volumes =
        'volumes: [{name: config, configMap: {name: example}}, {name: secret, secret: {secretName: mypassword, items: [{key: mypassword, path: password-example}]}}]'
      const tells = shell(
        'echo $ENDPOINT $MY_PASSWORD $(cat /config/database.properties) $(cat /secret/password-example)',
        `${env}, ${mounts}`,
      )
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: reader}, spec: {restartPolicy: Never, containers: [${tells}], ${volumes}}}`,
      )
      k('wait pod/reader --for=jsonpath={.status.phase}=Succeeded --timeout=60s')
      expect(k('logs reader').trim()).toBe('endpoint=db.example.com mypassw0rd endpoint=db.example.com mypassw0rd')
    })

    test('the kiosk: tiers that find each other, each scaled by itself', async () => {
      const tier = (name: string, replicas: number, c: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {tier: ${name}}}
  template:
    metadata: {labels: {tier: ${name}}}
    spec: {terminationGracePeriodSeconds: 1, containers: [${c}]}
---`
      k(
        'apply -f -',
        '{apiVersion: v1, kind: Service, metadata: {name: lcredis-service}, spec: {selector: {tier: cache}, ports: [{port: 6379}]}}',
      )
      k(
        'apply -f -',
        tier(
          'cache',
          1,
          container(
            'redis:1',
            'command: [redis-server, --protected-mode, "no"], readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}',
          ),
        ),
      )
      k('rollout status deployment/cache --timeout=60s')
      const visits =
        'while :; do redis-cli -h $LCREDIS_SERVICE_SERVICE_HOST incr visits; redis-cli -h $LCREDIS_SERVICE_SERVICE_HOST sadd seen $(hostname); sleep 0.2; done'
      k('apply -f -', tier('frontend', 5, container('redis:1', `command: [sh, -c, ${JSON.stringify(visits)}]`)))
      k('rollout status deployment/frontend --timeout=60s')
      const seen = () => Number(k('exec deploy/cache -- redis-cli scard seen').trim())
      await becomes('all five were there', () => seen() === 5)
      k('scale deployment frontend --replicas=7')
      await becomes('and two more', () => seen() === 7)
    })
  })

  describe('chapter 4, storage and resources', () => {
    beforeAll(() => chapter('chapter4'))

    test('two containers of a pod share a folder for as long as the pod lives', async () => {
      const writes = `{name: writer, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [sh, -c, "i=0; while :; do echo line $i >> /log/app.log; i=$((i+1)); sleep 0.2; done"], volumeMounts: [{name: log, mountPath: /log}]}`
      const reads = `{name: reader, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [sh, -c, "tail -F /mnt/app.log"], volumeMounts: [{name: log, mountPath: /mnt}]}`
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: shares}, spec: {terminationGracePeriodSeconds: 1, containers: [${writes}, ${reads}], volumes: [{name: log, emptyDir: {}}]}}`,
      )
      await becomes('one reads what the other writes', () => k('logs shares -c reader').includes('line 3'))
      k('delete pod shares')
    })

    const withClaim = (name: string, claim: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {run: ${name}}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {run: ${name}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [${shell('echo $(hostname) >> /data/hosts; sleep 3600', 'volumeMounts: [{name: data, mountPath: /data}]')}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: ${claim}}}]
`
    const keeps = async (name: string) => {
      k('apply -f -', withClaim(name, name))
      const lines = () => k(`exec deploy/${name} -- cat /data/hosts`).trim().split('\n').length
      await becomes('it wrote', () => running(`run=${name}`).length === 1 && lines() === 1)
      k(`delete pod -l run=${name}`)
      await becomes('another goes on with its data', () => running(`run=${name}`).length === 1 && lines() === 2)
    }

    test('a claim takes a volume that somebody made, and the data outlives the pod', async () => {
      k(
        'apply -f -',
        '{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-1}, spec: {capacity: {storage: 10Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /var/log/pv-1}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [h2]}]}]}}}}',
      )
      k(
        'apply -f -',
        '{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: by-hand}, spec: {storageClassName: "", accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}}',
      )
      await becomes('it is bound', () => json('get pvc by-hand').status.phase === 'Bound')
      expect(json('get pvc by-hand').spec.volumeName).toBe('pv-1')
      await keeps('by-hand')
    })

    test('a claim of the default class gets a volume made for it, which goes with the claim', async () => {
      k(
        'apply -f -',
        '{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: made}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}',
      )
      await keeps('made')
      const { volumeName } = json('get pvc made').spec
      const { spec } = json(`get pv ${volumeName}`)
      const host = stand.hosts.find((h) => h.name === spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0])!
      expect(host.run(`cat ${spec.local.path}/hosts`).trim().split('\n')).toHaveLength(2)
      k('delete deployment made')
      k('delete pvc made')
      await becomes('the volume is gone', () => !k('get pv -o name').includes(volumeName))
      expect(host.run(`ls ${spec.local.path.replace(/[^/]*$/, '')}`).trim()).toBe('')
    })

    test('members of a stateful set with the old annotation for its class', async () => {
      k('apply -f -', '{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: es-sc}, provisioner: kedge.dev/local}')
      k(
        'apply -f -',
        `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: es-data}
spec:
  serviceName: es-data
  replicas: 2
  selector: {matchLabels: {run: es-data}}
  template:
    metadata: {labels: {run: es-data}}
    spec: {terminationGracePeriodSeconds: 1, containers: [${shell('hostname >> /data/name; sleep 3600', 'volumeMounts: [{name: es-data, mountPath: /data}]')}]}
  volumeClaimTemplates:
  - metadata: {name: es-data, annotations: {volume.beta.kubernetes.io/storage-class: es-sc}}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
      )
      k('rollout status statefulset/es-data --timeout=60s')
      k('delete pod es-data-1')
      k('rollout status statefulset/es-data --timeout=60s')
      await becomes('it goes on with its own', () => k('exec es-data-1 -- cat /data/name').trim() === 'es-data-1\nes-data-1')
    })

    test.each([
      ['besteffort-explicit', '{limits: {cpu: 0, memory: 0}}', '{}', 'BestEffort'],
      ['besteffort', '{}', '{}', 'BestEffort'],
      ['burstable', '{requests: {cpu: 0.1, memory: 10Mi}, limits: {cpu: 0.5, memory: 300Mi}}', '', 'Burstable'],
      ['burstable-requests', '{requests: {cpu: 0.1, memory: 30Mi}}', '', 'Burstable'],
      ['guaranteed', '{limits: {cpu: 0.3, memory: 350Mi}, requests: {cpu: 0.3, memory: 350Mi}}', '', 'Guaranteed'],
      [
        'one-of-two',
        '{limits: {cpu: 0.3, memory: 350Mi}, requests: {cpu: 0.3, memory: 350Mi}}',
        '{requests: {cpu: 0.2, memory: 100Mi}}',
        'Burstable',
      ],
      ['half-each', '{limits: {cpu: 0.3}}', '{requests: {memory: 100Mi}}', 'Burstable'],
    ])('%s', (name, one, other, want) => {
      const list = [
        container('busybox:1', `command: [sleep, "1"], resources: ${one}`, 'one'),
        ...(other ? [container('busybox:1', `command: [sleep, "1"], resources: ${other}`, 'other')] : []),
      ]
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: ${name}}, spec: {restartPolicy: Never, containers: [${list.join(', ')}]}}`,
      )
      expect(json(`get pod ${name}`).status.qosClass).toBe(want)
    })
  })

  describe('chapter 5, network and access', () => {
    beforeAll(() => chapter('chapter5'))
    const tier = (name: string, image: string, port: number, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {project: chapter5, service: ${name}}}
  template:
    metadata: {labels: {project: chapter5, service: ${name}}}
    spec: {terminationGracePeriodSeconds: 1, containers: [${container(image, `ports: [{containerPort: ${port}}]`)}]}
---
kind: Service
apiVersion: v1
metadata: {name: ${name}}
spec: {type: NodePort, selector: {project: chapter5, service: ${name}}, ports: [{protocol: TCP, port: ${port}, targetPort: ${port}}]}
---`
    const policy = (name: string, spec: string) =>
      `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: ${name}}, spec: ${spec}}`

    test('containers of a pod find each other on loopback', async () => {
      const asks = shell('until wget -q -O - http://localhost:80/; do sleep 0.2; done; sleep 3600').replace('name: c,', 'name: centos,')
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: example}, spec: {containers: [${container('nginx:1', '', 'web')}, ${asks}]}}`,
      )
      await becomes('it has asked', () => k('logs example -c centos').trim() === 'nginx')
      k('delete pod example --grace-period=0 --force')
    })

    test('an ingress before two services, by host and path', async () => {
      k('apply -f -', tier('nginx', 'nginx:1', 80, 2) + tier('echoserver', 'web:1', 8080, 1))
      const path = (at: string, name: string, port: number) =>
        `{path: ${at}, pathType: ImplementationSpecific, backend: {service: {name: ${name}, port: {number: ${port}}}}}`
      k(
        'apply -f -',
        `
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: ingress-example, annotations: {ingress.kubernetes.io/rewrite-target: /}}
spec: {rules: [{host: devops.k8s, http: {paths: [${path('/welcome', 'nginx', 80)}, ${path('/echoserver', 'echoserver', 8080)}]}}]}
`,
      )
      const asked = (at: string, host: number) => fetched(`--header=Host:devops.k8s http://${stand.hosts[host]!.ip}${at}`)
      for (const host of [0, 1]) {
        await becomes('nginx welcomes', () => asked('/welcome', host) === 'nginx')
        await becomes('the other answers', () => /^echoserver-.* v1$/.test(asked('/echoserver', host)))
      }
      expect(fetched(`http://${stand.hosts[0]!.ip}/welcome`)).toBe('')
      k('delete ingress ingress-example')
    })

    test('a load balancer in front of one of them', async () => {
      k('patch service echoserver -p |{"spec":{"type":"LoadBalancer"}}|')
      const ip = await eventually('it has an address', () => json('get service echoserver').status.loadBalancer.ingress?.[0]?.ip)
      await becomes('it answers there', () => /v1$/.test(fetched(`http://${ip}:8080/`, 1)))
    })

    test('policies deny all, let some in, and let all in', async () => {
      const asker = (name: string, labels: string) =>
        `\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, labels: {${labels}}}\nspec: {terminationGracePeriodSeconds: 0, containers: [${shell('sleep 3600')}]}\n---`
      k('apply -f -', asker('mine', 'project: chapter5') + asker('other', 'project: chapter6'))
      k('wait pod mine other --for=condition=Ready --timeout=60s')
      const ip = json('get service nginx').spec.clusterIP
      const reaches = (pod: string) => stand.cp.kubectl(`-n ${ns} exec ${pod} -- wget -q -O - -T 1 -t 1 http://${ip}/`).code === 0
      const seen = () => [reaches('mine'), reaches('other')].join()
      await becomes('all reach it', () => seen() === 'true,true')
      // As the book writes it: nothing after the colon stands for all pods.
      k('apply -f -', `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: default-deny\nspec:\n  podSelector:\n`)
      await becomes('nobody reaches it', () => seen() === 'false,false')
      k(
        'apply -f -',
        policy(
          'nginx-networkpolicy',
          '{podSelector: {matchLabels: {service: nginx}}, ingress: [{from: [{podSelector: {matchLabels: {project: chapter5}}}]}]}',
        ),
      )
      await becomes('its own reach it', () => seen() === 'true,false')
      k(
        'apply -f -',
        `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: allow-all\nspec:\n  podSelector:\n  ingress:\n  - {}\n`,
      )
      await becomes('all reach it', () => seen() === 'true,true')
    })
  })

  describe('chapter 7, delivering', () => {
    beforeAll(() => chapter('chapter7'))
    const serves = (env: string, more = '') =>
      container('web:1', `ports: [{containerPort: 8080}], env: [{name: DEMO, value: "${env}"}]${more}`, 'app')
    const demos = (selector: string) => [...new Set(running(selector).map((p) => p.spec.containers[0].env[0].value))]

    test('a deployment is paused, changed twice, rolled out once, and taken back to a revision', async () => {
      const app = (env: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: my-app}
spec:
  replicas: 5
  minReadySeconds: 1
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 2}}
  selector: {matchLabels: {app: my-app}}
  template:
    metadata: {labels: {app: my-app}}
    spec: {terminationGracePeriodSeconds: 1, containers: [${serves(env)}]}
`
      k('apply -f -', app('0'))
      k('rollout status deployment/my-app --timeout=60s')
      k('rollout pause deployment/my-app')
      k('set env deployment/my-app DEMO=1')
      k('set image deployment/my-app app=test/web:2')
      await becomes(
        'the change is seen',
        () => json('get deployment my-app').status.observedGeneration === json('get deployment my-app').metadata.generation,
      )
      expect(demos('app=my-app')).toEqual(['0'])
      k('rollout resume deployment/my-app')
      k('rollout status deployment/my-app --timeout=60s')
      expect(demos('app=my-app')).toEqual(['1'])
      expect(json('get rs').items).toHaveLength(2)
      k('rollout undo deployment/my-app --to-revision=1')
      k('rollout status deployment/my-app --timeout=60s')
      expect(demos('app=my-app')).toEqual(['0'])
      k('delete deployment my-app')
    })

    test('a daemon set is updated one node after the other, and taken back', async () => {
      k(
        'apply -f -',
        `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: my-ds}, spec: {minReadySeconds: 1, updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 1}}, selector: {matchLabels: {app: my-ds}}, template: {metadata: {labels: {app: my-ds}}, spec: {terminationGracePeriodSeconds: 1, containers: [${serves('0')}]}}}}`,
      )
      k('rollout status daemonset/my-ds --timeout=60s')
      k('set env daemonset/my-ds DEMO=1')
      k('rollout status daemonset/my-ds --timeout=60s')
      expect(demos('app=my-ds')).toEqual(['1'])
      k('rollout undo daemonset/my-ds')
      k('rollout status daemonset/my-ds --timeout=60s')
      expect(demos('app=my-ds')).toEqual(['0'])
      k('delete daemonset my-ds')
    })

    test('a stateful set is updated from its last member on, down to a partition', async () => {
      const set = (more = '') =>
        `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: my-ss}, spec: {serviceName: my-ss-svc, replicas: 3, podManagementPolicy: Parallel, ${more} selector: {matchLabels: {app: my-ss}}, template: {metadata: {labels: {app: my-ss}}, spec: {terminationGracePeriodSeconds: 1, containers: [${serves('0', ', volumeMounts: [{name: ss-data, mountPath: /data}]')}]}}, volumeClaimTemplates: [{metadata: {name: ss-data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}]}}`
      k('apply -f -', set())
      k('rollout status statefulset/my-ss --timeout=60s')
      k('patch statefulset my-ss -p |{"spec":{"updateStrategy":{"rollingUpdate":{"partition":2}}}}|')
      k('set env statefulset/my-ss DEMO=1')
      const byName = () => Object.fromEntries(running('app=my-ss').map((p) => [p.metadata.name, p.spec.containers[0].env[0].value]))
      await becomes('the last one is new', () => byName()['my-ss-2'] === '1' && running('app=my-ss').length === 3)
      expect(byName()).toEqual({ 'my-ss-0': '0', 'my-ss-1': '0', 'my-ss-2': '1' })
      k('patch statefulset my-ss -p |{"spec":{"updateStrategy":{"rollingUpdate":{"partition":0}}}}|')
      await becomes('all are new', () => demos('app=my-ss').join() === '1' && running('app=my-ss').length === 3)
      k('delete statefulset my-ss')
    })

    test('an account for a delivery tool may do what its role says, by a token in a secret', async () => {
      k('create serviceaccount cd-agent')
      k(
        'apply -f -',
        '{apiVersion: v1, kind: Secret, metadata: {name: cd-token, annotations: {kubernetes.io/service-account.name: cd-agent}}, type: kubernetes.io/service-account-token}',
      )
      k('create clusterrole cd-role --verb=* --resource=deployments.apps,jobs.batch,pods')
      k(`create clusterrolebinding cd-agent --clusterrole=cd-role --user=system:serviceaccount:${ns}:cd-agent`)
      await becomes('the secret has its token', () => !!json('get secret cd-token').data?.token)
      const token = Buffer.from(json('get secret cd-token').data.token, 'base64').toString()
      const may = (what: string) => stand.cp.kubectl(`-n ${ns} auth can-i ${what} --token=${token}`).out.trim()
      expect(await Promise.all(['create deployments.apps', 'delete pods', 'get nodes', 'create clusterroles'].map(may))).toEqual([
        'yes',
        'yes',
        'no',
        'no',
      ])
    })

    test('who fails its readiness gets no requests; hooks run when it starts and before it is told to go', async () => {
      const script =
        'mkdir -p /www; echo here > /www/index.html; httpd -f -p 8080 -h /www & trap "echo told to go >> /hooks/log; exit 0" TERM; while :; do sleep 0.1; done'
      const probe = 'readinessProbe: {httpGet: {path: /index.html, port: 8080}, periodSeconds: 1, failureThreshold: 2}'
      const hook = (what: string) => `{exec: {command: [sh, -c, "echo ${what} >> /hooks/log"]}}`
      const lifecycle = `lifecycle: {postStart: ${hook('started')}, preStop: ${hook('stops')}}, volumeMounts: [{name: hooks, mountPath: /hooks}]`
      k(
        'apply -f -',
        `{apiVersion: v1, kind: Pod, metadata: {name: probed, labels: {app: probed}}, spec: {nodeName: h1, terminationGracePeriodSeconds: 5, containers: [${shell(script, `${probe}, ${lifecycle}`)}], volumes: [{name: hooks, hostPath: {path: /var/log/hooks}}]}}`,
      )
      k(
        'apply -f -',
        '{apiVersion: v1, kind: Service, metadata: {name: probed}, spec: {selector: {app: probed}, ports: [{port: 80, targetPort: 8080}]}}',
      )
      k('wait pod/probed --for=condition=Ready --timeout=60s')
      const { clusterIP } = json('get svc probed').spec
      await becomes('it answers', () => fetched(`http://${clusterIP}/`) === 'here')
      k('exec probed -- mv /www/index.html /www/away.html')
      await becomes('it is not ready', () => condition(json('get pod probed'), 'Ready').status === 'False')
      await becomes('it gets no requests', () => json('get endpoints probed').subsets?.[0].addresses === undefined)
      k('exec probed -- mv /www/away.html /www/index.html')
      await becomes('it gets them again', () => fetched(`http://${clusterIP}/`, 1) === 'here')
      k('delete pod probed')
      expect(stand.hosts[0]!.run('cat /var/log/hooks/log').trim().split('\n')).toEqual(['started', 'stops', 'told to go'])
    })
  })
})
