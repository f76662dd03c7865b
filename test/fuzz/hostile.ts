// Requests that nobody should send: each is made of a seed, so that one that does harm can be sent again.
import { kinds } from '../../shared/kinds/index.ts'
import { manifests } from '../api/manifests.ts'

export interface Hostile {
  what: string
  method: string
  path: string
  body?: string | Buffer
  type?: string
  headers?: Record<string, string>
  /** Sends the head and as much of the body, then nothing more, and goes after so many ms. */
  stallMs?: number
}

type Random = () => number
export const NS = '/api/v1/namespaces/fuzz'
export const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const JSON_TYPE = 'application/json'
const MERGE = 'application/merge-patch+json'
const JSON_PATCH = 'application/json-patch+json'
const STRATEGIC = 'application/strategic-merge-patch+json'
const APPLY = 'application/apply-patch+yaml'

const stored = kinds.filter(
  (k) => !k.virtual && Object.keys(manifests[`${k.group ? `${k.group}/` : ''}${k.version} ${k.kind}`]?.good ?? {}).length,
)

/** Kinds whose objects have a say over other requests are written under names that are taken away again, and refused nothing. */
const harmless = stored.filter(
  (k) => !['admissionregistration.k8s.io'].includes(k.group) && !['Namespace', 'Node', 'ResourceQuota', 'LimitRange'].includes(k.kind),
)

const pathOf = (k: (typeof kinds)[number], name = ''): string =>
  `${k.group ? `/apis/${k.group}/` : '/api/'}${k.version}${k.namespaced ? '/namespaces/fuzz' : ''}/${k.plural}${name ? `/${name}` : ''}`

const odd: unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  -1e308,
  Number('9007199254740993'),
  '',
  'x',
  ' ',
  '\u0000',
  '\ud800',
  '💥'.repeat(50),
  '‮abc',
  '__proto__',
  'constructor',
  '../../etc',
  '%00',
  'a'.repeat(5000),
  [],
  [null],
  [[]],
  {},
  { '': '' },
  { __proto__x: 1 },
  [{ a: [{ a: [{}] }] }],
]

const nested = (depth: number, open: string, close: string, core = '1'): string => open.repeat(depth) + core + close.repeat(depth)

/** Every path of a value. */
function* pathsOf(v: any, at: (string | number)[] = []): Generator<(string | number)[]> {
  yield at
  if (typeof v === 'object' && v !== null) for (const k of Object.keys(v)) yield* pathsOf(v[k], [...at, Array.isArray(v) ? Number(k) : k])
}

function setAt(v: any, at: (string | number)[], to: unknown): any {
  if (!at.length) return to
  const out = structuredClone(v)
  let here = out
  for (const k of at.slice(0, -1)) here = here[k]
  here[at.at(-1)!] = to
  return out
}

export class Maker {
  readonly #random: Random
  #serial = 0
  constructor(random: Random) {
    this.#random = random
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!
  }
  whole(below: number): number {
    return Math.floor(this.#random() * below)
  }

  next(): Hostile {
    return this.pick(this.#makers)()
  }

  readonly #makers: (() => Hostile)[] = [
    () => this.#wrongType(),
    () => this.#wrongType(),
    () => this.#wrongType(),
    () => this.#broken(),
    () => this.#nesting(),
    () => this.#yaml(),
    () => this.#numbers(),
    () => this.#names(),
    () => this.#long(),
    () => this.#patch(),
    () => this.#patch(),
    () => this.#selector(),
    () => this.#cel(),
    () => this.#watch(),
    () => this.#path(),
    () => this.#parameters(),
    () => this.#headers(),
    () => this.#protobuf(),
    () => (this.#random() < 0.05 ? this.#stall() : this.#wrongType()),
  ]

  #object(): { kind: (typeof kinds)[number]; o: any } {
    const kind = this.pick(harmless)
    const { good } = manifests[`${kind.group ? `${kind.group}/` : ''}${kind.version} ${kind.kind}`]!
    const spec: any = this.pick(Object.values(good))
    const apiVersion = `${kind.group ? `${kind.group}/` : ''}${kind.version}`
    return { kind, o: { apiVersion, kind: kind.kind, ...spec, metadata: { ...spec.metadata, name: `f-${this.#serial++}` } } }
  }

  #wrongType(): Hostile {
    const { kind, o } = this.#object()
    const at = this.pick([...pathsOf(o)])
    const body = JSON.stringify(setAt(o, at, this.pick(odd)))
    const query = this.pick(['', '?fieldValidation=Strict', '?dryRun=All', '?fieldManager=x'])
    return { what: `a wrong type at ${at.join('.')} of ${kind.kind}`, method: 'POST', path: pathOf(kind) + query, body }
  }

  #broken(): Hostile {
    const { kind, o } = this.#object()
    const text = JSON.stringify(o)
    const cut = this.whole(text.length)
    const body = this.pick<() => string | Buffer>([
      () => text.slice(0, cut),
      () => `${text}${text}`,
      () => text.replace(/"/g, "'"),
      () => `\ufeff${text}`,
      () => text.slice(0, cut) + String.fromCharCode(this.whole(32)) + text.slice(cut),
      () => Buffer.from(Array.from({ length: this.whole(300) }, () => this.whole(256))),
      () => Buffer.concat([Buffer.from(text.slice(0, cut)), Buffer.from([0xff, 0xfe, 0xc0]), Buffer.from(text.slice(cut))]),
      () => `{"kind":"${kind.kind}","kind":"Other",${text.slice(1)}`,
      () => '',
      () => 'null',
      () => '[]',
    ])()
    return { what: `broken JSON for ${kind.kind}`, method: 'POST', path: pathOf(kind), body }
  }

  #nesting(): Hostile {
    const depth = 10 ** (1 + this.whole(5))
    const body = this.pick([
      nested(depth, '[', ']'),
      nested(depth, '{"a":', '}'),
      `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":${nested(depth, '{"a":', '}', '"b"')}}`,
      nested(depth, '{"spec":', '}', '{}'),
      nested(depth, '[{"a":', '}]'),
    ])
    const method = this.pick(['POST', 'PUT', 'PATCH'])
    return {
      what: `${depth} levels`,
      method,
      path: `${NS}/configmaps${method === 'POST' ? '' : '/stand'}`,
      body,
      ...(method === 'PATCH' ? { type: this.pick([MERGE, STRATEGIC, APPLY]) } : {}),
    }
  }

  #yaml(): Hostile {
    const bomb = `a: &a ["lol","lol","lol","lol"]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n`
    const body = this.pick([
      bomb,
      'a: &a\n  b: *a\n',
      '!!js/function "x"',
      '? [a, b]\n: c',
      `${'- '.repeat(2000)}x`,
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y${this.#serial++}}\ndata: {a: .inf, b: 0o17, c: 2001-01-01, d: ~, e: yes}\n`,
      '%YAML 9.9\n---\na',
      'a: b: c',
      '\t- x',
      '<<: {a: b}\n<<: *x',
      '"\\ud800"',
    ])
    return {
      what: 'odd YAML',
      method: 'POST',
      path: `${NS}/configmaps`,
      body,
      type: this.pick(['application/yaml', 'text/yaml', 'application/x-yaml']),
    }
  }

  #numbers(): Hostile {
    const n = this.pick([
      '1e999',
      '-1e999',
      '1e-999',
      '123456789012345678901234567890',
      '-0',
      '9223372036854775808',
      '2147483648',
      '0.1e1',
      '1E400',
      '00',
      '-',
      '0x10',
    ])
    const field = this.pick(['replicas', 'minReadySeconds', 'revisionHistoryLimit', 'progressDeadlineSeconds'])
    const template = '"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"x"}]}}'
    return {
      what: `${n} for ${field}`,
      method: 'POST',
      path: '/apis/apps/v1/namespaces/fuzz/deployments?dryRun=All',
      body: `{"metadata":{"name":"n"},"spec":{"${field}":${n},"selector":{"matchLabels":{"a":"b"}},${template}}}`,
    }
  }

  #names(): Hostile {
    const name = this.pick([
      '..',
      '.',
      '/',
      'a/b',
      '%',
      '\u0000',
      'a\nb',
      'A',
      '-',
      'ä',
      '💥',
      ' ',
      'a'.repeat(300),
      '__proto__',
      'constructor',
      'hasOwnProperty',
    ])
    const key = this.pick(['', '/', 'a/b/c', '\u0000', 'x'.repeat(400), '__proto__', '💥', 'toString', '-a', 'a-'])
    const metadata = {
      name,
      labels: { [key]: name },
      annotations: { [key]: name },
      finalizers: [key],
      generateName: this.pick([undefined, name]),
    }
    const method = this.pick(['POST', 'PUT', 'GET', 'DELETE', 'PATCH'])
    const at = method === 'POST' ? '' : `/${encodeURIComponent(name)}`
    return {
      what: `the name ${JSON.stringify(name)} and the key ${JSON.stringify(key)}`,
      method,
      path: `${NS}/${this.pick(['configmaps', 'secrets', 'pods', 'services'])}${at}`,
      ...(method === 'GET' || method === 'DELETE' ? {} : { body: JSON.stringify({ metadata, data: { [key]: name } }) }),
      ...(method === 'PATCH' ? { type: MERGE } : {}),
    }
  }

  #long(): Hostile {
    const size = 10 ** (3 + this.whole(4))
    const body = this.pick([
      () => JSON.stringify({ metadata: { name: 'long' }, data: { a: 'x'.repeat(Math.min(size, 4_000_000)) } }),
      () => JSON.stringify({ metadata: { name: 'long' }, data: { ['k'.repeat(Math.min(size, 4_000_000))]: '' } }),
      () =>
        JSON.stringify({
          metadata: { name: 'long', labels: Object.fromEntries(Array.from({ length: Math.min(size, 50_000) }, (_, i) => [`l${i}`, ''])) },
        }),
      () => `${' '.repeat(Math.min(size, 4_000_000))}{}`,
    ])
    return { what: `${size} bytes`, method: 'POST', path: `${NS}/configmaps?dryRun=All`, body: this.pick([body])() }
  }

  #patch(): Hostile {
    const operation = (): object =>
      this.pick([
        { op: 'add', path: '/data/x', value: this.pick(odd) },
        { op: 'remove', path: this.pick(['', '/', '/metadata', '/metadata/name', '/kind', '/data/-', '/data/~2']) },
        { op: 'replace', path: '', value: this.pick(odd) },
        {
          op: 'copy',
          from: this.pick(['', '/data', '/metadata', '/nope']),
          path: this.pick(['/data/y', '/metadata/labels', '/data', '/-']),
        },
        { op: 'move', from: '/data', path: '/data/inner' },
        { op: 'test', path: '/__proto__/x', value: 1 },
        { op: 'add', path: '/__proto__/polluted', value: 'yes' },
        { op: 'add', path: '/constructor/prototype/polluted', value: 'yes' },
        { op: this.pick(['', 'nope', 'ADD']), path: '/x' },
        this.pick(odd) as object,
      ])
    const doubling = [
      { op: 'add', path: '/data', value: { a: 'b' } },
      ...Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/data', path: `/data/k${i}` })),
    ]
    const bodies: [string, () => unknown][] = [
      [JSON_PATCH, () => Array.from({ length: 1 + this.whole(20) }, operation)],
      [JSON_PATCH, () => doubling],
      [JSON_PATCH, () => Array.from({ length: 12_000 }, () => ({ op: 'add', path: '/data/a', value: 'b' }))],
      [MERGE, () => ({ metadata: this.pick(odd), data: this.pick(odd) })],
      [MERGE, () => ({ apiVersion: 'v9', kind: this.pick(odd), metadata: { uid: 'x', resourceVersion: this.pick(odd) } })],
      [STRATEGIC, () => ({ $patch: this.pick(['delete', 'replace', 'merge', 'nope', 5]), data: { $patch: this.pick(odd) } })],
      [
        STRATEGIC,
        () => ({
          metadata: {
            $retainKeys: this.pick(odd),
            '$deleteFromPrimitiveList/finalizers': this.pick(odd),
            '$setElementOrder/ownerReferences': this.pick(odd),
          },
        }),
      ],
      [
        APPLY,
        () => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stand', managedFields: this.pick(odd) }, data: this.pick(odd) }),
      ],
      [APPLY, () => ({ apiVersion: this.pick(odd), kind: this.pick(odd), data: { a: 'b' } })],
      [this.pick(['text/plain', 'application/json', '', 'application/cbor', 'x']), () => ({ data: {} })],
    ]
    const [type, body] = this.pick(bodies)
    return {
      what: `a patch as ${type}`,
      method: 'PATCH',
      path: `${NS}/${this.pick(['configmaps/stand', 'configmaps/none', 'services/stand', 'pods/stand', 'pods/stand/status'])}${type === APPLY ? '?fieldManager=f&force=true' : ''}`,
      body: JSON.stringify(body()),
      type,
    }
  }

  #selector(): Hostile {
    const text = this.pick([
      () => Array.from({ length: 3000 }, (_, i) => `k${i}=v`).join(','),
      () => `a in (${Array.from({ length: 4000 }, (_, i) => i).join(',')})`,
      () => '('.repeat(2000),
      () => 'a in (b',
      () => '!'.repeat(500),
      () => 'a=b=c==d!=e',
      () => ',,,,',
      () => 'a notin ()',
      () => '\u0000=1',
      () => "a=');DROP TABLE objects;--",
      () => 'metadata.name=x,metadata.name!=x,spec.nope=1',
      () => '='.repeat(1000),
    ])()
    const parameter = this.pick(['labelSelector', 'fieldSelector'])
    return {
      what: `a ${parameter}`,
      method: this.pick(['GET', 'DELETE']),
      path: `${NS}/${this.pick(['configmaps', 'events'])}?${parameter}=${encodeURIComponent(text)}&dryRun=All`,
    }
  }

  #cel(): Hostile {
    const rule = this.pick([
      () => nested(5000, '(', ')', 'true'),
      () => Array.from({ length: 3000 }, () => 'true').join(' && '),
      () => 'self.all(a, self.all(b, self.all(c, self.all(d, true))))',
      () => `${'!'.repeat(3000)}true`,
      () => `"${'a'.repeat(20_000)}".matches("${'(a+)+'.repeat(200)}$")`,
      () => `[${Array.from({ length: 20_000 }, (_, i) => i).join(',')}].size() > 0`,
      () => 'self.x.y.z.__proto__.constructor("return process")()',
      () => '"\\u{110000}" == ""',
      () => 'lists.range(100000).map(a, lists.range(100000)).size() > 0',
      () => 'duration("9999999999999999h") > duration("1s") && timestamp("9999-99-99T99:99:99Z") > timestamp(0)',
      () => '1/0 == 1 || 9223372036854775807 + 1 == 0 || -9223372036854775808 - 1 == 0',
      () => '"%s%s%s".format([1])',
      () => '"x".replace("", "y", 100000000)',
      () => 'cel.bind(a, "x", cel.bind(b, a + a, cel.bind(c, b + b, c + c))).size() > 0',
      () => String.fromCodePoint(...Array.from({ length: 50 }, () => 32 + this.whole(90))),
      () => '',
    ])()
    if (this.#random() < 0.5) {
      const plural = `fuzzes${this.#serial++}`
      const schema = {
        type: 'object',
        properties: {
          spec: {
            type: 'array',
            items: { type: 'integer' },
            'x-kubernetes-validations': [{ rule, messageExpression: this.pick([undefined, rule]) }],
          },
        },
      }
      return {
        what: `the rule ${rule.slice(0, 60)}`,
        method: 'POST',
        path: `${CRDS}?dryRun=All`,
        body: JSON.stringify({
          metadata: { name: `${plural}.fuzz.example` },
          spec: {
            group: 'fuzz.example',
            scope: 'Namespaced',
            names: { plural, kind: `Fuzz${this.#serial}` },
            versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
          },
        }),
      }
    }
    if (this.#random() < 0.5)
      return {
        what: 'an object for costly rules',
        method: 'POST',
        path: '/apis/costly.example/v1/namespaces/fuzz/costlies?dryRun=All',
        body: JSON.stringify({ metadata: { name: 'c' }, spec: Array.from({ length: this.whole(2000) }, (_, i) => i) }),
      }
    const match = { resourceRules: [{ operations: ['CREATE'], apiGroups: ['none.example'], apiVersions: ['*'], resources: ['*'] }] }
    return {
      what: `the policy ${rule.slice(0, 60)}`,
      method: 'POST',
      path: '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All',
      body: JSON.stringify({ metadata: { name: 'p' }, spec: { matchConstraints: match, validations: [{ expression: rule }] } }),
    }
  }

  #watch(): Hostile {
    const version = this.pick(['', '0', '-1', '1', '99999999999', '1e9', 'abc', '9'.repeat(40), '%00', ' '])
    const more = this.pick([
      '',
      '&sendInitialEvents=true',
      '&sendInitialEvents=x',
      '&allowWatchBookmarks=true',
      '&resourceVersionMatch=Nope',
      '&limit=1',
      '&continue=x',
    ])
    return {
      what: `a watch from ${version}`,
      method: 'GET',
      path: `${NS}/configmaps?watch=1&timeoutSeconds=${this.pick(['1', '-1', '0.5', 'x', '1'])}&resourceVersion=${encodeURIComponent(version)}${more}`,
    }
  }

  #path(): Hostile {
    const path = this.pick([
      '/api/v1/namespaces/fuzz/configmaps/..%2f..%2fsecrets',
      '/api/v1/namespaces/%2e%2e/pods',
      '/api/v1/namespaces/fuzz/pods/x/log?container=%00',
      '/api/v1/namespaces/fuzz/pods/x/exec?command=%0a',
      '/api//v1//namespaces',
      '/api/v1/namespaces/fuzz/configmaps/%ff%fe',
      '/apis/%00/v1/x',
      '/apis/apps/v1/namespaces/fuzz/deployments/x/nope',
      '/apis/apps/v1/namespaces/fuzz/deployments/x/scale/scale',
      `/api/v1/${'a/'.repeat(500)}`,
      `/${'x'.repeat(20_000)}`,
      '/api/v1/namespaces/fuzz/__proto__/constructor',
      '/apis/__proto__/v1/constructor',
      '/openapi/v3/apis/../../x/y',
      '/kedge/v1/tokens/%00',
      '/clusters/x/api',
      '/hooks/a/b/c',
      '/hooks/%00/%00',
      '/install.sh/../../etc/passwd',
    ])
    return {
      what: `the path ${path.slice(0, 60)}`,
      method: this.pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'PROPFIND']),
      path,
    }
  }

  #parameters(): Hostile {
    const key = this.pick([
      'limit',
      'continue',
      'resourceVersion',
      'timeoutSeconds',
      'gracePeriodSeconds',
      'propagationPolicy',
      'dryRun',
      'fieldManager',
      'fieldValidation',
      'pretty',
      'includeObject',
    ])
    const value = this.pick([
      '-1',
      '0',
      '99999999999999999999',
      'NaN',
      '',
      'x',
      '%00',
      'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ',
      'eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwibnMiOiIiLCJuYW1lIjoiIn0',
      'a'.repeat(3000),
      '../',
    ])
    const method = this.pick(['GET', 'POST', 'DELETE', 'PUT'])
    return {
      what: `${key}=${value.slice(0, 30)}`,
      method,
      path: `${NS}/configmaps${method === 'PUT' || method === 'DELETE' ? '/gone' : ''}?${key}=${encodeURIComponent(value)}`,
      ...(method === 'POST' || method === 'PUT' ? { body: JSON.stringify({ metadata: { name: 'gone' } }) } : {}),
    }
  }

  #headers(): Hostile {
    const headers = this.pick<Record<string, string>>([
      { accept: 'x' },
      { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,'.repeat(200) },
      { accept: 'application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io' },
      { accept: ';;;;,,,,' },
      { 'content-type': 'application/vnd.kubernetes.protobuf' },
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${'a.'.repeat(2000)}` },
      { authorization: 'Basic !!!' },
      { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' },
      { 'impersonate-uid': 'x' },
      { 'impersonate-extra-%zz': 'x', 'impersonate-user': 'x' },
      { connection: 'upgrade', upgrade: 'nope' },
      { 'content-encoding': 'gzip' },
      { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' },
    ])
    return {
      what: `the header ${JSON.stringify(headers).slice(0, 60)}`,
      method: this.pick(['GET', 'POST']),
      path: `${NS}/configmaps`,
      headers,
      body: '{"metadata":{"name":"h"}}',
    }
  }

  #protobuf(): Hostile {
    const bytes = Array.from({ length: this.whole(200) }, () => this.whole(256))
    const body = Buffer.from([
      0x6b,
      0x38,
      0x73,
      0x00,
      ...this.pick([
        bytes,
        [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, ...bytes],
        [0x0a, 0x0f, 0x0a, 0x02, 0x76, 0x31, 0x12, 0x09, ...Buffer.from('ConfigMap'), 0x12, bytes.length & 0x7f, ...bytes],
      ]),
    ])
    return {
      what: 'odd protobuf',
      method: 'POST',
      path: `${NS}/${this.pick(['configmaps', 'pods'])}`,
      body,
      type: 'application/vnd.kubernetes.protobuf',
    }
  }

  #stall(): Hostile {
    return {
      what: 'a body that does not come',
      method: 'POST',
      path: `${NS}/configmaps`,
      body: '{"metadata":{"name":"st',
      stallMs: 200 + this.whole(1500),
    }
  }
}

export const typeOf = (h: Hostile): string => h.type ?? JSON_TYPE
