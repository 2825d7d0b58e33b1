# Dalli, Ruby's client and Rails' cache store, makes its whole round; it speaks the binary protocol.
require 'dalli'

HOST, PORT, PID = ARGV
TIMEOUT_S = 20
SHORT_TIMEOUT_S = 0.2

Dalli.logger.level = Logger::FATAL

def same(got, expected)
  raise "#{got.inspect[0, 200]} in place of #{expected.inspect[0, 200]}" unless got == expected
end

def fails(*errors)
  got = begin
    yield
  rescue *errors
    return
  end
  raise "#{got.inspect[0, 200]} in place of #{errors}"
end

def client(**options)
  Dalli::Client.new("#{HOST}:#{PORT}", { socket_timeout: TIMEOUT_S, down_retry_delay: 0 }.merge(options))
end

def store_and_read(c)
  same(!!c.set('a', 'text'), true)
  same(c.get('a'), 'text')
  same(!!c.set('object', { an: ['object', 1, 2.5] }), true)
  same(c.get('object'), { an: ['object', 1, 2.5] })
  same(c.get('missing'), nil)
  same(!!c.add('a', 'x'), false)
  same(!!c.add('b', 'x', 0, raw: true), true)
  same(!!c.replace('b', 'y', 0, raw: true), true)
  # The CAS unique of what is not there.
  same(c.replace('missing', 'y'), 0)
  same(c.append('b', 'z'), true)
  same(c.prepend('b', 'x'), true)
  same(!!c.append('missing', 'z'), false)
  same(c.get('b', raw: true), 'xyz')
  same(c.fetch('fetched') { 'made' }, 'made')
  same(c.fetch('fetched') { 'made again' }, 'made')
end

def cas(c)
  c.set('c', '1')
  value, unique = c.get_cas('c')
  same(value, '1')
  same(!!c.set_cas('c', '2', unique), true)
  same(!!c.set_cas('c', '3', unique), false)
  same(!!c.replace_cas('c', '3', unique), false)
  same(!!c.delete_cas('c', unique), false)
  same(!!c.cas('c') { |found| "#{found}!" }, true)
  same(c.cas('missing') { 'x' }, nil)
  same(!!c.cas!('new') { 'x' }, true)
  value, unique = c.get_multi_cas('c', 'missing').fetch('c')
  same(value, '2!')
  same(!!c.delete_cas('c', unique), true)
end

def many(c)
  values = (0...500).to_h { |i| ["many#{i}", "value #{i}"] }
  # Within it every set and delete is quiet.
  c.multi { values.each { |key, value| c.set(key, value) } }
  same(c.get_multi(values.keys + ['missing']), values)
  c.multi { values.each_key { |key| c.delete(key) } }
  same(c.get_multi(values.keys), {})
end

def numbers(c)
  same(c.incr('n', 5, 0, 10), 10)
  same(c.incr('n', 5), 15)
  same(c.decr('n', 100), 0)
  same(c.incr('missing'), nil)
  same(c.decr('missing', 1), nil)
  c.set('word', 'no number', 0, raw: true)
  fails(Dalli::DalliError) { c.incr('word') }
end

def large(c)
  large = Random.new(1).bytes(900_000)
  same(!!c.set('large', large), true)
  same(c.get('large'), large)
  uncompressed = client(compress: false, value_max_bytes: 4 << 20)
  fails(Dalli::DalliError) { uncompressed.set('large', 'x' * 1_100_000) }
  same(uncompressed.get('large'), nil)
end

def the_rest(c)
  same(c.touch('a', 100), true)
  same(c.touch('missing', 100), nil)
  same(c.gat('a', 100), 'text')
  same(c.gat('missing', 100), nil)
  same(!!c.delete('a'), true)
  same(!!c.delete('a'), false)
  name = "#{HOST}:#{PORT}"
  same(c.stats[name]['limit_maxbytes'], '67108864')
  same(c.stats(:settings)[name]['maxbytes'], '67108864')
  same(c.stats(:items)[name].keys.any? { |key| key.start_with?('items:') }, true)
  same(c.version[name].start_with?('1.6.'), true)
  c.reset_stats
  c.alive!
  c.flush
  same(c.get('b'), nil)
end

def server_leaves(c)
  c.set('kept', 'x')
  impatient = client(socket_timeout: SHORT_TIMEOUT_S, socket_max_failures: 0)
  system('./server', 'stop', PID, exception: true)
  fails(Dalli::DalliError) { impatient.get('kept') }
  system('./server', 'resume', PID, exception: true)
  same(c.get('kept'), 'x')
  system('./server', 'end', PID, exception: true)
  fails(Dalli::DalliError) { c.get('kept') }
  fails(Dalli::DalliError) { impatient.set('kept', 'y') }
end

c = client
%i[store_and_read cas many numbers large the_rest].each { |part| send(part, c) }
client(namespace: 'ours').set('named', 'x')
same(c.get('ours:named'), 'x')
server_leaves(c)
puts 'whole round done'
