# Dalli's part of the fleet: fleet_dalli.rb write|read FILE RULE HOST:PORT:WEIGHT ...
require 'dalli'

verb, file, _, *servers = ARGV
Dalli.logger.level = Logger::FATAL
client = Dalli::Client.new(servers, socket_timeout: 20)

items = File.binread(file).lines.map { |line| line.chomp.split("\t") }
items.each do |key, value|
  # Without raw, the value would be marshalled, with client flags that others do not know.
  done = verb == 'write' ? client.set(key, value, nil, raw: true) : client.get(key)&.b == value.b
  abort "#{verb} #{key}" unless done
end
puts "#{verb} #{items.size}"
