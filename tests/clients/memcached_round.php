<?php
// php-memcached makes its whole round, as the cache of a PHP application; its sessions have pages of their own.

function same($got, $expected, string $what): void
{
    if ($got !== $expected) {
        fwrite(STDERR, "$what: " . var_export($got, true) . ' in place of ' . var_export($expected, true) . "\n");
        exit(1);
    }
}

function client(string $host, int $port, array $options = []): Memcached
{
    $m = new Memcached();
    $m->setOptions($options);
    $m->addServer($host, $port);
    return $m;
}

function round_of(Memcached $m): void
{
    same($m->set('a', 'text'), true, 'set');
    same($m->get('a'), 'text', 'get');
    same($m->get('missing'), false, 'get of a miss');
    same($m->getResultCode(), Memcached::RES_NOTFOUND, 'code of a miss');
    same($m->set('array', ['x' => 1, 'y' => [2.5, null]]), true, 'set of an array');
    same($m->get('array'), ['x' => 1, 'y' => [2.5, null]], 'get of an array');
    same($m->add('a', 'x'), false, 'add');
    same($m->add('b', 'x'), true, 'add of a new key');
    same($m->replace('b', 'y'), true, 'replace');
    same($m->touch('b', 100), true, 'touch');
    same($m->touch('missing', 100), false, 'touch of a miss');

    same($m->set('n', 10), true, 'set of a number');
    same($m->increment('n', 5), 15, 'increment');
    same($m->decrement('n', 100), 0, 'decrement');
    same($m->increment('missing'), false, 'increment of a miss');

    $found = $m->get('a', null, Memcached::GET_EXTENDED);
    same($m->cas($found['cas'], 'a', 'new'), true, 'cas');
    same($m->cas($found['cas'], 'a', 'newer'), false, 'cas again');
    same($m->getResultCode(), Memcached::RES_DATA_EXISTS, 'code of a lost cas');
    same($m->get('a'), 'new', 'get after cas');

    $many = [];
    for ($i = 0; $i < 500; $i++) {
        $many["many$i"] = "value $i";
    }
    same($m->setMulti($many), true, 'setMulti');
    same($m->getMulti(array_keys($many), Memcached::GET_PRESERVE_ORDER), $many, 'getMulti');
    same($m->deleteMulti(['many0', 'missing']), ['many0' => true, 'missing' => Memcached::RES_NOTFOUND], 'deleteMulti');

    $m->setOption(Memcached::OPT_COMPRESSION, false);
    same($m->set('large', str_repeat('l', 900000)), true, 'set of a large value');
    same($m->get('large'), str_repeat('l', 900000), 'get of a large value');
    same($m->set('large', str_repeat('l', 1100000)), false, 'set of one too large');
    same($m->get('a'), 'new', 'get after one too large');
    same($m->set('ap', 'mid'), true, 'set');
    same($m->append('ap', 'end'), true, 'append');
    same($m->prepend('ap', 'beg'), true, 'prepend');
    same($m->get('ap'), 'begmidend', 'get');
    same($m->delete('a'), true, 'delete');
    same($m->delete('a'), false, 'delete of a miss');

    same($m->set('gone', 'x', time() - 10), true, 'set with a past time');
    same($m->get('gone'), false, 'get of an expired item');
    $stats = array_values($m->getStats())[0];
    same($stats['limit_maxbytes'], 67108864, 'limit_maxbytes');
    same(str_starts_with(array_values($m->getVersion())[0], '1.6.'), true, 'version');
    same($m->flush(), true, 'flush');
    same($m->get('b'), false, 'get after flush');
}

[$host, $port] = [$argv[1], (int) $argv[2]];
round_of(client($host, $port));
round_of(client($host, $port, [Memcached::OPT_BINARY_PROTOCOL => true]));
round_of(client($host, $port, [Memcached::OPT_LIBKETAMA_COMPATIBLE => true, Memcached::OPT_TCP_NODELAY => true]));

$quiet = client($host, $port, [Memcached::OPT_NO_BLOCK => true, Memcached::OPT_NOREPLY => true]);
$quiet->set('quiet', 'x');
same($quiet->get('quiet'), 'x', 'get after a quiet set');


function server(string $verb): void
{
    global $argv;
    passthru("./server $verb " . escapeshellarg($argv[3]), $status);
    same($status, 0, "./server $verb");
}

$c = client($host, $port, [Memcached::OPT_POLL_TIMEOUT => 20000]);
$impatient = [
    client($host, $port, [Memcached::OPT_POLL_TIMEOUT => 200]),
    client($host, $port, [Memcached::OPT_POLL_TIMEOUT => 200, Memcached::OPT_BINARY_PROTOCOL => true]),
];
same($c->set('kept', 'x'), true, 'set');
server('stop');
foreach ($impatient as $m) {
    same($m->get('kept'), false, 'get of a server that has stopped');
    same($m->getResultCode() === Memcached::RES_NOTFOUND, false, 'a miss of a server that has stopped');
}
server('resume');
same($c->get('kept'), 'x', 'get of a server that goes on');
server('end');
foreach ([$c, ...$impatient] as $m) {
    same($m->get('kept'), false, 'get of a server that is gone');
    same($m->getResultCode() === Memcached::RES_NOTFOUND, false, 'a miss of a server that is gone');
}
echo "whole round done\n";
