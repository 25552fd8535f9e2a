// SPDX-License-Identifier: Apache-2.0
// Limiters with clients at every node at once: exactly the limit goes through.
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { RedisStore } from 'rate-limit-redis';
import { BurstyRateLimiter, RateLimiterRedis } from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { passed, play, ports } from './harness.mjs';

const ATTEMPTS = 120;
const ioredis = ports.map((port) => new Redis(port, '127.0.0.1'));
const nodeRedis = await Promise.all(
  ports.map((port) => createClient({ socket: { host: '127.0.0.1', port } }).connect()),
);

async function flexible(clients, options) {
  const limiters = clients.map((storeClient) => new RateLimiterRedis({
    storeClient, points: 25, duration: 100, ...options,
  }));
  const through = await passed(ATTEMPTS, (i) => limiters[i % limiters.length]
    .consume('user').then(() => true, (outcome) => {
      if (outcome instanceof Error) throw outcome;
      return false;
    }));
  assert.equal(through, 25);
  const [first, second] = limiters;
  const outcome = await first.get('user');
  assert.equal(outcome.consumedPoints, ATTEMPTS);
  assert.equal(outcome.remainingPoints, 0);
  assert.ok(outcome.msBeforeNext > 90000 && outcome.msBeforeNext <= 100000);
  await second.set('user', 20, 50);
  assert.equal((await first.get('user')).consumedPoints, 20);
  await second.reward('user', 5);
  assert.equal((await first.penalty('user', 2)).consumedPoints, 17);
  await second.block('user', 60);
  await assert.rejects(first.consume('user').catch((refusal) => {
    throw new Error(`blocked for ${refusal.msBeforeNext}`);
  }), /blocked for (5|60000)/);
  assert.equal(await second.delete('user'), true);
  assert.equal(await first.get('user'), null);
  return limiters;
}

await play({
  'rate-limiter-flexible on ioredis': () => flexible(ioredis, { keyPrefix: 'rlf:io' }),
  'rate-limiter-flexible on node-redis': () => flexible(
    nodeRedis, { keyPrefix: 'rlf:nr', useRedisPackage: true },
  ),
  'rate-limiter-flexible without an end': async () => {
    const limiters = ioredis.map((storeClient) => new RateLimiterRedis({
      storeClient, points: 10, duration: 0, keyPrefix: 'rlf:ever',
    }));
    const through = await passed(40, (i) => limiters[i % 3].consume('u').then(() => true, () => false));
    assert.equal(through, 10);
    assert.equal(await ioredis[0].ttl('rlf:ever:u'), -1);
  },
  'rate-limiter-flexible with bursts': async () => {
    const make = (storeClient, points, keyPrefix) => new RateLimiterRedis({
      storeClient, points, duration: 100, keyPrefix,
    });
    const limiters = ioredis.map((client) => new BurstyRateLimiter(
      make(client, 10, 'rlf:steady'), make(client, 15, 'rlf:burst'),
    ));
    const through = await passed(60, (i) => limiters[i % 3].consume('u').then(() => true, () => false));
    assert.equal(through, 25);
  },
  'rate-limit-redis': async () => {
    const stores = nodeRedis.map((client) => new RedisStore({
      sendCommand: (...words) => client.sendCommand(words), prefix: 'rlr:',
    }));
    stores.forEach((store) => store.init({ windowMs: 100000 }));
    const hits = await Promise.all(
      Array.from({ length: ATTEMPTS }, (_, i) => stores[i % 3].increment('user')),
    );
    const numbers = hits.map((each) => each.totalHits).sort((x, y) => x - y);
    assert.deepEqual(numbers, Array.from({ length: ATTEMPTS }, (_, i) => i + 1));
    assert.ok(hits.every((each) => each.resetTime - Date.now() > 90000));
    await stores[1].decrement('user');
    assert.equal((await stores[2].get('user')).totalHits, ATTEMPTS - 1);
    await stores[0].resetKey('user');
    assert.equal((await stores[1].increment('user')).totalHits, 1);
    await nodeRedis[2].scriptFlush(); // it loads its scripts again by itself
    assert.equal((await stores[2].increment('user')).totalHits, 2);
  },
});
