// Structure of our own kinds' types, in the form that the generated structure has: property → type, and what each is for.

type Own = Record<string, { about: string; properties: Record<string, [type: string, about: string]>; required?: string[] }>

/** What every object says of itself. */
const typed: Own[string]['properties'] = {
  apiVersion: ['string', 'APIVersion defines the versioned schema of this representation of an object.'],
  kind: ['string', 'Kind is a string value representing the REST resource this object represents.'],
  metadata: ['V1ObjectMeta', "Standard object's metadata."],
}
/** When something was measured. */
const measured: Own[string]['properties'] = {
  timestamp: ['time', 'The end of the time in which it was measured.'],
  window: ['string', 'How long that was.'],
}

const own: Own = {
  V1DeployHook: {
    about: 'DeployHook is an address that others call when something is to be deployed: a push, a new image, a pull request.',
    properties: {
      ...typed,
      spec: ['V1DeployHookSpec', 'Who may call, what counts, and what is done then.'],
      status: ['V1DeployHookStatus', 'What has come in.'],
    },
  },
  V1DeployHookSpec: {
    about: 'DeployHookSpec says who may call, what counts, and what is done then.',
    properties: {
      provider: ['string', 'Who calls: GitHub, GitLab, Gitea, Bitbucket, DockerHub, Registry (Harbor or a CNCF registry) or Generic.'],
      secretRef: ['V1DeployHookSecretKey', 'The secret that calls are verified with: an HMAC key or a token, as the provider has it.'],
      suspend: ['boolean', 'Calls are answered and nothing is done.'],
      filters: ['V1DeployHookFilters', 'Which calls count. Without a list of its own, each of these lets everything through.'],
      fields: ['{string}', 'Generic: where in the payload a value is, as a JSON pointer. Names are those of the facts of a delivery.'],
      setImage: ['V1DeployHookSetImage', 'Give workloads another image. One of setImage, restart and apply is to be given.'],
      restart: ['V1DeployHookRestart', 'Start all pods of workloads anew, as kubectl rollout restart does.'],
      apply: ['V1DeployHookApply', 'Apply manifests or a kustomization from the repository, at the commit that the call names.'],
      preview: ['V1DeployHookPreview', 'With apply: a namespace per pull request, with what its head has, until it is closed.'],
      serviceAccountName: ['string', 'Whose rights the hook has; default in its own namespace.'],
      rollout: ['V1DeployHookRollout', 'Whether to wait for what was begun, and what to do when it fails.'],
      report: ['V1DeployHookReport', 'Whom to tell how it went.'],
      historyLimit: ['int32', 'How many finished deliveries are kept; 20 unless said otherwise.'],
    },
    required: ['provider', 'secretRef'],
  },
  V1DeployHookSecretKey: {
    about: 'A key of a Secret in the same namespace.',
    properties: { name: ['string', "The Secret's name."], key: ['string', 'The key in it; secret or token unless said otherwise.'] },
    required: ['name'],
  },
  V1DeployHookFilters: {
    about: 'Which calls count. Patterns have * for anything but a slash and ** for anything; one that begins with ! takes away.',
    properties: {
      events: ['[string]', 'push, tag, pull_request, release, image; what fits the action unless said otherwise.'],
      repository: ['string', 'The full name that the repository must have, as owner/name.'],
      branches: ['[string]', 'Patterns for the branch of a push, or the target of a pull request.'],
      tags: ['[string]', 'Patterns for a pushed tag or a release.'],
      paths: ['[string]', 'Patterns of which a changed file must fit one.'],
      imageTags: ['[string]', "Patterns for an image's tag."],
    },
  },
  V1DeployHookWorkload: {
    about: 'A workload in the namespace of the hook.',
    properties: {
      kind: ['string', 'Deployment unless said otherwise.'],
      name: ['string', 'Its name.'],
      container: ['string', 'The container that gets the image; needed where there are several.'],
    },
    required: ['name'],
  },
  V1DeployHookSetImage: {
    about: 'Give workloads another image.',
    properties: {
      image: ['string', 'A template such as registry.example.com/web:{{sha}}. With an image event it is that image unless said otherwise.'],
      workloads: ['[V1DeployHookWorkload]', 'Which ones.'],
    },
    required: ['workloads'],
  },
  V1DeployHookRestart: {
    about: 'Start all pods anew.',
    properties: { workloads: ['[V1DeployHookWorkload]', 'Of which workloads.'] },
    required: ['workloads'],
  },
  V1DeployHookApply: {
    about: 'Apply what a repository has.',
    properties: {
      archive: ['string', "A template for the URL of a .tar.gz of the commit; the provider's own unless said otherwise."],
      credentialsRef: ['V1DeployHookSecretKey', 'A token to fetch it with.'],
      path: ['string', 'The folder in it: a kustomization, or manifests. The whole unless said otherwise.'],
      images: ['[V1DeployHookImage]', 'Images to give other names or tags, templates all of them.'],
      prune: ['boolean', 'Delete what the last delivery applied and this one does not have.'],
    },
  },
  V1DeployHookImage: {
    about: 'An image that is to be another one.',
    properties: {
      name: ['string', 'As the manifests have it, without a tag.'],
      newName: ['string', 'Its new name.'],
      newTag: ['string', 'Its new tag, as {{sha}}.'],
    },
    required: ['name'],
  },
  V1DeployHookPreview: {
    about: 'A namespace per pull request.',
    properties: {
      namespace: [
        'string',
        "A template; it must begin with the name of the hook's namespace and a dash: {{namespace}}-pr-{{number}} unless said otherwise.",
      ],
      max: ['int32', 'How many there may be at a time; 10 unless said otherwise.'],
      forks: ['boolean', 'Also for pull requests from other repositories: whoever may open one may then run what he likes there.'],
    },
  },
  V1DeployHookRollout: {
    about: 'What to do about a rollout that was begun.',
    properties: {
      timeoutSeconds: ['int32', 'How long it may take; 300 unless said otherwise.'],
      rollback: ['boolean', 'Go back to what was before when it fails; true unless said otherwise.'],
    },
  },
  V1DeployHookReport: {
    about: 'Whom to tell how it went.',
    properties: {
      commitStatus: ['boolean', "Set the commit's status at the provider."],
      tokenRef: ['V1DeployHookSecretKey', 'A token that may do so.'],
      apiUrl: ['string', "The provider's API, where the payload does not say it."],
      callbackUrl: ['string', 'Gets the delivery as JSON in a POST, at the beginning and at the end.'],
    },
  },
  V1DeployHookStatus: {
    about: 'What has come in.',
    properties: {
      accepted: ['int64', 'Calls that became deliveries.'],
      ignored: ['int64', 'Calls that were right, and did not count.'],
      duplicates: ['int64', 'Calls that had come before.'],
      refused: ['int64', 'Calls with a wrong signature, too large, or unreadable. Counted every few seconds.'],
      lastDelivery: ['string', 'The newest delivery.'],
      lastPhase: ['string', 'How it stands.'],
      seen: ['[string]', 'What the last deliveries are told apart by.'],
    },
  },
  V1DeployDelivery: {
    about: 'DeployDelivery is one call of a DeployHook, and what became of it.',
    properties: {
      ...typed,
      spec: ['V1DeployDeliverySpec', 'What came in. It never changes.'],
      status: ['V1DeployDeliveryStatus', 'What became of it.'],
    },
  },
  V1DeployDeliverySpec: {
    about: 'DeployDeliverySpec is what came in.',
    properties: {
      hook: ['string', 'The DeployHook, in the same namespace.'],
      id: ['string', "The provider's own id of the call."],
      digest: ['string', "The payload's SHA-256."],
      received: ['micro-time', 'When it came in.'],
      replayOf: ['string', 'The delivery that this one repeats.'],
      facts: ['{string}', 'What was read from the payload: event, repository, branch, tag, sha, number, image …'],
    },
    required: ['hook'],
  },
  V1DeployDeliveryStatus: {
    about: 'DeployDeliveryStatus is what became of a delivery.',
    properties: {
      phase: ['string', 'Running, Succeeded, Failed, RolledBack or Superseded; empty while it waits.'],
      message: ['string', 'Why, in a sentence.'],
      startedAt: ['time', 'When work began.'],
      finishedAt: ['time', 'When it ended.'],
      namespace: ['string', 'Where, when it is a preview.'],
      acted: ['boolean', 'What was to be changed has been; the rollouts are under way.'],
      changes: ['[V1DeployDeliveryChange]', 'The workloads that it changed.'],
      applied: ['[string]', 'The objects that it applied, as apiVersion/kind/namespace/name.'],
      reported: ['[string]', 'Which reports have been sent, or given up.'],
    },
  },
  V1DeployDeliveryChange: {
    about: 'A workload that a delivery changed.',
    properties: {
      kind: ['string', 'Its kind.'],
      namespace: ['string', 'Its namespace.'],
      name: ['string', 'Its name.'],
      container: ['string', 'The container that got another image.'],
      from: ['string', 'The image before.'],
      to: ['string', 'The image after.'],
      generation: ['int64', 'The generation that the change made.'],
      revision: ['string', 'The revision that the rollout made.'],
    },
  },
  V1LogCounter: {
    about:
      'LogCounter makes a metric of what pods of its namespace say: lines that fit a pattern are counted, and told at /metrics of the nodes.',
    properties: { ...typed, spec: ['V1LogCounterSpec', 'Which lines are counted, and what the counter is called.'] },
  },
  V1LogCounterSpec: {
    about: 'LogCounterSpec says which lines are counted, and what the counter is called.',
    properties: {
      selector: ['V1LabelSelector', 'The pods whose lines count; all of the namespace where it is empty.'],
      container: ['string', 'The container whose lines count; all where it is empty.'],
      stream: ['string', 'stdout or stderr, where not both count.'],
      pattern: ['string', 'A regular expression (RE2) that is searched for in each line.'],
      metric: ['string', "The counter's name; it ends with _total."],
      help: ['string', 'What it is, for those who read it.'],
      labels: ['[string]', 'Named groups of the pattern whose values become labels, beside namespace, pod and container.'],
      maxSeries: [
        'int32',
        'So many combinations of labels a node tells apart; what is beyond them is counted as other. 100 unless said otherwise.',
      ],
    },
    required: ['pattern', 'metric'],
  },
  V1beta1NodeMetrics: {
    about: 'NodeMetrics is what a node uses.',
    properties: {
      ...typed,
      ...measured,
      usage: ['{string}', 'Cores and bytes, by the name of the resource.'],
    },
    required: ['timestamp', 'window', 'usage'],
  },
  V1beta1PodMetrics: {
    about: 'PodMetrics is what the containers of a pod use.',
    properties: {
      ...typed,
      ...measured,
      containers: ['[V1beta1ContainerMetrics]', 'Each of them.'],
    },
    required: ['timestamp', 'window', 'containers'],
  },
  V1beta1ContainerMetrics: {
    about: 'ContainerMetrics is what a container uses.',
    properties: { name: ['string', "The container's name."], usage: ['{string}', 'Cores and bytes, by the name of the resource.'] },
    required: ['name', 'usage'],
  },
}

/** As the generated file has them. */
export const ownTypes: Record<string, { p: Record<string, string>; r?: string[] }> = Object.fromEntries(
  Object.entries(own).map(([name, t]) => [
    name,
    { p: Object.fromEntries(Object.entries(t.properties).map(([k, [type]]) => [k, type])), ...(t.required ? { r: t.required } : {}) },
  ]),
)

/** Texts for `kubectl explain`, the type's own under the empty name. */
export const ownDescriptions: Record<string, Record<string, string>> = Object.fromEntries(
  Object.entries(own).map(([name, t]) => [
    name,
    { '': t.about, ...Object.fromEntries(Object.entries(t.properties).map(([k, [, about]]) => [k, about])) },
  ]),
)
