// What several end-to-end tests deploy.

/** The HTTP echo as a Deployment called web. */
export const webDeployment = (replicas: number): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "test/web:1", imagePullPolicy: IfNotPresent, ports: [{containerPort: 8080}]}]
`

/** In front of it. */
export const webService = `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`

/** A pod of busybox that sleeps, with one file of its machine in it. */
export const podWithFile = (name: string, file: string, at: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: test/busybox:1
      imagePullPolicy: IfNotPresent
      command: [sleep, "3600"]
      volumeMounts: [{name: file, mountPath: ${at}, readOnly: true}]
  volumes: [{name: file, hostPath: {path: ${file}, type: File}}]
`
