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
