// memjs, Node's client of the binary protocol, makes its whole round.
const memjs = require('memjs');

const { address, fails, round, same, server, shortTimeoutS, timeoutS } = require('./checks');

function client(timeout) {
  return memjs.Client.create(address, { timeout, retries: 0, logger: { log() {} } });
}

async function text(c, key) {
  const { value } = await c.get(key);
  return value && value.toString();
}

function stats(c, name) {
  return new Promise((resolve, reject) => {
    c.statsWithKey(name, (error, server, found) => (error ? reject(error) : resolve(found)));
  });
}

async function storeAndRead(c) {
  same(await c.set('a', 'text'), true);
  same(await text(c, 'a'), 'text');
  same(await c.set('bytes', Buffer.from([0, 255, 1])), true);
  same((await c.get('bytes')).value, Buffer.from([0, 255, 1]));
  same(await text(c, 'missing'), null);
  same(await c.add('a', 'x'), false);
  same(await c.add('b', 'x'), true);
  same(await c.replace('b', 'y'), true);
  same(await c.replace('missing', 'y'), false);
  same(await c.append('b', 'z'), true);
  // Its prepend sends the opcode of append.
  same(await c.prepend('b', 'x'), true);
  await fails(c.append('missing', 'z'));
  same(await text(c, 'b'), 'yzx');
}

async function many(c) {
  const keys = [...Array(500).keys()].map((i) => `many${i}`);
  const stored = await Promise.all(keys.map((key) => c.set(key, `value of ${key}`)));
  same(new Set(stored), new Set([true]));
  const found = await Promise.all(keys.map((key) => text(c, key)));
  same(found, keys.map((key) => `value of ${key}`));
  const deleted = await Promise.all(keys.map((key) => c.delete(key)));
  same(new Set(deleted), new Set([true]));
}

async function numbers(c) {
  same(await c.increment('n', 5, { initial: 10 }), { success: true, value: 10 });
  same(await c.increment('n', 5, {}), { success: true, value: 15 });
  same(await c.decrement('n', 100, {}), { success: true, value: 0 });
  await c.set('n', 'no number');
  await fails(c.increment('n', 1, {}));
}

async function large(c) {
  const value = 'l'.repeat(900000);
  same(await c.set('large', value), true);
  same(await text(c, 'large'), value);
  await fails(c.set('large', value + value));
  same(await text(c, 'large'), null);
}

async function theRest(c) {
  same(await c.touch('a', 100), true);
  same(await c.touch('missing', 100), false);
  same(await c.delete('a'), true);
  same(await c.delete('a'), false);
  // Above thirty days it is a time of day, here one long ago.
  same(await c.set('gone', 'x', { expires: 30 * 86400 + 1 }), true);
  same(await text(c, 'gone'), null);
  same((await stats(c, '')).limit_maxbytes, '67108864');
  same((await stats(c, 'settings')).maxbytes, '67108864');
  await stats(c, 'reset');
  same(await c.flush(), { [address]: true });
  same(await text(c, 'b'), null);
}

async function serverLeaves(c) {
  await c.set('kept', 'x');
  server('stop');
  await fails(client(shortTimeoutS).get('kept'));
  server('resume');
  same(await text(c, 'kept'), 'x');
  server('end');
  await fails(client(timeoutS).get('kept'));
  await fails(client(timeoutS).set('kept', 'y'));
}

round(client(timeoutS), [storeAndRead, many, numbers, large, theRest, serverLeaves]);
