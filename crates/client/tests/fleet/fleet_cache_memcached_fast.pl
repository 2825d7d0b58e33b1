# Cache::Memcached::Fast's part of the fleet: fleet_cache_memcached_fast.pl write|read FILE RULE HOST:PORT:WEIGHT ...
use strict;
use warnings;
use Cache::Memcached::Fast;

my ($verb, $file, $rule, @servers) = @ARGV;
my @nodes = map { /^(.*):(\d+)$/ or die; { address => $1, weight => $2 } } @servers;
my $client = Cache::Memcached::Fast->new({
    servers => \@nodes, io_timeout => 20, connect_timeout => 20,
    $rule eq 'ketama_points' ? (ketama_points => 160) : (),
});

open my $lines, '<', $file or die "$file: $!";
my $count = 0;
while (my $line = <$lines>) {
    chomp $line;
    my ($key, $value) = split /\t/, $line;
    my $found;
    my $done = $verb eq 'write' ? $client->set($key, $value) : defined($found = $client->get($key)) && $found eq $value;
    die "$verb $key\n" unless $done;
    $count++;
}
print "$verb $count\n";
