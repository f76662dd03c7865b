// What stands ready before hostile requests come: a namespace, an object of each kind that they are about, definitions with rules.
import { CRDS, NS } from './hostile.ts'

/** What the requests are about: a namespace, objects that stand still, and a definition with rules that cost much. */
export const stage: { path: string; body: object }[] = [
  { path: '/api/v1/namespaces', body: { metadata: { name: 'fuzz' } } },
  { path: `${NS}/configmaps`, body: { metadata: { name: 'stand', labels: { a: 'b' } }, data: { a: 'b' } } },
  { path: `${NS}/services`, body: { metadata: { name: 'stand' }, spec: { ports: [{ port: 80 }] } } },
  {
    path: CRDS,
    body: {
      metadata: { name: 'costlies.costly.example' },
      spec: {
        group: 'costly.example',
        scope: 'Namespaced',
        names: { plural: 'costlies', kind: 'Costly' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'array',
                    items: { type: 'integer' },
                    'x-kubernetes-validations': [
                      { rule: 'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))' },
                      { rule: 'self.map(a, self.map(b, string(a) + string(b))).size() >= 0' },
                    ],
                  },
                },
              },
            },
          },
        ],
      },
    },
  },
]
