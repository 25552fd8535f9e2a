// SPDX-License-Identifier: Apache-2.0
// connect-redis: express-session's store, first by its interface, then under a web server.
import assert from 'node:assert/strict';
import http from 'node:http';
import { RedisStore } from 'connect-redis';
import session from 'express-session';
import { createClient } from 'redis';
import { passed, play, ports } from './harness.mjs';

const stores = [];
for (const port of ports) {
  const client = await createClient({ url: `redis://127.0.0.1:${port}` }).connect();
  stores.push(new RedisStore({ client, prefix: 'session:', ttl: 1000 }));
}
const [a, b, c] = stores;
const lasting = (seconds) => ({ cookie: { expires: new Date(Date.now() + seconds * 1000) } });

/** A web server with sessions, which counts the views of each. */
function serve(store) {
  const middleware = session({ store, secret: 'secret', resave: false, saveUninitialized: false });
  const server = http.createServer((request, response) => {
    middleware(request, response, () => {
      if (request.url === '/out') return request.session.destroy(() => response.end('out'));
      request.session.views = (request.session.views ?? 0) + 1;
      return response.end(String(request.session.views));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

await play({
  'connect-redis: the interface of a store': async () => {
    assert.equal(await a.get('nobody'), null);
    await a.set('one', { user: 'ann', ...lasting(600) });
    assert.equal((await b.get('one')).user, 'ann');
    assert.ok((await b.client.ttl('session:one')) > 500);
    await b.touch('one', lasting(5000));
    assert.ok((await c.client.ttl('session:one')) > 4000);
    await b.set('one', { user: 'bob', ...lasting(600) });
    assert.equal((await c.get('one')).user, 'bob');
    await c.destroy('one');
    assert.equal(await a.get('one'), null);
    await a.set('two', { user: 'carl', ...lasting(-1) }); // over already
    assert.equal(await b.get('two'), null);
  },
  'connect-redis: ids, all, length, clear': async () => {
    const stored = await passed(150, async (i) => {
      await stores[i % 3].set(`s${i}`, { number: i });
      return true;
    });
    assert.equal(stored, 150);
    const wanted = Array.from({ length: 150 }, (_, i) => `s${i}`).sort();
    assert.deepEqual((await b.ids()).sort(), wanted);
    assert.equal(await c.length(), 150);
    const all = await a.all();
    assert.deepEqual(all.map((each) => each.id).sort(), wanted);
    assert.ok(all.every((each) => each.id === `s${each.number}`));
    await c.clear();
    assert.equal(await a.length(), 0);
    assert.deepEqual(await b.all(), []);
  },
  'connect-redis: sessions of a web server': async () => {
    const sites = await Promise.all(stores.map(serve));
    const first = await fetch(sites[0]);
    assert.equal(await first.text(), '1');
    const cookie = first.headers.get('set-cookie').split(';')[0];
    const visit = async (site, path = '/') => {
      const response = await fetch(site + path, { headers: { cookie } });
      return response.text();
    };
    for (let views = 2; views <= 30; views++) {
      assert.equal(await visit(sites[views % 3]), String(views));
    }
    assert.equal(await visit(sites[1], '/out'), 'out');
    assert.equal(await visit(sites[2]), '1');
  },
});
