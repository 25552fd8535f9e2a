// SPDX-License-Identifier: Apache-2.0
// Locks whose holders exclude each other at every node. The semaphores of redis-semaphore keep
// sorted sets, which Kvorum does not have; its mutexes are strings.
import assert from 'node:assert/strict';
import { Redis } from 'ioredis';
import { Mutex, RedlockMutex } from 'redis-semaphore';
import Redlock from 'redlock';
import { play, ports } from './harness.mjs';

const clients = ports.map((port) => new Redis(port, '127.0.0.1'));

/** Twenty holders in turn: each finds nobody else inside, and a counter that it alone moves. */
async function exclude(key, locked) {
  let inside = 0;
  let most = 0;
  await clients[0].set(key, 0);
  await Promise.all(Array.from({ length: 20 }, (_, i) => locked(i, async () => {
    inside += 1;
    most = Math.max(most, inside);
    const seen = Number(await clients[i % 3].get(key));
    await clients[(i + 1) % 3].set(key, seen + 1);
    inside -= 1;
  })));
  assert.equal(most, 1);
  assert.equal(await clients[2].get(key), '20');
}

await play({
  redlock: async () => {
    const options = { retryCount: 1000, retryDelay: 5, retryJitter: 5 };
    const locks = clients.map((client) => new Redlock([client], options));
    await exclude('redlock:count', async (i, work) => {
      const lock = await locks[i % 3].lock('redlock:lock', 10000);
      await work();
      await lock.unlock();
    });
    const held = await locks[0].lock('redlock:held', 1000);
    const once = new Redlock([clients[1]], { retryCount: 0 });
    await assert.rejects(once.lock('redlock:held', 1000));
    const longer = await held.extend(50000);
    assert.ok((await clients[2].pttl('redlock:held')) > 40000);
    await longer.unlock();
    await (await once.lock('redlock:held', 1000)).unlock();
  },
  'redis-semaphore: Mutex': async () => {
    const options = { lockTimeout: 10000, retryInterval: 5, refreshInterval: 20 };
    await exclude('semaphore:count', async (i, work) => {
      const mutex = new Mutex(clients[i % 3], 'lock', options);
      await mutex.acquire();
      await work();
      await mutex.release();
    });
    const [one, two] = [clients[0], clients[1]].map((each) => new Mutex(each, 'held', options));
    assert.equal(await one.tryAcquire(), true);
    assert.equal(await two.tryAcquire(), false);
    await one.release();
    assert.equal(await two.tryAcquire(), true);
    await two.release();
  },
  'redis-semaphore: RedlockMutex': async () => {
    // One cluster counts as one of its servers: all three nodes keep the same key.
    await exclude('semaphore:red', async (i, work) => {
      const mutex = new RedlockMutex([clients[i % 3]], 'red', { retryInterval: 5 });
      await mutex.acquire();
      await work();
      await mutex.release();
    });
  },
});
