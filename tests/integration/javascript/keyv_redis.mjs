// SPDX-License-Identifier: Apache-2.0
// Keyv over Redis: values, lifetimes, namespaces.
import assert from 'node:assert/strict';
import KeyvRedis from '@keyv/redis';
import Keyv from 'keyv';
import { play, ports, until } from './harness.mjs';

const open = (port, namespace) => new Keyv(
  new KeyvRedis(`redis://127.0.0.1:${port}`, { throwOnErrors: true }),
  { namespace, throwOnErrors: true },
);
const [one, two] = ports.map((port) => open(port, 'first'));
const other = open(ports[2], 'second');

await play({
  '@keyv/redis: values': async () => {
    const value = { name: 'a', list: [1, 2, 3], deep: { none: null } };
    assert.equal(await one.set('object', value), true);
    assert.deepEqual(await two.get('object'), value);
    assert.equal(await other.get('object'), undefined);
    assert.equal(await two.has('object'), true);
    assert.equal(await two.delete('object'), true);
    assert.equal(await one.get('object'), undefined);
  },
  '@keyv/redis: many': async () => {
    const entries = Array.from({ length: 50 }, (_, i) => ({ key: `many:${i}`, value: i }));
    await one.setMany(entries);
    const keys = entries.map((each) => each.key);
    assert.deepEqual(await two.getMany([...keys, 'none']), [...keys.keys(), undefined]);
    assert.deepEqual(await two.hasMany(['many:1', 'none']), [true, false]);
    assert.equal(await two.delete(keys.slice(0, 25)), true);
    assert.deepEqual(await one.getMany(keys.slice(24, 26)), [undefined, 25]);
  },
  '@keyv/redis: lifetimes': async () => {
    await one.set('short', 'x', 30);
    await one.set('long', 'x', 100000);
    await until('the end of it', async () => (await two.get('short')) === undefined);
    assert.equal(await two.get('long'), 'x');
  },
  '@keyv/redis: an iterator, and clear of one namespace': async () => {
    await one.clear();
    await other.set('kept', 1);
    for (let i = 0; i < 100; i++) await one.set(`it:${i}`, i);
    const seen = new Map();
    for await (const [key, value] of two.iterator('first')) seen.set(key, value);
    assert.equal(seen.size, 100);
    await two.clear();
    assert.equal(await one.get('it:7'), undefined);
    assert.equal(await other.get('kept'), 1);
  },
});
