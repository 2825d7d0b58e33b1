// memcached, Node's client of the text protocol, makes its whole round. Its callbacks are made promises here.
const Memcached = require('memcached');

const { address, fails, round, same, server, timeoutS } = require('./checks');

function client() {
  const c = new Memcached(address, { timeout: timeoutS * 1000, retries: 0, maxValue: 4 << 20 });
  // Calls a method and waits for its callback.
  c.do = (method, ...args) =>
    new Promise((resolve, reject) => {
      c[method](...args, (error, result) => (error ? reject(error) : resolve(result)));
    });
  return c;
}

async function storeAndRead(c) {
  same(await c.do('set', 'a', 'text', 0), true);
  same(await c.do('get', 'a'), 'text');
  same(await c.do('set', 'object', { an: ['object', 1, 2.5] }, 0), true);
  same(await c.do('get', 'object'), { an: ['object', 1, 2.5] });
  same(await c.do('set', 'bytes', Buffer.from([0, 255, 1]), 0), true);
  same(await c.do('get', 'bytes'), Buffer.from([0, 255, 1]));
  same(await c.do('get', 'missing'), undefined);
  await fails(c.do('add', 'a', 'x', 0));
  same(await c.do('add', 'b', 'x', 0), true);
  same(await c.do('replace', 'b', 'y', 0), true);
  await fails(c.do('replace', 'missing', 'y', 0));
  same(await c.do('append', 'b', 'z'), true);
  same(await c.do('prepend', 'b', 'x'), true);
  same(await c.do('get', 'b'), 'xyz');
  await fails(c.do('get', 'a key with blanks'));
}

async function cas(c) {
  await c.do('set', 'c', '1', 0);
  const found = await c.do('gets', 'c');
  same(found.c, '1');
  same(await c.do('cas', 'c', '2', found.cas, 0), true);
  same(await c.do('cas', 'c', '3', found.cas, 0), false);
  same(await c.do('cas', 'missing', '3', found.cas, 0), false);
  same(await c.do('get', 'c'), '2');
}

async function many(c) {
  const values = {};
  for (let i = 0; i < 500; i++) values[`many${i}`] = `value ${i}`;
  const keys = Object.keys(values);
  const stored = await Promise.all(keys.map((key) => c.do('set', key, values[key], 0)));
  same(new Set(stored), new Set([true]));
  same(await c.do('getMulti', [...keys, 'missing']), values);
  const deleted = await Promise.all(keys.map((key) => c.do('del', key)));
  same(new Set(deleted), new Set([true]));
  same(await c.do('getMulti', keys), {});
}

async function numbers(c) {
  await c.do('set', 'n', 10, 0);
  same(await c.do('incr', 'n', 5), 15);
  same(await c.do('decr', 'n', 100), 0);
  same(await c.do('incr', 'missing', 1), false);
  await c.do('set', 'n', 'no number', 0);
  await fails(c.do('incr', 'n', 1));
}

async function large(c) {
  const value = 'l'.repeat(900000);
  same(await c.do('set', 'large', value, 0), true);
  same(await c.do('get', 'large'), value);
  // A client that meets a SERVER_ERROR takes the server to be gone for half a minute; so this one is another.
  const refused = client();
  same(await refused.do('set', 'large', value + value, 0), false);
  refused.end();
  same(await c.do('get', 'large'), undefined);
}

async function theRest(c) {
  same(await c.do('touch', 'a', 100), true);
  same(await c.do('touch', 'missing', 100), false);
  same(await c.do('del', 'a'), true);
  same(await c.do('del', 'a'), false);
  same(await c.do('set', 'gone', 'x', -1), true);
  same(await c.do('get', 'gone'), undefined);
  same((await c.do('version'))[0].version.startsWith('1.6.'), true);
  same((await c.do('stats'))[0].limit_maxbytes, 67108864);
  same((await c.do('settings'))[0].maxbytes, 67108864);
  same(Object.keys((await c.do('slabs'))[0]).includes('1'), true);
  const [items] = await c.do('items');
  const [name] = Object.keys(items).filter((key) => key !== 'server');
  const keys = await c.do('cachedump', address, Number(name), 1);
  same([keys].flat().length, 1);
  same(await c.do('flush'), [true]);
  same(await c.do('get', 'b'), undefined);
}

async function serverLeaves(c) {
  await c.do('set', 'kept', 'x', 0);
  // Its timeout is one of connecting alone: what is asked of a server that has stopped waits until it goes on.
  server('stop');
  const waiting = [c.do('get', 'kept'), client().do('get', 'kept')];
  server('resume');
  same(await Promise.all(waiting), ['x', 'x']);
  server('end');
  await fails(client().do('get', 'kept'));
  await fails(client().do('set', 'kept', 'y', 0));
}

round(client(), [storeAndRead, cas, many, numbers, large, theRest, serverLeaves]);
