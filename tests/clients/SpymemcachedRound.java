// spymemcached, Java's asynchronous client, makes its whole round in both protocols.
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.ConnectionFactoryBuilder.Protocol;
import net.spy.memcached.FailureMode;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.transcoders.SerializingTranscoder;

public class SpymemcachedRound {
    static final int TIMEOUT_MS = 20_000;
    static final int SHORT_TIMEOUT_MS = 200;

    static InetSocketAddress address;
    static String pid;

    static void same(Object got, Object expected) {
        if (!Objects.equals(got, expected)) {
            throw new AssertionError(got + " in place of " + expected);
        }
    }

    /** The call fails with an error whose class or cause is the expected one. */
    static void fails(Class<?> expected, Callable<?> call) throws Exception {
        Object got;
        try {
            got = call.call();
        } catch (Exception error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (expected.isInstance(cause)) {
                    return;
                }
            }
            throw error;
        }
        throw new AssertionError(got + " in place of " + expected);
    }

    /** The server answers with an error, which is an exception in text and a result in binary. */
    static void refused(Protocol protocol, Object inBinary, Callable<?> call) throws Exception {
        if (protocol == Protocol.BINARY) {
            same(call.call(), inBinary);
        } else {
            fails(ExecutionException.class, call);
        }
    }

    static <T> T done(Future<T> future) throws Exception {
        return future.get(TIMEOUT_MS, TimeUnit.MILLISECONDS);
    }

    /** A patient client waits for a server that it must connect to anew, as it does after each error in text. */
    static MemcachedClient patient(Protocol protocol) throws Exception {
        return client(factory(protocol).setFailureMode(FailureMode.Retry).setMaxReconnectDelay(0));
    }

    static MemcachedClient impatient(Protocol protocol) throws Exception {
        return client(factory(protocol).setFailureMode(FailureMode.Cancel));
    }

    static MemcachedClient client(ConnectionFactoryBuilder factory) throws Exception {
        return new MemcachedClient(factory.build(), List.of(address));
    }

    static ConnectionFactoryBuilder factory(Protocol protocol) {
        // Its own limit is raised above the server's, and nothing is compressed, so that the server refuses what is too large.
        SerializingTranscoder transcoder = new SerializingTranscoder(4 << 20);
        transcoder.setCompressionThreshold(4 << 20);
        return new ConnectionFactoryBuilder()
            .setProtocol(protocol)
            .setOpTimeout(TIMEOUT_MS)
            .setTranscoder(transcoder)
            .setDaemon(true);
    }

    static void storeAndRead(MemcachedClient c) throws Exception {
        same(done(c.set("a", 0, "text")), true);
        same(c.get("a"), "text");
        same(done(c.set("object", 0, List.of("an", 1, 2.5))), true);
        same(c.get("object"), List.of("an", 1, 2.5));
        same(c.get("missing"), null);
        same(done(c.add("a", 0, "x")), false);
        same(done(c.add("b", 0, "x")), true);
        same(done(c.replace("b", 0, "y")), true);
        same(done(c.replace("missing", 0, "y")), false);
        same(done(c.append("b", "z")), true);
        same(done(c.prepend("b", "x")), true);
        same(done(c.append("missing", "z")), false);
        same(c.get("b"), "xyz");
    }

    static void cas(MemcachedClient c) throws Exception {
        done(c.set("c", 0, "1"));
        CASValue<Object> found = c.gets("c");
        same(found.getValue(), "1");
        same(c.cas("c", found.getCas(), "2"), CASResponse.OK);
        same(c.cas("c", found.getCas(), "3"), CASResponse.EXISTS);
        same(c.cas("missing", found.getCas(), "3"), CASResponse.NOT_FOUND);
        same(c.get("c"), "2");
    }

    static void many(MemcachedClient c) throws Exception {
        Map<String, Object> values = new HashMap<>();
        Map<String, Future<Boolean>> sets = new HashMap<>();
        for (int i = 0; i < 500; i++) {
            values.put("many" + i, "value " + i);
            sets.put("many" + i, c.set("many" + i, 0, "value " + i));
        }
        for (Future<Boolean> set : sets.values()) {
            same(done(set), true);
        }
        same(c.getBulk(values.keySet()), values);
        same(c.getBulk("many1", "missing"), Map.of("many1", "value 1"));
        for (String key : values.keySet()) {
            same(done(c.delete(key)), true);
        }
        same(c.getBulk(values.keySet()), Map.of());
    }

    static void numbers(MemcachedClient c, Protocol protocol) throws Exception {
        done(c.set("n", 0, "10"));
        same(c.incr("n", 5), 15L);
        same(c.decr("n", 100), 0L);
        same(c.incr("missing", 1), -1L);
        same(c.incr("made", 1, 7), 7L);
        same(c.incr("made", 1, 7), 8L);
        done(c.set("n", 0, "no number"));
        refused(protocol, -1L, () -> done(c.asyncIncr("n", 1)));
    }

    static void large(MemcachedClient c, Protocol protocol) throws Exception {
        String large = "l".repeat(900_000);
        same(done(c.set("large", 0, large)), true);
        same(c.get("large"), large);
        refused(protocol, false, () -> done(c.set("large", 0, large + large)));
        same(c.get("large"), null);
    }

    static void theRest(MemcachedClient c, Protocol protocol) throws Exception {
        same(done(c.touch("a", 100)), true);
        same(done(c.touch("missing", 100)), false);
        if (protocol == Protocol.BINARY) {
            same(c.getAndTouch("a", 100).getValue(), "text");
            same(c.getAndTouch("missing", 100), null);
        }
        same(done(c.delete("a")), true);
        same(done(c.delete("a")), false);
        // Above thirty days it is a time of day, here one long ago.
        same(done(c.set("gone", 30 * 86_400 + 1, "x")), true);
        same(c.get("gone"), null);
        same(c.getStats().get(address).get("limit_maxbytes"), "67108864");
        same(c.getStats("settings").get(address).get("maxbytes"), "67108864");
        same(c.getVersions().get(address).startsWith("1.6."), true);
        same(done(c.flush()), true);
        same(c.get("b"), null);
    }

    static void server(String verb) throws Exception {
        same(new ProcessBuilder("./server", verb, pid).inheritIO().start().waitFor(), 0);
    }

    static void serverLeaves() throws Exception {
        List<MemcachedClient> impatient = List.of(impatient(Protocol.TEXT), impatient(Protocol.BINARY));
        MemcachedClient patient = patient(Protocol.TEXT);
        same(done(patient.set("kept", 0, "x")), true);
        for (MemcachedClient c : impatient) {
            same(done(c.asyncGet("kept")), "x");
        }
        server("stop");
        for (MemcachedClient c : impatient) {
            fails(TimeoutException.class, () -> c.asyncGet("kept").get(SHORT_TIMEOUT_MS, TimeUnit.MILLISECONDS));
        }
        server("resume");
        same(patient.get("kept"), "x");
        server("end");
        for (MemcachedClient c : impatient) {
            fails(Exception.class, () -> done(c.asyncGet("kept")));
        }
    }

    public static void main(String[] args) throws Exception {
        System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
        java.util.logging.LogManager.getLogManager().reset();
        address = new InetSocketAddress(args[0], Integer.parseInt(args[1]));
        pid = args[2];
        for (Protocol protocol : Protocol.values()) {
            MemcachedClient c = patient(protocol);
            storeAndRead(c);
            cas(c);
            many(c);
            numbers(c, protocol);
            large(c, protocol);
            theRest(c, protocol);
            c.shutdown();
        }
        serverLeaves();
        System.out.println("whole round done");
    }
}
