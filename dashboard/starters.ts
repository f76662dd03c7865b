// What a new object may begin with: small manifests that run as they are, once their image is one that you have.

export const starters: Record<string, { title: string; text: (ns: string) => string }> = {
  'deployments.apps': {
    title: 'Deployment and Service',
    text: (ns) => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: ${ns}
spec:
  replicas: 2
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: web
          image: nginx
          ports:
            - containerPort: 80
          resources:
            requests:
              cpu: 50m
              memory: 32Mi
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: ${ns}
spec:
  selector:
    app: web
  ports:
    - port: 80
`,
  },
  pods: {
    title: 'Pod',
    text: (ns) => `apiVersion: v1
kind: Pod
metadata:
  name: one
  namespace: ${ns}
spec:
  containers:
    - name: main
      image: busybox
      command: [sleep, infinity]
`,
  },
  'jobs.batch': {
    title: 'Job',
    text: (ns) => `apiVersion: batch/v1
kind: Job
metadata:
  generateName: task-
  namespace: ${ns}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: main
          image: busybox
          command: [echo, done]
`,
  },
  'cronjobs.batch': {
    title: 'CronJob',
    text: (ns) => `apiVersion: batch/v1
kind: CronJob
metadata:
  name: nightly
  namespace: ${ns}
spec:
  schedule: "30 2 * * *"
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: main
              image: busybox
              command: [echo, done]
`,
  },
  configmaps: {
    title: 'ConfigMap',
    text: (ns) => `apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: ${ns}
data:
  greeting: hello
`,
  },
  'ingresses.networking.k8s.io': {
    title: 'Ingress',
    text: (ns) => `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: ${ns}
spec:
  rules:
    - host: web.example.com
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: web
                port:
                  number: 80
`,
  },
  'deployhooks.deploy.kedge.dev': {
    title: 'Deploy hook and its secret',
    text: (ns) => `apiVersion: v1
kind: Secret
metadata:
  name: web-hook
  namespace: ${ns}
stringData:
  secret: change-me
---
apiVersion: deploy.kedge.dev/v1
kind: DeployHook
metadata:
  name: web
  namespace: ${ns}
spec:
  provider: GitHub
  secretRef:
    name: web-hook
  setImage:
    workloads:
      - name: web
    image: registry.example.com/web:{{sha}}
`,
  },
}

/** For a kind that has none of its own. */
export const bare = (apiVersion: string, kind: string, ns: string | undefined): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata:\n  name: new\n${ns ? `  namespace: ${ns}\n` : ''}`
