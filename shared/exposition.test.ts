// What Prometheus reads.
import { expect, test } from 'vitest'
import { exposition } from './exposition.ts'

test('families with their samples, labels escaped; those without samples are left out', () => {
  const text = exposition([
    {
      name: 'a_total',
      help: 'What\nit is.',
      type: 'counter',
      samples: [{ value: 1.5 }, { labels: { x: 'a "b" \\ \n', y: '' }, value: 2, at: 3.4 }],
    },
    { name: 'b', help: '', type: 'gauge', samples: [] },
  ])
  expect(text).toBe('# HELP a_total What\\nit is.\n# TYPE a_total counter\na_total 1.5\na_total{x="a \\"b\\" \\\\ \\n",y=""} 2 3\n')
})
