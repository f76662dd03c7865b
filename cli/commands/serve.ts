// kedge serve: the control plane in the foreground.
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { growFreelyAtFirst } from '../../api/platform/node/heap.ts'
import { checkRanges, defaultSettings } from '../../api/settings.ts'
import { tracingIn, tracingOf } from '../../api/tracing/settings.ts'
import { optionalAdmission } from '../../shared/admission.ts'
import { parsePolicy } from '../../shared/audit/policy.ts'
import { outputsOf } from '../../shared/log-outputs.ts'
import { parseYaml } from '../../shared/manifests/yaml.ts'
import { parseConfiguration } from '../../shared/pod-security/policy.ts'
import { parseFlags } from '../flags.ts'
import { launcher } from '../processes.ts'

const built = path.join(path.dirname(launcher), 'dist/downloads')

function oidcOptions(v: Record<string, any>) {
  const claim = v['oidc-username-claim'] ?? (v.hosted ? 'email' : undefined)
  return {
    issuerUrl: v['oidc-issuer-url'],
    clientId: v['oidc-client-id'] ?? '',
    ...(claim ? { usernameClaim: claim } : {}),
    ...(v['oidc-username-prefix'] !== undefined ? { usernamePrefix: v['oidc-username-prefix'] } : {}),
    ...(v['oidc-groups-claim'] ? { groupsClaim: v['oidc-groups-claim'] } : {}),
    ...(v['oidc-groups-prefix'] !== undefined ? { groupsPrefix: v['oidc-groups-prefix'] } : {}),
    ...(v['oidc-ca-file'] ? { caFile: v['oidc-ca-file'] } : {}),
  }
}

const yamlFile = (file: string): unknown => parseYaml(readFileSync(file, 'utf8'))

export async function run(args: string[]): Promise<number | undefined> {
  const parsed = parseFlags(
    'serve',
    'Runs the control plane over HTTPS until it is told to stop.',
    {
      data: { type: 'string', value: 'DIR', about: 'where the database, the CA and the admin kubeconfig live', default: '.kedge/server' },
      listen: { type: 'string', value: 'HOST:PORT', about: 'address to listen on', default: '127.0.0.1:6443' },
      'token-file': { type: 'string', value: 'FILE', about: 'static tokens, a line each: token,user,uid,"group1,group2"' },
      'database-url': { type: 'string', value: 'URL', about: 'a libSQL server instead of the embedded database' },
      name: { type: 'string', value: 'NAME', about: 'another name or address of this server, for its certificate', multiple: true },
      'oidc-issuer-url': { type: 'string', value: 'URL', about: 'where users sign in: an OpenID Connect provider' },
      'oidc-client-id': { type: 'string', value: 'ID', about: 'the audience of its tokens' },
      'oidc-username-claim': { type: 'string', value: 'CLAIM', about: 'which claim is the user (default sub; with --hosted email)' },
      'oidc-username-prefix': { type: 'string', value: 'TEXT', about: 'put before it; - for nothing' },
      'oidc-groups-claim': { type: 'string', value: 'CLAIM', about: 'which claim has the groups' },
      'oidc-groups-prefix': { type: 'string', value: 'TEXT', about: 'put before each' },
      'oidc-ca-file': { type: 'string', value: 'FILE', about: 'the CA that the provider is under' },
      hosted: { type: 'boolean', about: 'serve accounts and many clusters: /v1 and /clusters/NAME' },
      signup: { type: 'string', value: 'open|operator', about: 'with --hosted: who may open an account', default: 'operator' },
      'public-url': { type: 'string', value: 'URL', about: 'what clients reach this server by' },
      downloads: {
        type: 'string',
        value: 'DIR',
        about: 'what /install.sh gives out: made by npm run build (default dist/downloads, if there)',
      },
      'hooks-reach': {
        type: 'string',
        value: 'internet|everything',
        about: 'whom deploy hooks may call (default internet with --hosted, else everything)',
      },
      platform: { type: 'string', value: 'node|workers', about: 'what runs the API', default: 'node' },
      'service-cluster-ip-range': {
        type: 'string',
        value: 'RANGES',
        about: 'addresses of services: one range, or one of IPv4 and one of IPv6 with a comma between; the first is the usual family',
        default: defaultSettings.serviceCidr,
      },
      'cluster-cidr': { type: 'string', value: 'RANGES', about: 'addresses of pods, likewise', default: defaultSettings.podCidr },
      'enable-admission-plugins': {
        type: 'string',
        value: 'NAMES',
        about: `admission beyond what is always on: ${optionalAdmission.join(', ')}`,
      },
      'admission-control-config-file': { type: 'string', value: 'FILE', about: 'defaults and exemptions of PodSecurity' },
      'serve-older-versions': { type: 'boolean', about: 'API versions that Kubernetes has removed are served, too: extensions/v1beta1, …' },
      'tracing-config-file': {
        type: 'string',
        value: 'FILE',
        about: 'where traces are sent (a TracingConfiguration; OTLP over HTTP); else what OTEL_EXPORTER_OTLP_ENDPOINT says',
      },
      'audit-policy-file': { type: 'string', value: 'FILE', about: 'of which requests how much is written to the audit log' },
      'audit-log-path': {
        type: 'string',
        value: 'FILE|-',
        about: 'where the audit log goes (with --platform workers to its own log)',
        default: '-',
      },
      'event-outputs-file': { type: 'string', value: 'FILE', about: "where Events are sent as well: outputs as in a machine's logs.yaml" },
      'node-monitor-grace-period': {
        type: 'string',
        value: 'SECONDS',
        about: 'how long a node may be silent before it is NotReady',
        default: '40',
      },
    },
    args,
  )
  if (!parsed) return 0
  const { values: v } = parsed
  const m = /^(.*):(\d+)$/.exec(v.listen)
  if (!m) throw new Error(`--listen wants HOST:PORT, got ${JSON.stringify(v.listen)}`)
  const grace = Number(v['node-monitor-grace-period'])
  if (!(grace > 0)) throw new Error('--node-monitor-grace-period wants a number of seconds')
  const plugins = (v['enable-admission-plugins'] ?? '').split(',').filter(Boolean)
  const unknown = plugins.find((p: string) => !optionalAdmission.includes(p))
  if (unknown)
    throw new Error(
      `--enable-admission-plugins knows ${optionalAdmission.join(', ')}, not ${JSON.stringify(unknown)}; what else there is, is on`,
    )
  const ranges = { serviceCidr: v['service-cluster-ip-range'], podCidr: v['cluster-cidr'] }
  checkRanges(ranges)
  // Whose they are could not be told there.
  if (v.hosted && v['event-outputs-file']) throw new Error('--event-outputs-file is of one cluster, and goes not with --hosted')
  const tracing = v['tracing-config-file']
    ? tracingOf(yamlFile(v['tracing-config-file']), v['tracing-config-file'])
    : tracingIn(process.env)
  const options = {
    data: v.data,
    host: m[1] || '0.0.0.0',
    port: Number(m[2]),
    ...(v['token-file'] ? { tokenFile: v['token-file'] } : {}),
    ...(v['database-url'] ? { databaseUrl: v['database-url'] } : {}),
    ...(v.name ? { names: v.name } : {}),
    ...(v['oidc-issuer-url'] ? { oidc: oidcOptions(v) } : {}),
    nodeMonitorGracePeriod: grace * 1000,
    settings: {
      ...ranges,
      admissionPlugins: plugins,
      ...(v['serve-older-versions'] ? { olderVersions: true } : {}),
      ...(v['admission-control-config-file'] ? { podSecurity: parseConfiguration(yamlFile(v['admission-control-config-file'])) } : {}),
      ...(v['event-outputs-file'] ? { eventOutputs: outputsOf(yamlFile(v['event-outputs-file']), v['event-outputs-file']) } : {}),
      ...(tracing ? { tracing } : {}),
      ...(v['audit-policy-file'] ? { auditPolicy: parsePolicy(yamlFile(v['audit-policy-file'])) } : {}),
    },
    ...(v['audit-policy-file'] ? { auditLog: v['audit-log-path'] } : {}),
    ...(v['hooks-reach'] ? { hooksReach: v['hooks-reach'] } : {}),
    ...(v['public-url'] ? { publicUrl: v['public-url'] } : {}),
    ...(v.downloads || existsSync(built) ? { downloads: path.resolve(v.downloads ?? built) } : {}),
  }
  if (v.platform !== 'node' && v.platform !== 'workers') throw new Error(`--platform is node or workers, not ${JSON.stringify(v.platform)}`)
  if (v.signup !== 'open' && v.signup !== 'operator') throw new Error(`--signup is open or operator, not ${JSON.stringify(v.signup)}`)
  if (![undefined, 'internet', 'everything'].includes(v['hooks-reach']))
    throw new Error(`--hooks-reach is internet or everything, not ${JSON.stringify(v['hooks-reach'])}`)
  const hosted = { ...options, signup: v.signup as 'open' | 'operator' }
  growFreelyAtFirst()
  const serving =
    v.platform === 'workers'
      ? await (await import('../../api/platform/workers/serve.ts')).serve(v.hosted ? hosted : options)
      : v.hosted
        ? await (await import('../../api/platform/node/hosted.ts')).serveHosted(hosted)
        : await (await import('../../api/platform/node/server.ts')).serve(options)
  const files = [['CA', serving.caFile] as const, ...serving.files].map(([label, file]) => `${`${label}:`.padEnd(16)}${file}\n`)
  process.stdout.write(`kedge serves ${serving.url}\n${'dashboard:'.padEnd(16)}${serving.url}/ui/\n${files.join('')}`)
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
  await serving.close()
  return 0
}
