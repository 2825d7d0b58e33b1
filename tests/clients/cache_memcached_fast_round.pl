# Cache::Memcached::Fast, Perl's client in C, makes its whole round. It tells a refusal by false, and by undef what it
# does not know.
use strict;
use warnings;
use Cache::Memcached::Fast;

my ($host, $port, $pid) = @ARGV;
my ($timeout_s, $short_timeout_s) = (20, 0.2);

sub shown { my ($value) = @_; return defined $value ? substr($value, 0, 200) : 'undef' }

sub same {
    my ($got, $expected) = @_;
    return if !defined $got && !defined $expected;
    return if defined $got && defined $expected && $got eq $expected;
    die shown($got) . ' in place of ' . shown($expected) . ' at line ' . (caller)[2] . "\n";
}

sub client {
    return Cache::Memcached::Fast->new({
        servers => ["$host:$port"], io_timeout => $timeout_s, connect_timeout => $timeout_s, max_failures => 0,
        max_size => 4 << 20, @_
    });
}

sub store_and_read {
    my ($c) = @_;
    same($c->set('a', 'text'), 1);
    same($c->get('a'), 'text');
    same($c->set('object', { an => ['object', 1, 2.5] }), 1);
    same($c->get('object')->{an}[2], 2.5);
    same($c->get('missing'), undef);
    same($c->add('a', 'x'), '');
    same($c->add('b', 'x'), 1);
    same($c->replace('b', 'y'), 1);
    same($c->replace('missing', 'y'), '');
    same($c->append('b', 'z'), 1);
    same($c->prepend('b', 'x'), 1);
    same($c->get('b'), 'xyz');
}

sub cas {
    my ($c) = @_;
    $c->set('c', '1');
    my ($unique, $value) = @{ $c->gets('c') };
    same($value, '1');
    same($c->cas('c', $unique, '2'), 1);
    same($c->cas('c', $unique, '3'), '');
    same($c->cas('missing', $unique, '3'), '');
    same(join(',', keys %{ $c->gets_multi('c', 'missing') }), 'c');
    same($c->get('c'), '2');
}

sub many {
    my ($c) = @_;
    my @keys = map {"many$_"} 0 .. 499;
    same(scalar(grep {$_} $c->set_multi(map { [$_, "value of $_"] } @keys)), 500);
    my $found = $c->get_multi(@keys, 'missing');
    same(scalar(keys %$found), 500);
    same($found->{$_}, "value of $_") for @keys;
    same(scalar(grep {$_} $c->append_multi(map { [$_, '!'] } @keys)), 500);
    same($c->get('many7'), 'value of many7!');
    same(scalar(grep {$_} $c->delete_multi(@keys)), 500);
    same(scalar(keys %{ $c->get_multi(@keys) }), 0);
    # In void context, under nowait, they are sent with noreply.
    $c->set("many$_", $_) for 0 .. 9_999;
    $c->nowait_push;
    same($c->get('many9999'), 9_999);
}

sub numbers {
    my ($c) = @_;
    $c->set('n', 10);
    same($c->incr('n', 5), 15);
    same($c->decr('n', 100), '0E0');
    same($c->incr('missing'), '');
    same(join(',', map { defined $_ ? $_ : 'undef' } $c->incr_multi(['n', 2], 'n')), '2,3');
    $c->set('n', 'no number');
    same($c->incr('n'), undef);
}

sub large {
    my ($c) = @_;
    my $large = 'l' x 900_000;
    same($c->set('large', $large), 1);
    same($c->get('large'), $large);
    same($c->set('large', 'l' x 1_100_000), undef);
    same($c->get('large'), undef);
}

sub the_rest {
    my ($c) = @_;
    same($c->touch('a', 100), 1);
    same($c->touch('missing', 100), '');
    same($c->gat(100, 'a'), 'text');
    same($c->gats(100, 'a')->[1], 'text');
    same(join(',', keys %{ $c->gat_multi(100, 'a', 'missing') }), 'a');
    same($c->delete('a'), 1);
    same($c->delete('a'), '');
    same($c->set('gone', 'x', -1), 1);
    same($c->get('gone'), undef);
    my ($version) = values %{ $c->server_versions };
    same(substr($version, 0, 4), '1.6.');
    same((values %{ $c->flush_all })[0], 1);
    same($c->get('b'), undef);
}

sub server { system('./server', $_[0], $pid) == 0 or die "./server $_[0] failed\n" }

sub server_leaves {
    my ($c) = @_;
    $c->set('kept', 'x');
    my $impatient = client(io_timeout => $short_timeout_s);
    server('stop');
    same($impatient->get('kept'), undef);
    same($impatient->set('kept', 'x'), undef);
    server('resume');
    same($c->get('kept'), 'x');
    server('end');
    same($c->get('kept'), undef);
    same($c->set('kept', 'y'), undef);
}

for my $c (client(), client(namespace => 'ours:', utf8 => 1, nowait => 1)) {
    store_and_read($c);
    cas($c);
    many($c);
    numbers($c);
    large($c);
    the_rest($c);
}
server_leaves(client());
print "whole round done\n";
