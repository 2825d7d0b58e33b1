// What the rounds of Node's clients share: how they judge a reply, and what they do to the server. Each round is called
// with the server's host, port and process id.
const { execFileSync } = require('child_process');
const { isDeepStrictEqual, inspect } = require('util');

const [host, port, pid] = process.argv.slice(2);

function shown(value) {
  return inspect(value).slice(0, 200);
}

function same(got, expected) {
  if (!isDeepStrictEqual(got, expected)) throw new Error(`${shown(got)} in place of ${shown(expected)}`);
}

async function fails(promise) {
  const got = await promise.catch((error) => error);
  if (!(got instanceof Error)) throw new Error(`${shown(got)} in place of an error`);
}

// Does one of `stop`, `resume`, `end` to the server.
function server(verb) {
  execFileSync('./server', [verb, pid]);
}

// Runs the parts one after another, and ends the process whatever connections a client still has.
async function round(client, parts) {
  try {
    for (const part of parts) await part(client);
  } catch (error) {
    console.error(error);
    process.exit(1);
  }
  console.log('whole round done');
  process.exit(0);
}

module.exports = { address: `${host}:${port}`, timeoutS: 20, shortTimeoutS: 0.2, same, fails, server, round };
