//! A mixed fleet on one pool: clients of other languages and this crate's write through the same three nodes, and each
//! reads what the others wrote. First all at once on the common ring; then each of the others on a ring of its own, with
//! the preset that bears its name here.

mod foreign;
mod nutcracker;
mod pool;
#[path = "../pool/server.rs"]
#[allow(dead_code, reason = "ways to hurt a server are for the other tests")]
mod server;

use foreign::Foreign;
use larder_client::{Client, Ttl};
use pool::Pool;

/// What each member writes.
const KEYS: usize = 1000;

/// Keys and values.
type Items = Vec<(String, String)>;

/// The members that are on the common ring with these settings.
const COMMON: [Foreign; 4] = [
    Foreign::new("php", "libketama"),
    Foreign::new("pylibmc", "ketama_weighted"),
    Foreign::new("npm", "ketama"),
    Foreign::new("nutcracker", "ketama md5"),
];

/// Other clients and settings, and the preset for each.
const OTHERS: [(Foreign, &str); 11] = [
    (Foreign::new("php", "default"), "php-default"),
    (Foreign::new("php", "consistent"), "php-consistent"),
    (Foreign::new("pylibmc", "default"), "pylibmc"),
    (Foreign::new("pylibmc", "ketama"), "pylibmc-ketama"),
    (
        Foreign::new("nutcracker", "ketama fnv1a_64"),
        "twemproxy-ketama",
    ),
    (
        Foreign::new("nutcracker", "modula one_at_a_time"),
        "twemproxy-modula:one_at_a_time",
    ),
    (Foreign::new("pymemcache", "default"), "pymemcache"),
    (
        Foreign::new("python-memcached", "default"),
        "python-memcached",
    ),
    (Foreign::new("dalli", "default"), "dalli"),
    (Foreign::new("perl", "default"), "cache-memcached"),
    (Foreign::new("perl", "ketama_points"), "perl-fast"),
];

/// What a member writes: plain keys, long ones, and odd ones. All are ASCII, since php-memcached takes no others in the
/// text protocol.
fn items(member: &str) -> Items {
    let item = |n: usize| {
        let key = match n % 4 {
            0 => format!("{member}:{n}"),
            1 => format!("{member}:user:{n}:profile"),
            2 => format!("{member}:{n}:{{tag}}%20&~/#"),
            _ => format!("{member}:{n}:{}", "long".repeat(50)),
        };
        (key, format!("written by {member}, item {n}, grün"))
    };
    (0..KEYS).map(item).collect()
}

async fn write(larder: &Client) -> Items {
    let items = items("larder");
    let stored = larder.set_many(items.clone(), Ttl::Never).await;
    stored.all().expect("all are stored");
    items
}

async fn read(larder: &Client, items: &Items) {
    let found = larder.get_many(items.iter().map(|(key, _)| key)).await;
    let found = found.all().expect("no error");
    for ((key, value), (asked, found)) in items.iter().zip(found) {
        assert_eq!(asked, key);
        assert_eq!(found.expect(key).data, value, "{key}");
    }
}

async fn each_reads_what_all_wrote(weights: [u32; 3]) {
    let pool = Pool::start(weights);
    let larder = pool.client("ketama");
    let mut items = write(&larder).await;
    for member in &COMMON {
        items.extend(member.write(&pool));
    }
    pool.judge(&larder, &items).await;
    read(&larder, &items).await;
    for member in &COMMON {
        member.read(&pool, &items);
    }
}

#[tokio::test]
async fn on_the_common_ring() {
    each_reads_what_all_wrote([1, 1, 1]).await;
}

/// With these weights each client's arithmetic comes to the same number of points.
#[tokio::test]
async fn on_the_common_ring_with_weights() {
    each_reads_what_all_wrote([1, 2, 1]).await;
}

#[tokio::test]
async fn on_the_rings_of_others() {
    let pool = Pool::start([1, 1, 1]);
    for (member, preset) in OTHERS {
        let larder = pool.client(preset);
        let theirs = member.write(&pool);
        pool.judge(&larder, &theirs).await;
        read(&larder, &theirs).await;
        member.read(&pool, &write(&larder).await);
        for (node, flushed) in larder.flush().await {
            flushed.expect(&node);
        }
    }
}
