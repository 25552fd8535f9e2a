// SPDX-License-Identifier: Apache-2.0
// node-redis over RESP2 and RESP3: strings, expiry, pipelines, transactions, scans, messages and
// its cache at the client.
import assert from 'node:assert/strict';
import { BasicClientSideCache, createClient, createClientPool, WatchError } from 'redis';
import { play, ports, refused, until } from './harness.mjs';

async function connect(port, options = {}) {
  const client = createClient({ socket: { host: '127.0.0.1', port }, ...options });
  client.on('error', (error) => console.log(`error event: ${error.message}`));
  return client.connect();
}

const scenarios = {};
for (const RESP of [2, 3]) {
  const name = (what) => `node-redis RESP${RESP}: ${what}`;
  const key = (word) => `nr${RESP}:${word}`;
  const a = await connect(ports[0], { RESP });
  const b = await connect(ports[1], { RESP });
  const c = await connect(ports[2], { RESP });

  scenarios[name('strings and expiry')] = async () => {
    assert.equal(await a.set(key('s'), 'v', { expiration: { type: 'EX', value: 100 } }), 'OK');
    assert.equal(await b.get(key('s')), 'v');
    assert.ok((await b.ttl(key('s'))) > 90);
    assert.equal(await b.set(key('s'), 'w', { condition: 'NX' }), null);
    assert.equal(await b.set(key('s'), 'w', { condition: 'XX', GET: true }), 'v');
    assert.equal(await a.ttl(key('s')), -1);
    assert.equal(await a.getEx(key('s'), { type: 'PX', value: 50000 }), 'w');
    assert.equal(await b.persist(key('s')), 1);
    assert.equal(await b.append(key('s'), 'xyz'), 4);
    assert.equal(await a.getRange(key('s'), 1, 2), 'xy');
    assert.equal(await a.strLen(key('s')), 4);
    assert.equal(await a.getDel(key('s')), 'wxyz');
    assert.equal(await b.exists(key('s')), 0);
    assert.equal(await a.incrBy(key('n'), 41), 41);
    assert.equal(await b.incr(key('n')), 42);
    assert.equal(Number(await b.incrByFloat(key('n'), 0.5)), 42.5);
    await refused(a.incr(key('n')), /not an integer/);
    assert.equal(await a.setBit(key('bits'), 7, 1), 0);
    assert.equal(await b.bitCount(key('bits')), 1);
    assert.equal(await a.mSet({ [key('m1')]: '1', [key('m2')]: '2' }), 'OK');
    assert.deepEqual(await b.mGet([key('m1'), key('none'), key('m2')]), ['1', null, '2']);
    assert.equal(await b.del([key('m1'), key('m2'), key('none')]), 2);
    assert.equal(await a.type(key('n')), 'string');
  };

  scenarios[name('a pipeline of one turn')] = async () => {
    const writes = Array.from({ length: 500 }, (_, i) => a.set(key(`p:${i}`), String(i)));
    assert.deepEqual(new Set(await Promise.all(writes)), new Set(['OK']));
    const reads = Array.from({ length: 500 }, (_, i) => b.get(key(`p:${i}`)));
    assert.deepEqual(await Promise.all(reads), Array.from({ length: 500 }, (_, i) => String(i)));
    const replies = await a.multi().set(key('x'), '1').incr(key('x')).execAsPipeline();
    assert.deepEqual(replies, ['OK', 2]);
  };

  scenarios[name('MULTI, EXEC and WATCH')] = async () => {
    const replies = await a.multi().set(key('t'), '1').incrBy(key('t'), 5).get(key('t')).exec();
    assert.deepEqual(replies, ['OK', 6, '6']);
    await a.watch(key('t'));
    await b.set(key('t'), 'changed');
    await assert.rejects(a.multi().set(key('t'), 'lost').exec(), WatchError);
    assert.equal(await a.get(key('t')), 'changed');
    await assert.rejects(a.multi().incr(key('t')).set(key('u'), '1').exec());
    assert.equal(await b.get(key('u')), '1'); // as in Redis: what follows a failure runs
  };

  scenarios[name('scan iterators')] = async () => {
    const wanted = Array.from({ length: 300 }, (_, i) => key(`scan:${i}`));
    await Promise.all(wanted.map((each) => a.set(each, 'x')));
    const seen = new Set();
    for await (const keys of b.scanIterator({ MATCH: key('scan:*'), COUNT: 50, TYPE: 'string' })) {
      keys.forEach((each) => seen.add(each));
    }
    assert.deepEqual([...seen].sort(), wanted.sort());
    assert.deepEqual((await b.keys(key('scan:29?'))).length, 10);
  };

  scenarios[name('messages through any node')] = async () => {
    const listener = await connect(ports[2], { RESP });
    const got = [];
    await listener.subscribe(key('news'), (message, channel) => got.push([channel, message]));
    await listener.pSubscribe(key('n*'), (message) => got.push(['pattern', message]));
    await listener.sSubscribe(key('shard'), (message) => got.push(['shard', message]));
    assert.equal(await c.publish(key('news'), 'near'), 2);
    await a.publish(key('news'), 'far');
    await b.sPublish(key('shard'), 'part');
    await until('five messages', () => got.length === 5);
    assert.deepEqual(got.map((each) => each.join()).sort(), [
      `${key('news')},far`, `${key('news')},near`, 'pattern,far', 'pattern,near', 'shard,part',
    ]);
    assert.equal((await c.pubSubNumSub([key('news')]))[key('news')], 1);
    assert.deepEqual(await c.pubSubChannels(key('n*')), [key('news')]);
    await listener.unsubscribe(key('news'));
    await listener.pUnsubscribe(key('n*'));
    await listener.sUnsubscribe(key('shard'));
    assert.equal(String(await listener.ping()), 'PONG');
    await listener.close();
  };

  scenarios[name('binary values and 1 MB of them')] = async () => {
    const bytes = Buffer.alloc(1 << 20, 0).map((_, i) => i * 7);
    await a.set(Buffer.from(key('\u00e9\u0000')), bytes);
    const raw = await b.sendCommand(['STRLEN', key('\u00e9\u0000')]);
    assert.equal(raw, bytes.length);
    assert.equal(await b.bitCount(key('\u00e9\u0000')), await a.bitCount(key('\u00e9\u0000')));
  };

  scenarios[name('scripts')] = async () => {
    const text = "return {KEYS[1], redis.call('incrby', KEYS[1], ARGV[1])}";
    const run = { keys: [key('lua')], arguments: ['3'] };
    assert.deepEqual(await a.eval(text, run), [key('lua'), 3]);
    const sha = await a.scriptLoad(text);
    assert.deepEqual(await b.evalSha(sha, run), [key('lua'), 6]);
    await refused(a.evalSha('0'.repeat(40), run), /NOSCRIPT/);
  };

  scenarios[name('what it asks of a server')] = async () => {
    assert.match(await a.info('server'), /redis_version:7/);
    assert.equal(await a.clientSetName('mine'), 'OK');
    assert.equal(await a.clientGetName(), 'mine');
    const mine = await a.clientInfo();
    assert.equal(mine.name, 'mine');
    assert.equal(mine.libName, 'node-redis');
    assert.ok((await a.clientList()).some((each) => each.id === mine.id));
    assert.equal((await a.configGet('maxmemory-policy'))['maxmemory-policy'], 'noeviction');
    assert.ok((await a.commandCount()) > 100);
    assert.equal((await a.commandInfo(['get']))[0].name, 'get');
    assert.ok((await a.memoryUsage(key('lua'))) > 0);
  };
}

scenarios['node-redis: a pool'] = async () => {
  const pool = createClientPool({ socket: { host: '127.0.0.1', port: ports[2] } }, { minimum: 4 });
  await pool.connect();
  const all = Array.from({ length: 200 }, () => pool.execute((client) => client.incr('nr:pool')));
  assert.deepEqual((await Promise.all(all)).sort((x, y) => x - y).at(-1), 200);
  await pool.close();
};

scenarios['node-redis: its own cache stays right'] = async () => {
  const clientSideCache = new BasicClientSideCache({ ttl: 0, maxEntries: 100, evictPolicy: 'LRU' });
  const caching = await connect(ports[0], { RESP: 3, clientSideCache });
  const writer = await connect(ports[1]);
  await writer.set('nr:cached', 'one');
  for (let i = 0; i < 100; i++) assert.equal(await caching.get('nr:cached'), 'one');
  const { hitCount, missCount } = clientSideCache.stats();
  assert.equal(hitCount + missCount, 100);
  assert.ok(hitCount >= 90, `${hitCount} hits`); // a primary may tell once more what was read since
  for (let i = 0; i < 50; i++) {
    await writer.set('nr:cached', `value ${i}`);
    await until('the new value', async () => (await caching.get('nr:cached')) === `value ${i}`);
  }
  await writer.del('nr:cached');
  await until('the end of it', async () => (await caching.get('nr:cached')) === null);
  const hits = () => clientSideCache.stats().hitCount;
  const before = hits();
  await until('a hit', async () => (await caching.get('nr:cached')) === null && hits() > before);
  await caching.close();
};

await play(scenarios);
