// SPDX-License-Identifier: Apache-2.0
// ioredis: strings, pipelines by hand and automatic ones, transactions, streams of keys, messages,
// commands of one's own.
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { play, ports, refused, until } from './harness.mjs';

const [a, b] = ports.map((port) => new Redis(port, '127.0.0.1'));

await play({
  'ioredis: strings and expiry': async () => {
    assert.equal(await a.set('io:s', 'v', 'PX', 100000, 'NX'), 'OK');
    assert.equal(await b.set('io:s', 'w', 'NX'), null);
    assert.ok((await b.pttl('io:s')) > 90000);
    assert.equal(await b.getset('io:s', 'w'), 'v');
    assert.equal(await a.setnx('io:s', 'x'), 0);
    assert.equal(await a.expire('io:s', 10, 'XX'), 0);
    assert.equal(await a.expire('io:s', 10, 'NX'), 1);
    assert.equal(await a.incrbyfloat('io:f', '1.5'), '1.5');
    assert.deepEqual(await b.mget('io:s', 'io:none'), ['w', null]);
    assert.deepEqual(await a.getBuffer('io:s'), Buffer.from('w'));
    assert.equal(await b.unlink('io:s', 'io:f'), 2);
    await refused(a.get(), /wrong number of arguments/);
  },
  'ioredis: pipelines': async () => {
    const pipeline = a.pipeline();
    for (let i = 0; i < 1000; i++) pipeline.set(`io:p:${i}`, i);
    assert.ok((await pipeline.exec()).every(([error, reply]) => !error && reply === 'OK'));
    const mixed = await b.pipeline().get('io:p:999').lpush('io:p:1').set('io:p:1', 'x').exec();
    assert.deepEqual(mixed[0], [null, '999']);
    assert.ok(mixed[1][0] instanceof Error);
    assert.deepEqual(mixed[2], [null, 'OK']);
    const automatic = new Redis(ports[2], '127.0.0.1', { enableAutoPipelining: true });
    const all = Array.from({ length: 1000 }, (_, i) => automatic.get(`io:p:${i}`));
    assert.equal((await Promise.all(all)).filter((each) => each !== null).length, 1000);
    await automatic.quit();
  },
  'ioredis: transactions': async () => {
    const replies = await a.multi().set('io:t', 1).incr('io:t').get('io:t').exec();
    assert.deepEqual(replies, [[null, 'OK'], [null, 2], [null, '2']]);
    await a.watch('io:t');
    await b.incr('io:t');
    assert.equal(await a.multi().set('io:t', 'lost').exec(), null);
    assert.equal(await b.get('io:t'), '3');
    await refused(a.multi().set('io:t').exec(), /EXECABORT/);
    await a.multi({ pipeline: false });
    assert.equal(await a.set('io:t', 5), 'QUEUED');
    assert.deepEqual(await a.exec(), [[null, 'OK']]);
  },
  'ioredis: a stream of keys': async () => {
    const pipeline = a.pipeline();
    for (let i = 0; i < 400; i++) pipeline.set(`io:scan:${i}`, i);
    await pipeline.exec();
    const seen = new Set();
    for await (const keys of b.scanStream({ match: 'io:scan:*', count: 100 })) {
      keys.forEach((each) => seen.add(each));
    }
    assert.equal(seen.size, 400);
    const removed = [];
    for await (const keys of b.scanStream({ match: 'io:scan:*' })) {
      if (keys.length) removed.push(await a.unlink(...keys));
    }
    assert.equal(removed.reduce((x, y) => x + y, 0), 400);
  },
  'ioredis: messages': async () => {
    const listener = new Redis(ports[2], '127.0.0.1');
    const got = [];
    listener.on('message', (channel, message) => got.push(`${channel} ${message}`));
    listener.on('pmessage', (pattern, channel, message) => got.push(`${pattern} ${message}`));
    assert.equal(await listener.subscribe('io:one', 'io:two'), 2);
    assert.equal(await listener.psubscribe('io:o*'), 3);
    await a.publish('io:one', '1');
    await b.publish('io:two', '2');
    await until('three messages', () => got.length === 3);
    assert.deepEqual(got.sort(), ['io:o* 1', 'io:one 1', 'io:two 2']);
    await refused(listener.get('io:t'), /subscriber mode/);
    await listener.quit();
  },
  'ioredis: commands of one\'s own': async () => {
    const lua = "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])";
    for (const client of [a, b]) client.defineCommand('putAndGet', { numberOfKeys: 1, lua });
    assert.equal(await a.putAndGet('io:own', 'mine'), 'mine');
    assert.equal(await b.putAndGet('io:own', 'yours'), 'yours');
    const replies = await a.pipeline().putAndGet('io:own', '1').get('io:own').exec();
    assert.deepEqual(replies, [[null, '1'], [null, '1']]);
  },
  'ioredis: a monitor': async () => {
    const monitor = await a.monitor();
    const seen = [];
    monitor.on('monitor', (_time, words) => seen.push(words.join(' ')));
    await a.set('io:watched', 'x');
    await until('the command', () => seen.includes('set io:watched x'));
    monitor.disconnect();
  },
  'ioredis: reconnects, and keeps its subscriptions': async () => {
    const client = new Redis(ports[1], '127.0.0.1', { retryStrategy: () => 1 });
    const got = [];
    client.on('message', (_channel, message) => got.push(message));
    await client.subscribe('io:again');
    const [, id] = /id=(\d+) [^\n]*sub=1 /.exec(await b.client('LIST', 'TYPE', 'pubsub'));
    assert.equal(await b.client('KILL', 'ID', id), 1);
    await until('the message', async () => (await b.publish('io:again', 'still')) && got.length);
    assert.equal(got[0], 'still');
    await client.quit();
  },
});
