<?php
// php-memcached's part of the fleet: fleet.php write|read FILE RULE HOST:PORT:WEIGHT ...

[, $verb, $file, $rule] = $argv;
$m = new Memcached();
$m->setOptions([
    Memcached::OPT_CONNECT_TIMEOUT => 20000,
    Memcached::OPT_POLL_TIMEOUT => 20000,
]);
$m->setOptions([
    'default' => [],
    'consistent' => [Memcached::OPT_DISTRIBUTION => Memcached::DISTRIBUTION_CONSISTENT],
    'libketama' => [Memcached::OPT_LIBKETAMA_COMPATIBLE => true],
][$rule]);
foreach (array_slice($argv, 4) as $server) {
    [$host, $port, $weight] = explode(':', $server);
    $m->addServer($host, (int) $port, (int) $weight);
}

$lines = file($file, FILE_IGNORE_NEW_LINES);
foreach ($lines as $line) {
    [$key, $value] = explode("\t", $line);
    $done = $verb === 'write' ? $m->set($key, $value) : $m->get($key) === $value;
    if (!$done) {
        fwrite(STDERR, "$verb $key: {$m->getResultMessage()}\n");
        exit(1);
    }
}
echo "$verb ", count($lines), "\n";
