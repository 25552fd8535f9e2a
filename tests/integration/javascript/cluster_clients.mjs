// SPDX-License-Identifier: Apache-2.0
// Clients that route by themselves, against `partitioner: slots`: ioredis Cluster, and the cluster
// of node-redis.
import assert from 'node:assert/strict';
import { Cluster } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { createCluster } from 'redis';
import Redlock from 'redlock';
import { passed, play, ports, refused, until } from './harness.mjs';

const io = new Cluster(ports.map((port) => ({ host: '127.0.0.1', port })));
const other = new Cluster([{ host: '127.0.0.1', port: ports[2] }], { scaleReads: 'all' });
const rootNodes = [{ url: `redis://127.0.0.1:${ports[1]}` }];
const nr = await createCluster({ rootNodes, RESP: 3 }).connect();
const keys = Array.from({ length: 200 }, (_, i) => `cl:${i}`);

await play({
  'ioredis Cluster: keys': async () => {
    await Promise.all(keys.map((each, i) => io.set(each, i, 'EX', 1000)));
    const read = await Promise.all(keys.map((each) => other.get(each)));
    assert.deepEqual(read, keys.map((_, i) => String(i)));
    assert.deepEqual(await io.mget('cl:{t}1', 'cl:{t}2'), [null, null]);
    const nodes = io.nodes('master').map((each) => each.options.port).sort();
    assert.deepEqual(nodes, [...ports].sort());
  },
  'ioredis Cluster: pipelines, transactions, scripts': async () => {
    const pipeline = io.pipeline();
    for (let i = 0; i < 50; i++) pipeline.incr('cl:{n}count');
    assert.equal((await pipeline.exec()).at(-1)[1], 50);
    const replies = await io.multi().set('cl:{n}a', 1).incr('cl:{n}a').get('cl:{n}count').exec();
    assert.deepEqual(replies, [[null, 'OK'], [null, 2], [null, '50']]);
    io.defineCommand('both', {
      numberOfKeys: 2, lua: "return redis.call('mget', KEYS[1], KEYS[2])",
    });
    assert.deepEqual(await io.both('cl:{n}a', 'cl:{n}count'), ['2', '50']);
    await refused(io.both('cl:1', 'cl:2'), /CROSSSLOT/);
  },
  'ioredis Cluster: every key of every node': async () => {
    const seen = new Set();
    for (const node of io.nodes('master')) {
      for await (const page of node.scanStream({ match: 'cl:*' })) page.forEach((k) => seen.add(k));
    }
    assert.ok(keys.every((each) => seen.has(each)));
  },
  'ioredis Cluster: messages': async () => {
    const got = [];
    const sharded = new Cluster(ports.map((port) => ({ host: '127.0.0.1', port })), {
      shardedSubscribers: true,
    });
    sharded.on('message', (channel, message) => got.push(`${channel} ${message}`));
    sharded.on('smessage', (channel, message) => got.push(`${channel} ${message}`));
    await sharded.subscribe('cl:news');
    await sharded.ssubscribe('cl:shard');
    await io.publish('cl:news', '1');
    await io.spublish('cl:shard', '2');
    await until('both messages', () => got.length === 2);
    assert.deepEqual(got.sort(), ['cl:news 1', 'cl:shard 2']);
    sharded.disconnect();
  },
  'redlock of several keys with one tag': async () => {
    const locks = [io, other].map((client) => new Redlock([client], { retryCount: 0 }));
    const held = await locks[0].lock(['cl:{r}1', 'cl:{r}2'], 1000);
    await assert.rejects(locks[1].lock('cl:{r}2', 1000));
    const longer = await held.extend(50000);
    assert.ok((await other.pttl('cl:{r}2')) > 40000);
    await longer.unlock();
    await (await locks[1].lock('cl:{r}2', 1000)).unlock();
  },
  'rate-limiter-flexible on ioredis Cluster': async () => {
    const limiters = [io, other].map((storeClient) => new RateLimiterRedis({
      storeClient, points: 25, duration: 100, keyPrefix: 'cl:rlf',
    }));
    const through = await passed(100, (i) => limiters[i % 2].consume('u').then(() => true, () => false));
    assert.equal(through, 25);
  },
  'node-redis cluster: keys': async () => {
    await Promise.all(keys.map((each, i) => nr.set(each, String(i + 1))));
    const read = await Promise.all(keys.map((each) => nr.get(each)));
    assert.deepEqual(read, keys.map((_, i) => String(i + 1)));
    assert.equal(nr.masters.length, 3);
    const replies = await nr.multi().set('cl:{m}a', '1').incr('cl:{m}a').exec();
    assert.deepEqual(replies, ['OK', 2]);
    const run = { keys: ['cl:{m}a'], arguments: ['5'] };
    assert.equal(await nr.eval("return redis.call('incrby', KEYS[1], ARGV[1])", run), 7);
  },
  'node-redis cluster: scans and messages': async () => {
    const seen = new Set();
    for (const master of nr.masters) {
      const client = await nr.nodeClient(master);
      for await (const page of client.scanIterator({ MATCH: 'cl:*', COUNT: 100 })) {
        page.forEach((each) => seen.add(each));
      }
    }
    assert.ok(keys.every((each) => seen.has(each)));
    const got = [];
    await nr.subscribe('cl:nr', (message) => got.push(message));
    await nr.sSubscribe('cl:{nr}s', (message) => got.push(message));
    await nr.publish('cl:nr', 'one');
    await nr.sPublish('cl:{nr}s', 'two');
    await until('both messages', () => got.length === 2);
    assert.deepEqual(got.sort(), ['one', 'two']);
  },
});
