// The language of rules: what Kubernetes' libraries answer, what does not compile, and what costs too much.
import { Optional } from '@marcbachmann/cel-js'
import { describe, expect, test } from 'vitest'
import { CALL_LIMIT } from './budget.ts'
import { compile, newEnvironment } from './environment.ts'
import { toJson } from './values.ts'

const numbers = Array.from({ length: 1000 }, (_, i) => BigInt(i))
const env = newEnvironment()
  .registerVariable('self', 'dyn')
  .registerVariable('l', 'list<int>')
  .registerVariable('m', 'map<string, int>')
  .registerVariable('o', 'optional<int>')
const variables = {
  self: { x: { y: 2n }, big: numbers, text: 'x'.repeat(10_000) },
  l: [0n, 1n, 2n],
  m: { a: 1n },
  o: Optional.none(),
}
const run = (source: string) => compile(env, source).run(variables, CALL_LIMIT)
const failure = (f: () => unknown): string => {
  try {
    f()
  } catch (e) {
    return (e as Error).message
  }
  return 'nothing'
}

describe('values', () => {
  const cases: [string, unknown][] = [
    ['self.x.y > 1 && has(self.x) && !has(self.z)', true],
    ['self.?x.?z.orValue("none")', 'none'],
    ['l.all(i, v, i == v)', true],
    ['l.exists(i, v, v == 2)', true],
    ['l.existsOne(i, v, v >= 1)', false],
    ['l.transformList(i, v, v > 0, v * 2)', [2, 4]],
    ['m.transformMap(k, v, v + 1)', { a: 2 }],
    ['o.optMap(x, x + 1).orValue(7)', 7],
    ['optional.of(1).optFlatMap(x, optional.of(x + 1)).value()', 2],
    ['"abc".matches("^a.c$") && matches("abc", "b")', true],
    ['"a1b22".findAll("[0-9]+")', ['1', '22']],
    ['"a1b22".findAll("[0-9]+", 1)', ['1']],
    ['"abc".find("z")', ''],
    ['"abc".charAt(1) + "abc".reverse() + "aXa".replace("a", "b", 1)', 'bcbabXa'],
    ['"%s is %d, %.2f, %x, %b and %s".format(["x", 5, 1.5, 255, true, [1, "a"]])', 'x is 5, 1.50, ff, 1 and [1, "a"]'],
    ['strings.quote("a\\"b")', '"a\\"b"'],
    ['jsonpatch.escapeKey("a/b~c")', 'a~1b~0c'],
    ['[3, 1, 2].sort() == [1, 2, 3] && [1, 2, 2].isSorted() && [1, 2, 2].distinct().size() == 2', true],
    ['[1, 2, 3].sum() + [1, 5, 2].max() - [4, 2].min()', 9],
    ['[1, 2, 1].indexOf(1) + [1, 2, 1].lastIndexOf(1)', 2],
    ['[1, 2, 3].slice(1, 3).reverse() == [3, 2] && [[1], [2]].flatten() == [1, 2] && lists.range(2) == [0, 1]', true],
    ['sets.contains([1, 2], [1]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])', true],
    ['quantity("1Gi").isGreaterThan(quantity("500Mi")) && quantity("1") == quantity("1000m")', true],
    ['quantity("50M").add(quantity("20k")).sub(20000).asInteger()', 50_000_000],
    ['isQuantity("1Gx") || quantity("-1").sign() != -1', false],
    ['ip("10.0.0.1").family() == 4 && ip("::1").isLoopback() && isIP("1.2.3")', false],
    ['cidr("10.0.0.0/8").containsIP("10.1.2.3") && cidr("10.0.0.0/8").containsCIDR("10.1.0.0/16")', true],
    ['string(cidr("192.168.1.5/24").masked()) + string(ip("2001:db8::0:1"))', '192.168.1.0/242001:db8::1'],
    ['ip.isCanonical("2001:db8:0::1")', false],
    ['url("https://a.b:8080/c?d=e").getHost() + url("/x/y").getEscapedPath()', 'a.b:8080/x/y'],
    ['url("https://a?x=1&x=2").getQuery()', { x: ['1', '2'] }],
    ['isURL("nope") || isURL("//host/path")', false],
    ['semver("1.2.3-rc.1").isLessThan(semver("1.2.3")) && semver("v1.02", true).minor() == 2', true],
    ['format.dns1123Label().validate("A_b").hasValue() && !format.named("nope").hasValue()', true],
    ['timestamp("2024-01-01T00:00:00Z") == timestamp("2024-01-01T00:00:00.000Z") && duration("1h") > duration("30m")', true],
    ['self.x == {"y": 2} && self.x != {"y": 3} && self.x.y == 2.0 && {"y": 2} in [self.x]', true],
    ['1 in l && "a" in m && !(5 in l)', true],
    ['self.nope == 1 || true', true],
  ]
  test.each(cases)('%s', (source, value) => {
    expect(toJson(run(source).value)).toEqual(value)
  })
})

describe('what does not compile', () => {
  const cases: [string, string][] = [
    ['foo > 1', "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo > 1\n | ^"],
    ['1 +', 'ERROR: <input>:1:4: Unexpected token: EOF\n | 1 +\n | ...^'],
    ['l.matches("x")', 'ERROR: <input>:1:1: found no matching overload for \'list.matches(string)\'\n | l.matches("x")\n | ^'],
  ]
  test.each(cases)('%s', (source, message) => {
    expect(failure(() => compile(env, source))).toBe(message)
  })
  test('a type that is not wanted', () => {
    expect(failure(() => compile(env, '1 + 1', ['bool']))).toBe('must evaluate to bool')
  })
})

describe('what goes wrong while it runs', () => {
  const cases: [string, string][] = [
    ['m["z"] == 1', 'no such key: z'],
    ['l[7] == 1', 'index out of bounds, index 7 >= size 3'],
    ['1 / (self.x.y - 2) == 1', 'division by zero'],
    ['"a".matches("(")', 'error parsing regexp: error parsing regexp: missing closing ): `(`'],
  ]
  test.each(cases)('%s', (source, message) => {
    expect(failure(() => run(source))).toBe(message)
  })
})

describe('what costs too much stops', () => {
  const spent = 'operation cancelled: actual cost limit exceeded'
  const cases = [
    'self.big.all(a, self.big.all(b, self.big.all(c, true)))',
    // Swallowing the error does not help.
    'self.big.exists(a, self.big.all(b, self.big.all(c, true))) || true',
    'self.big.map(a, self.big.map(b, self.text + self.text)).size() > 0',
    'self.big.all(a, self.big == self.big.map(x, x))',
    'self.big.map(a, self.big.map(b, "%s-%s".format([a, self.text]))).size() > 0',
  ]
  test.each(cases)('%s', (source) => {
    expect(failure(() => run(source))).toBe(spent)
  })
  test('a pattern that would keep a backtracking engine busy is quick', () => {
    expect(run('(self.text + "!").matches("(x+x+)+y")').value).toBe(false)
  })
})
