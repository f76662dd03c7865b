// What each level forbids, in the words that users search for.
import { describe, expect, test } from 'vitest'
import { FieldErrors } from '../meta/field-error.ts'
import { violations } from './checks.ts'
import { against, detailsText, policyOf, standardText } from './policy.ts'

const LATEST = 1_000_000
const strict = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
const container = (more: object = {}, name = 'c') => ({ name, image: 'x', securityContext: strict, ...more })
const pod = (more: object = {}, containers: object[] = [container()]) => ({
  spec: { securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }, containers, ...more },
})
const withContext = (context: object, pods: object = {}) => pod(pods, [container({ securityContext: { ...strict, ...context } })])

describe('what the levels forbid', () => {
  const cases: [string, 'baseline' | 'restricted', object, string][] = [
    ['nothing of a pod that is as it should be', 'restricted', pod(), ''],
    ['host namespaces', 'baseline', pod({ hostNetwork: true, hostIPC: true }), 'host namespaces (hostNetwork=true, hostIPC=true)'],
    [
      'privileged',
      'baseline',
      withContext({ privileged: true }),
      'privileged (container "c" must not set securityContext.privileged=true)',
    ],
    [
      'capabilities, in several containers',
      'baseline',
      pod({}, [
        container({ securityContext: { capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } } }, 'a'),
        container({ securityContext: { capabilities: { add: ['NET_RAW'] } } }, 'b'),
      ]),
      'non-default capabilities (containers "a", "b" must not include "NET_RAW", "SYS_ADMIN" in securityContext.capabilities.add)',
    ],
    ['host paths', 'baseline', pod({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }), 'hostPath volumes (volume "v")'],
    [
      'host paths, said once',
      'restricted',
      pod({ volumes: [{ name: 'v', hostPath: { path: '/' } }] }),
      'restricted volume types (volume "v" uses restricted volume type "hostPath")',
    ],
    ['host ports', 'baseline', pod({}, [container({ ports: [{ hostPort: 80 }] })]), 'hostPort (container "c" uses hostPort 80)'],
    [
      'hosts of probes',
      'baseline',
      pod({}, [container({ livenessProbe: { httpGet: { host: '169.254.169.254' } } })]),
      'probe or lifecycle host (container "c" uses probe or lifecycle host "169.254.169.254")',
    ],
    [
      'proc',
      'baseline',
      withContext({ procMount: 'Unmasked' }),
      'procMount (container "c" must not set securityContext.procMount to "Unmasked")',
    ],
    ['proc in a user namespace', 'baseline', withContext({ procMount: 'Unmasked' }, { hostUsers: false }), ''],
    [
      'seccomp switched off',
      'baseline',
      pod({ securityContext: { seccompProfile: { type: 'Unconfined' } } }),
      'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
    ],
    [
      'sysctls',
      'baseline',
      pod({ securityContext: { sysctls: [{ name: 'a.b' }, { name: 'net.ipv4.tcp_rmem' }] } }),
      'forbidden sysctls (a.b)',
    ],
    [
      'SELinux',
      'baseline',
      withContext({ seLinuxOptions: { type: 'x_t', user: 'u' } }),
      'seLinuxOptions (container "c" set forbidden securityContext.seLinuxOptions: type "x_t"; user may not be set)',
    ],
    [
      'AppArmor, by field and annotation',
      'baseline',
      {
        ...withContext({ appArmorProfile: { type: 'Unconfined' } }),
        metadata: { annotations: { 'container.apparmor.security.beta.kubernetes.io/c': 'unconfined' } },
      },
      'forbidden AppArmor profiles (container "c" and annotation must not set AppArmor profile type to "Unconfined", "container.apparmor.security.beta.kubernetes.io/c=\\"unconfined\\"")',
    ],
    [
      'host processes',
      'baseline',
      pod({ securityContext: { windowsOptions: { hostProcess: true } } }),
      'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
    ],
    [
      'what a plain pod leaves out',
      'restricted',
      { spec: { containers: [{ name: 'c' }], initContainers: [{ name: 'i' }] } },
      'allowPrivilegeEscalation != false (containers "i", "c" must set securityContext.allowPrivilegeEscalation=false), ' +
        'unrestricted capabilities (containers "i", "c" must set securityContext.capabilities.drop=["ALL"]), ' +
        'runAsNonRoot != true (pod or containers "i", "c" must set securityContext.runAsNonRoot=true), ' +
        'seccompProfile (pod or containers "i", "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    ],
    [
      'root by name and by number',
      'restricted',
      withContext({ runAsUser: 0, runAsNonRoot: false }),
      'runAsNonRoot != true (container "c" must not set securityContext.runAsNonRoot=false), runAsUser=0 (container "c" must not set runAsUser=0)',
    ],
  ]
  test.each(cases)('%s', (_, level, given, said) => {
    expect(detailsText(violations(level, LATEST, given as any))).toBe(said)
  })

  test('as of older versions', () => {
    const probe = pod({}, [container({ livenessProbe: { tcpSocket: { host: 'x' } } })]) as any
    expect(violations('baseline', 33, probe)).toEqual([])
    expect(violations('baseline', 34, probe)).toHaveLength(1)
    const bare = { spec: { containers: [{ name: 'c' }] } }
    expect(violations('restricted', 7, bare).map((v) => v.reason)).toEqual(['runAsNonRoot != true'])
  })
})

describe('the labels of a namespace', () => {
  const text = (labels: Record<string, string>) => {
    const e = new FieldErrors()
    const { enforce, audit, warn } = policyOf(
      Object.fromEntries(Object.entries(labels).map(([k, v]) => [`pod-security.kubernetes.io/${k}`, v])),
      e,
    )
    return [[enforce, audit, warn].map(standardText).join(' '), ...e.causes.map((c) => `${c.field}: ${c.message}`)]
  }
  const cases: [Record<string, string>, string[]][] = [
    [{}, ['privileged:latest privileged:latest privileged:latest']],
    [{ enforce: 'baseline', 'enforce-version': 'v1.24' }, ['baseline:v1.24 privileged:latest baseline:v1.24']],
    [{ enforce: 'baseline', warn: 'restricted' }, ['baseline:latest privileged:latest restricted:latest']],
    [
      { enforce: 'strict', 'audit-version': '1.2' },
      [
        'restricted:latest privileged:latest privileged:latest',
        'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict": must be one of privileged, baseline, restricted',
        'metadata.labels[pod-security.kubernetes.io/audit-version]: Invalid value: "1.2": must be "latest" or "v1.x"',
      ],
    ],
  ]
  test.each(cases)('%j', (labels, said) => {
    expect(text(labels).sort()).toEqual(said.sort())
  })
  test('privileged asks for nothing', () => {
    expect(
      against({ level: 'privileged', minor: 0 }, { spec: { containers: [{ name: 'c', securityContext: { privileged: true } }] } }),
    ).toEqual([])
  })
})
