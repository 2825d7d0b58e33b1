// npm memcached's part of the fleet: fleet.js write|read FILE RULE HOST:PORT:WEIGHT ...
const { readFileSync } = require('fs');

const Memcached = require('memcached');

// The rule is its own, ketama.
const [verb, file, , ...servers] = process.argv.slice(2);
const weights = {};
for (const server of servers) {
  const [host, port, weight] = server.split(':');
  weights[`${host}:${port}`] = Number(weight);
}
const client = new Memcached(weights, { timeout: 20000, retries: 0 });

function asked(method, ...args) {
  return new Promise((resolve, reject) => {
    client[method](...args, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

async function all() {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
  for (const line of lines) {
    const [key, value] = line.split('\t');
    const done = verb === 'write' ? await asked('set', key, value, 0) : (await asked('get', key)) === value;
    if (!done) throw new Error(`${verb} ${key}`);
  }
  console.log(verb, lines.length);
}

all().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
