// SPDX-License-Identifier: Apache-2.0
// memjs, which speaks memcached's binary protocol, and Keyv over it.
import assert from 'node:assert/strict';
import KeyvMemcache from '@keyv/memcache';
import Keyv from 'keyv';
import memjs from 'memjs';
import { passed, play, ports } from './harness.mjs';

const [a, b] = ports.map((port) => memjs.Client.create(`127.0.0.1:${port}`));
const text = (reply) => reply.value?.toString() ?? null;

await play({
  'memjs: values': async () => {
    assert.equal(await a.set('mj:s', 'v', { expires: 100 }), true);
    assert.equal(text(await b.get('mj:s')), 'v');
    assert.equal(text(await b.get('mj:none')), null);
    assert.equal(await b.add('mj:s', 'w', {}), false);
    assert.equal(await b.replace('mj:s', 'w', {}), true);
    assert.equal(await b.replace('mj:none', 'w', {}), false);
    assert.equal(await a.append('mj:s', 'x'), true);
    assert.equal(text(await b.get('mj:s')), 'wx'); // its prepend sends an append
    assert.equal(await b.touch('mj:s', 1000), true);
    assert.equal(await a.delete('mj:s'), true);
    assert.equal(await a.delete('mj:s'), false);
  },
  'memjs: counters': async () => {
    assert.equal((await a.increment('mj:n', 1, { initial: 10 })).value, 10);
    assert.equal((await b.increment('mj:n', 5, { initial: 10 })).value, 15);
    assert.equal((await a.decrement('mj:n', 100, {})).value, 0);
  },
  'memjs: many at once': async () => {
    const stored = await passed(200, (i) => a.set(`mj:m:${i}`, `value ${i}`, {}));
    assert.equal(stored, 200);
    const read = await passed(200, async (i) => text(await b.get(`mj:m:${i}`)) === `value ${i}`);
    assert.equal(read, 200);
    const large = Buffer.alloc(900 * 1024, 'x');
    assert.equal(await a.set('mj:large', large, {}), true);
    assert.deepEqual((await b.get('mj:large')).value, large);
    await assert.rejects(a.set('mj:large', Buffer.alloc(1100 * 1024, 'x'), {}), /too large/i);
  },
  'memjs: what the server tells': async () => {
    const stats = await new Promise((resolve, reject) => {
      a.stats((error, _server, answer) => (error ? reject(error) : resolve(answer)));
    });
    assert.ok(Number(stats.cmd_set) > 0 && Number(stats.curr_items) > 0);
    assert.match(stats.version, /^1\.6\./);
  },
  '@keyv/memcache': async () => {
    const open = (port) => new Keyv({
      store: new KeyvMemcache(`127.0.0.1:${port}`), namespace: 'kv',
    });
    const [one, two] = [open(ports[0]), open(ports[2])];
    const value = { name: 'a', list: [1, 2, 3], none: null };
    assert.equal(await one.set('object', value, 50000), true);
    assert.deepEqual(await two.get('object'), value);
    assert.equal(await two.has('object'), true);
    assert.deepEqual(await two.get(['object', 'absent']), [value, undefined]);
    assert.equal(await two.delete('object'), true);
    assert.equal(await one.get('object'), undefined);
    await one.set('object', value);
    await one.clear();
    assert.equal(await two.get('object'), undefined);
  },
});
