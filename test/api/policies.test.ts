// Admission policies, as those meet them who write objects: refusals, warnings, changes, parameters, on both platforms.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Ask } from './ask.ts'
import { type Server, startServer } from './server.ts'

const API = '/apis/admissionregistration.k8s.io/v1'
const MERGE = 'application/merge-patch+json'
const on = (...resources: string[]) => ({
  resourceRules: [{ operations: ['CREATE', 'UPDATE', 'DELETE'], apiGroups: ['', 'apps'], apiVersions: ['v1'], resources }],
})

describe.each(['node', 'workers'])('on %s', (platform) => {
  let server: Server
  let send: Ask
  let ns: string
  let serial = 0
  const made: string[] = []
  beforeAll(async () => {
    server = await startServer(platform)
    send = server.send
  })
  afterAll(() => server?.stop())
  beforeEach(async () => {
    ns = `ns-${serial++}`
    await send('POST', '/api/v1/namespaces', { metadata: { name: ns, labels: { where: ns } } })
  })
  afterEach(async () => {
    for (const path of made.splice(0)) await send('DELETE', path)
  })

  const make = async (plural: string, name: string, spec: object) => {
    const answer = await send('POST', `${API}/${plural}`, { metadata: { name }, spec })
    expect(answer.code, JSON.stringify(answer.body.message ?? '')).toBe(201)
    made.push(`${API}/${plural}/${name}`)
  }
  /** A policy that is bound to this test's namespace. */
  const validating = async (name: string, spec: object, binding: object = {}) => {
    await make('validatingadmissionpolicies', name, spec)
    const matchResources = { namespaceSelector: { matchLabels: { where: ns } } }
    await make('validatingadmissionpolicybindings', name, { policyName: name, validationActions: ['Deny'], matchResources, ...binding })
  }
  const mutating = async (name: string, mutations: object[], more: object = {}) => {
    await make('mutatingadmissionpolicies', name, { reinvocationPolicy: 'Never', matchConstraints: changing, mutations, ...more })
    await make('mutatingadmissionpolicybindings', name, {
      policyName: name,
      matchResources: { namespaceSelector: { matchLabels: { where: ns } } },
    })
  }
  const changing = {
    resourceRules: [{ operations: ['CREATE'], apiGroups: ['*'], apiVersions: ['*'], resources: ['configmaps', 'deployments', 'pods'] }],
  }
  const map = (name: string, data: object = {}, metadata: object = {}) =>
    send('POST', `/api/v1/namespaces/${ns}/configmaps`, { metadata: { name, ...metadata }, data })

  test('a rule refuses with its message and reason, in the namespaces that are bound', async () => {
    await validating('no-x', {
      matchConstraints: on('configmaps'),
      variables: [{ name: 'keys', expression: 'has(object.data) ? object.data.map(k, k) : []' }],
      validations: [
        {
          expression: 'object == null || !("x" in variables.keys)',
          messageExpression: '"x among " + variables.keys.join(",")',
          reason: 'Forbidden',
        },
        { expression: 'object == null || object.metadata.name.size() < 20', message: 'too long' },
      ],
    })
    expect((await map('fine', { a: '1' })).code).toBe(201)
    const refused = await map('bad', { x: '1', y: '2' })
    expect(refused).toMatchObject({
      code: 403,
      body: {
        reason: 'Forbidden',
        message: `configmaps "bad" is forbidden: ValidatingAdmissionPolicy 'no-x' with binding 'no-x' denied request: x among x,y`,
      },
    })
    const long = await map('a'.repeat(30))
    expect([long.code, long.body.reason, long.body.message]).toEqual([422, 'Invalid', expect.stringMatching(/denied request: too long$/)])
    const updated = await send('PATCH', `/api/v1/namespaces/${ns}/configmaps/fine`, { data: { x: '1' } }, undefined, MERGE)
    expect(updated.code).toBe(403)
    expect(
      (await send('POST', '/api/v1/namespaces/default/configmaps?dryRun=All', { metadata: { name: 'q' }, data: { x: '' } })).code,
    ).toBe(201)
  })

  test('deletion can be refused; the old object is what it speaks of', async () => {
    await validating('keep', {
      matchConstraints: on('configmaps'),
      matchConditions: [{ name: 'deletions', expression: 'request.operation == "DELETE"' }],
      validations: [{ expression: '!has(oldObject.metadata.labels) || !("keep" in oldObject.metadata.labels)', message: 'kept' }],
    })
    await map('a', {}, { labels: { keep: '' } })
    const refused = await send('DELETE', `/api/v1/namespaces/${ns}/configmaps/a`)
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringMatching(/denied request: kept$/)])
    await send('PATCH', `/api/v1/namespaces/${ns}/configmaps/a`, { metadata: { labels: { keep: null } } }, undefined, MERGE)
    expect((await send('DELETE', `/api/v1/namespaces/${ns}/configmaps/a`)).code).toBe(200)
  })

  test('warnings, parameters, and what fails', async () => {
    const limits = { metadata: { name: 'limits', labels: { limits: ns } }, data: { max: '2' } }
    await send('POST', `/api/v1/namespaces/${ns}/configmaps`, limits)
    const policy = {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      matchConstraints: on('deployments'),
      validations: [
        { expression: 'object == null || object.spec.replicas <= int(params.data.max)', messageExpression: '"at most " + params.data.max' },
      ],
    }
    const paramRef = { name: 'limits', parameterNotFoundAction: 'Deny' }
    await validating('max', policy, { paramRef, validationActions: ['Warn'] })
    const deployment = (name: string, replicas: number) =>
      send('POST', `/apis/apps/v1/namespaces/${ns}/deployments`, {
        metadata: { name },
        spec: {
          replicas,
          selector: { matchLabels: { a: 'b' } },
          template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'x' }] } },
        },
      })
    const warned = await deployment('d', 3)
    expect([warned.code, warned.warnings]).toEqual([
      201,
      ["Validation failed for ValidatingAdmissionPolicy 'max' with binding 'max': at most 2"],
    ])
    await validating('gone', policy, { paramRef: { name: 'nope', parameterNotFoundAction: 'Deny' } })
    const refused = await deployment('e', 1)
    expect([refused.code, refused.body.message]).toEqual([
      422,
      expect.stringMatching(/failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/),
    ])
    await send('PATCH', `${API}/validatingadmissionpolicies/gone`, { spec: { failurePolicy: 'Ignore' } }, undefined, MERGE)
    expect((await deployment('e', 1)).code).toBe(201)
  })

  test('an error in an expression refuses, unless it is to be ignored; the authorizer answers', async () => {
    await validating('odd', { matchConstraints: on('configmaps'), validations: [{ expression: 'object.data.nope == "1"' }] })
    const refused = await map('a', { b: '' })
    expect([refused.code, refused.body.message]).toEqual([
      422,
      expect.stringMatching(/expression 'object.data.nope == "1"' resulted in error: no such key: nope$/),
    ])
    await send('PATCH', `${API}/validatingadmissionpolicies/odd`, { spec: { failurePolicy: 'Ignore' } }, undefined, MERGE)
    expect((await map('a', { b: '' })).code).toBe(201)
    await validating('may', {
      matchConstraints: on('secrets'),
      validations: [
        { expression: 'authorizer.requestResource.check("create").allowed()', message: 'the admin may' },
        {
          expression: `!authorizer.serviceAccount("${ns}", "default").group("").resource("secrets").namespace("${ns}").check("get").allowed()`,
        },
      ],
    })
    expect((await send('POST', `/api/v1/namespaces/${ns}/secrets`, { metadata: { name: 's' } })).code).toBe(201)
  })

  test('an expression without end is stopped', async () => {
    const loop = 'lists.range(2000).all(a, lists.range(2000).all(b, lists.range(2000).all(c, true)))'
    await validating('slow', { matchConstraints: on('configmaps'), validations: [{ expression: loop }] })
    const refused = await map('a')
    expect([refused.code, refused.body.message]).toEqual([422, expect.stringMatching(/actual cost limit exceeded$/)])
  })

  test('what is to be changed is changed before it is judged: patches, applied objects, lists by key', async () => {
    await mutating('labels', [
      {
        patchType: 'JSONPatch',
        jsonPatch: {
          expression:
            'has(object.metadata.labels) ? [JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a/team"), value: "blue"}]' +
            ' : [JSONPatch{op: "add", path: "/metadata/labels", value: {"a/team": "blue"}}]',
        },
      },
    ])
    await validating('team', {
      matchConstraints: on('configmaps'),
      validations: [{ expression: 'object == null || object.metadata.labels["a/team"] == "blue"' }],
    })
    expect((await map('a')).body.metadata.labels).toEqual({ 'a/team': 'blue' })
    expect((await map('b', {}, { labels: { x: 'y' } })).body.metadata.labels).toEqual({ x: 'y', 'a/team': 'blue' })
    await mutating(
      'side',
      [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: {
            expression:
              'Object{spec: Object.spec{containers: [Object.spec.containers{name: "c", image: "y"}, Object.spec.containers{name: "side", image: "z"}]}}',
          },
        },
      ],
      { matchConditions: [{ name: 'pods', expression: 'request.kind.kind == "Pod"' }] },
    )
    const pod = await send('POST', `/api/v1/namespaces/${ns}/pods`, {
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'c', image: 'x' }] },
    })
    expect(pod.body.spec.containers.map((c: any) => [c.name, c.image, c.terminationMessagePath])).toEqual([
      ['c', 'y', '/dev/termination-log'],
      ['side', 'z', '/dev/termination-log'],
    ])
    await mutating('broken', [
      { patchType: 'JSONPatch', jsonPatch: { expression: '[JSONPatch{op: "replace", path: "/nope/x", value: 1}]' } },
    ])
    const refused = await map('c')
    expect([refused.code, refused.body.message]).toEqual([
      403,
      expect.stringMatching(/MutatingAdmissionPolicy 'broken' with binding 'broken' denied request/),
    ])
  })
})
