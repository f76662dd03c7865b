// The objects and files that the comparison looks at.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

export const objects = `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {app: web}}
data: {color: red, size: "10", "on": "yes"}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: awkward
  annotations:
    example.com/long: this is a rather long annotation whose text goes on and on so that whoever prints it as YAML has to fold it somewhere in the middle of it
    example.com/colon: "a: b"
data:
  empty: ""
  "null": "null"
  number: "0123"
  exponent: "1e3"
  time: "2026-01-01"
  sixty: "12:30:45"
  lines: "one\\ntwo\\n"
  no-end: "one\\ntwo"
  spaces: " leading"
  trailing: "trailing \\nx"
  tab: "a\\tb"
  quotes: "it's \\"so\\""
  hash: "a #b"
  dash: "- x"
  star: "*x"
  tilde: "~"
  unicode: "grüße ✓"
  html: "<a & b>"
  percent: "%x"
  question: "? x"
  item2: a
  item10: b
---
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: jane}
spec: {signerName: example.com/people, usages: [client auth], request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWE1IOENBUUF3SFRFTU1Bb0dBMVVFQ2d3RFpHVjJNUTB3Q3dZRFZRUUREQVJxWVc1bE1Ga3dFd1lIS29aSQp6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUU5QUVjcE81aFBjVDJzdFNCQnhCMFpTbUVvbTBBTlN0V2FJOWQrODFMCnV1clc5and3L2p1b080cnkyMGFWUFR5enpyS2crVDJrK2ltMENhNXF0RVJBNGFBQU1Bb0dDQ3FHU000OUJBTUMKQTBnQU1FVUNJR1h2Y1ZaV0dUMkkxbWlSREJEMHNOMld6Qk5tQWF2OVUrbFJJd2hmdFRMWEFpRUF4cU9aSU5vegpvL0VPOTcrMmZRMHdaZDBRV2V1Q2d2T2VFYUQ1TVdCeVdmcz0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter2, user: admin}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules:
  - {apiGroups: [""], resources: [pods, pods/log], verbs: [get, list]}
  - {apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: jane}, {kind: ServiceAccount, name: default, namespace: look}]
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: tools}, ports: [{name: http, port: 80}, {name: other, port: 81}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: tools
  labels: {app: tools, tier: back}
  annotations: {example.com/note: a note}
spec:
  terminationGracePeriodSeconds: 1
  initContainers:
    - {name: first, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [sh, -c, echo initialised]}
  containers:
    - name: main
      image: test/busybox:1
      imagePullPolicy: IfNotPresent
      command: [sh, -c, "echo one; echo two; echo three; sleep 36000"]
      env:
        - {name: PLAIN, value: text}
        - {name: OF_MAP, valueFrom: {configMapKeyRef: {name: settings, key: color}}}
        - {name: OF_SECRET, valueFrom: {secretKeyRef: {name: keys, key: user, optional: true}}}
        - {name: OF_FIELD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      envFrom: [{configMapRef: {name: settings}, prefix: P_}]
      ports: [{containerPort: 80, name: http}, {containerPort: 81}]
      resources: {requests: {cpu: 10m, memory: 16Mi}, limits: {memory: 64Mi}}
      readinessProbe: {exec: {command: ["true"]}, periodSeconds: 30}
      volumeMounts: [{name: scratch, mountPath: /scratch}, {name: map, mountPath: /map, readOnly: true}]
    - {name: side, image: "test/busybox:1", imagePullPolicy: IfNotPresent, command: [sh, -c, "echo beside; sleep 36000"]}
  volumes:
    - {name: scratch, emptyDir: {}}
    - {name: map, configMap: {name: settings}}
  tolerations: [{key: example.com/x, operator: Exists, effect: NoSchedule}]
`

const map = (name: string, data: string, labels = '') =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}${labels ? `, labels: {${labels}}` : ''}}\ndata: {${data}}\n`

const files: Record<string, string> = {
  'settings.yaml': map('settings', 'color: red, size: "10", "on": "yes"', 'app: web'),
  'two.yaml': `${map('one', 'a: "1"')}---\n${map('two', 'b: "2"')}`,
  'two-changed.yaml': `${map('one', 'c: "3"')}---\n${map('two', 'b: "2"')}`,
  'one-again.yaml': map('one', 'again: "yes"'),
  'one-conflict.yaml': map('one', 'again: "no"'),
  'not-there.yaml': map('not-there', 'a: "1"'),
  'bare.yaml': map('bare', 'a: "2"'),
  'pruned-1.yaml': `${map('keep', 'a: "1"', 'set: pruned')}---\n${map('drop', 'a: "1"', 'set: pruned')}`,
  'pruned-2.yaml': map('keep', 'a: "1"', 'set: pruned'),
  'invalid.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Not_Valid}\n',
  'unknown-kind.yaml': 'apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\n',
  'unknown-field.yaml': 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\nbogus: 1\n',
  'bad.yaml': 'apiVersion: v1\nkind: [ConfigMap\n',
  'set/a.yaml': map('set-a', 'a: "1"'),
  'set/b.json': '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"set-b"},"data":{"b":"2"}}',
  'set/deep/c.yml': map('set-c', 'c: "3"'),
  'set/ignored.txt': 'nothing',
  'names.jsonpath': '{range .items[*]}{.metadata.name}{"\\n"}{end}',
  'names.template': '{{range .items}}{{.metadata.name}}{{"\\n"}}{{end}}',
  'columns.txt': 'NAME          PHASE\nmetadata.name status.phase\n',
  'some.env': '# a comment\nA=1\nB=two words\n',
  'base/kustomization.yaml': 'resources: [web.yaml]\n',
  'base/web.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: site}
spec:
  replicas: 1
  selector: {matchLabels: {app: site}}
  template:
    metadata: {labels: {app: site}}
    spec:
      containers:
        - name: web
          image: test/web:1
          imagePullPolicy: IfNotPresent
          envFrom: [{configMapRef: {name: settings}}]
---
apiVersion: v1
kind: Service
metadata: {name: site}
spec: {selector: {app: site}, ports: [{port: 80, targetPort: 8080}]}
`,
  'overlay/kustomization.yaml': `resources: [../base]
namePrefix: my-
commonAnnotations: {example.com/by: kustomize}
labels:
  - {pairs: {team: blue}, includeSelectors: true}
images: [{name: test/web, newTag: "2"}]
replicas: [{name: site, count: 2}]
configMapGenerator: [{name: settings, literals: [color=green, size=3]}]
patches:
  - path: more.yaml
  - target: {kind: Service, name: site}
    patch: |-
      - op: replace
        path: /spec/ports/0/port
        value: 8000
`,
  'overlay/more.yaml': `apiVersion: apps/v1
kind: Deployment
metadata: {name: site}
spec:
  template:
    spec:
      containers:
        - name: web
          env: [{name: EXTRA, value: "1"}]
        - {name: beside, image: test/busybox:1, command: [sleep, "3600"]}
`,
  'generators/kustomization.yaml': `namespace: made
nameSuffix: -x
configMapGenerator:
  - {name: files, files: [some.txt, other=some.txt]}
  - {name: env, envs: [some.env]}
  - {name: plain, literals: ["a=1"], options: {disableNameSuffixHash: true, labels: {a: b}}}
secretGenerator:
  - {name: secret, literals: ["password=hunter2"], type: Opaque}
resources: [user.yaml]
`,
  'stateful.yaml': `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: st}
spec:
  serviceName: st
  replicas: 1
  selector: {matchLabels: {app: st}}
  template:
    metadata: {labels: {app: st}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "test/web:1"}]}
`,
  'daemon.yaml': `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: ds}
spec:
  selector: {matchLabels: {app: ds}}
  template:
    metadata: {labels: {app: ds}}
    spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: "test/web:1"}]}
`,
  'generators/some.txt': 'some <text> & more\n',
  'generators/some.env': 'A=1\nB=2\n',
  'generators/user.yaml': `apiVersion: v1
kind: Pod
metadata: {name: user}
spec:
  serviceAccountName: robot
  containers:
    - name: c
      image: x
      env:
        - {name: P, valueFrom: {secretKeyRef: {name: secret, key: password}}}
  volumes:
    - {name: v, configMap: {name: files}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: robot}
`,
}

/** Writes the manifests into a folder. */
export function writeFiles(folder: string): void {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
}
