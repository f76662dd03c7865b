// Differences as patches.
import { expect, test } from 'vitest'
import { jsonDiff } from './diff.ts'

test.each<[any, any, any[]]>([
  [{ a: 1 }, { a: 1 }, []],
  [{ a: 1 }, { a: 2 }, [{ op: 'replace', path: '/a', value: 2 }]],
  [
    { a: 1 },
    { b: 1 },
    [
      { op: 'remove', path: '/a' },
      { op: 'add', path: '/b', value: 1 },
    ],
  ],
  [{ 'a/b': { '~c': 1 } }, { 'a/b': { '~c': 2 } }, [{ op: 'replace', path: '/a~1b/~0c', value: 2 }]],
  [{ l: [1, { x: 1 }] }, { l: [1, { x: 2 }] }, [{ op: 'replace', path: '/l/1/x', value: 2 }]],
  [{ l: [1] }, { l: [1, 2] }, [{ op: 'replace', path: '/l', value: [1, 2] }]],
  [{ v: null }, { v: {} }, [{ op: 'replace', path: '/v', value: {} }]],
])('%j to %j', (from, to, wanted) => expect(jsonDiff(from, to)).toEqual(wanted))
