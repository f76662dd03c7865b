// kedge autoscale: a HorizontalPodAutoscaler for a workload.
import { Failure, kubeCommand } from '../kube/command.ts'
import { createObject, generatorFlags } from '../kube/create-object.ts'
import { fileFlags, remotes } from '../kube/objects.ts'
import { apiVersionOf } from '../kube/resources.ts'

export const run = kubeCommand(
  {
    name: 'autoscale',
    usage: '(-f FILENAME | TYPE NAME | TYPE/NAME) [--min=MINPODS] --max=MAXPODS [--cpu-percent=CPU] [options]',
    about: 'Creates an autoscaler that automatically chooses and sets the number of pods that run in a Kubernetes cluster.',
    flags: {
      ...fileFlags,
      ...generatorFlags,
      'cpu-percent': {
        type: 'int',
        default: -1,
        about: 'The target average CPU utilization (represented as a percent of requested CPU) over all the pods.',
      },
      max: { type: 'int', default: -1, about: 'The upper limit for the number of pods that can be set by the autoscaler. Required.' },
      min: { type: 'int', default: -1, about: 'The lower limit for the number of pods that can be set by the autoscaler.' },
      name: { type: 'string', about: 'The name for the newly created object.' },
    },
  },
  async (k) => {
    const { f } = k
    if (f.max < 1) throw new Failure('--max=MAXPODS is required and must be at least 1, max: ' + f.max)
    if (f.max < f.min) throw new Failure(`--max=MAXPODS must be larger or equal to --min=MINPODS, max: ${f.max}, min: ${f.min}`)
    for (const { resource, object } of await remotes(k)) {
      if (!resource.subresources.includes('scale')) throw new Failure(`cannot autoscale a ${resource.kind}`)
      await createObject(k, {
        apiVersion: 'autoscaling/v1',
        kind: 'HorizontalPodAutoscaler',
        metadata: { creationTimestamp: null, name: f.name || object.metadata.name },
        spec: {
          maxReplicas: f.max,
          ...(f.min > 0 ? { minReplicas: f.min } : {}),
          scaleTargetRef: { apiVersion: apiVersionOf(resource), kind: resource.kind, name: object.metadata.name },
          ...(f['cpu-percent'] >= 0 ? { targetCPUUtilizationPercentage: f['cpu-percent'] } : {}),
        },
        status: { currentReplicas: 0, desiredReplicas: 0 },
      })
    }
    return 0
  },
)
