//! What a ring promises whatever the nodes are: every key has its node, shares follow weights, a change moves little.

use std::collections::BTreeMap;

use larder_client::{Distribution, KeyHash, NodeSpec, Ring, RingError};
use proptest::prelude::*;

const KEYS: u32 = 20_000;

/// Those whose users expect that a change moves little, with the balance (greatest share by mean share) to expect of
/// ten nodes. Rings of 160 points have up to 1.24 by the luck of names.
const CONSISTENT: &[(Distribution, f64)] = &[
    (Distribution::Ketama, 1.4),
    (Distribution::Dense, 1.15),
    (Distribution::Rendezvous, 1.1),
    (Distribution::Dalli, 1.4),
    (Distribution::Pymemcache, 1.1),
    (Distribution::NpmMemcached, 1.4),
    (Distribution::PerlFast(160), 1.4),
    (Distribution::MemcachedProxyRing, 1.4),
];

fn nodes(weights: &[u32]) -> Vec<NodeSpec> {
    let node = |(index, weight): (usize, &u32)| {
        format!("cache-{index}:11311;weight={weight}")
            .parse()
            .expect("a node")
    };
    weights.iter().enumerate().map(node).collect()
}

fn ring(distribution: Distribution, nodes: &[NodeSpec]) -> Ring {
    Ring::new(distribution, nodes).expect("a ring")
}

fn shares(ring: &Ring) -> Vec<f64> {
    let mut counts = vec![0u32; ring.node_count()];
    for key in 0..KEYS {
        counts[ring.node_for(format!("user:{key}:profile").as_bytes())] += 1;
    }
    counts
        .iter()
        .map(|count| f64::from(*count) / f64::from(KEYS))
        .collect()
}

#[test]
fn keys_are_balanced() {
    for (distribution, worst) in CONSISTENT {
        let shares = shares(&ring(*distribution, &nodes(&[1; 10])));
        let greatest = shares.iter().copied().fold(0.0, f64::max) * 10.0;
        assert!(greatest < *worst, "{distribution}: {greatest}");
    }
}

#[test]
fn shares_follow_weights() {
    let weights = [1, 2, 3, 1, 5];
    let weighted = [
        Distribution::Ketama,
        Distribution::Dense,
        Distribution::Rendezvous,
        Distribution::Dalli,
    ];
    for distribution in weighted {
        for (share, weight) in shares(&ring(distribution, &nodes(&weights)))
            .iter()
            .zip(weights)
        {
            let ratio = share * 12.0 / f64::from(weight);
            assert!(
                (0.75..1.3).contains(&ratio),
                "{distribution}, weight {weight}: {ratio}"
            );
        }
    }
}

#[test]
fn a_new_node_moves_little_more_than_its_share() {
    for (distribution, _) in CONSISTENT {
        let moved = ring(*distribution, &nodes(&[1; 10])).moved_fraction(&nodes(&[1; 11]));
        let moved = moved.expect("a list");
        assert!((0.05..0.14).contains(&moved), "{distribution}: {moved}");
    }
    let modula = Distribution::LibmemcachedModula(KeyHash::OneAtATime);
    let moved = ring(modula, &nodes(&[1; 10])).moved_fraction(&nodes(&[1; 11]));
    assert!(moved.expect("a list") > 0.85, "modulo moves nearly all");
}

/// What changes cost, in the mean of some sets of names: 3 nodes become 4, 10 become 11, 10 lose their last or their third.
#[test]
fn changes_cost_what_they_are_known_to() {
    let modula = Distribution::LibmemcachedModula(KeyHash::OneAtATime);
    for (distribution, costs) in [
        (modula, [0.750, 0.910, 0.900, 0.899]),
        (Distribution::Ketama, [0.254, 0.092, 0.095, 0.099]),
        (Distribution::Dense, [0.247, 0.090, 0.099, 0.101]),
        (Distribution::Rendezvous, [0.250, 0.091, 0.100, 0.100]),
        (Distribution::MemcachedProxy, [0.250, 0.092, 0.100, 0.790]),
        (Distribution::Mcrouter, [0.249, 0.092, 0.097, 0.789]),
    ] {
        let found = [(3, 4, 3), (10, 11, 10), (10, 9, 9), (10, 9, 2)].map(|(before, after, at)| {
            let sets = (0..4).map(|set| {
                let name = |index| format!("cache-{index}.set-{set}").parse();
                let mut list: Vec<NodeSpec> = (0..before)
                    .map(|index| name(index).expect("a node"))
                    .collect();
                let ring = ring(distribution, &list);
                match before < after {
                    true => list.push(name(at).expect("a node")),
                    false => drop(list.remove(at)),
                }
                ring.moved_fraction(&list).expect("a list")
            });
            sets.sum::<f64>() / 4.0
        });
        for (found, known) in found.into_iter().zip(costs) {
            assert!(
                (found - known).abs() < 0.02,
                "{distribution}: {found}, known is {known}"
            );
        }
    }
}

/// A node that keeps its name keeps its keys, wherever it goes; order does not matter either.
#[test]
fn names_decide_and_not_addresses() {
    let list = |texts: [&str; 3]| texts.map(|text| text.parse::<NodeSpec>().expect("a node"));
    let before = list(["10.0.0.1;name=a", "10.0.0.2;name=b", "10.0.0.3;name=c"]);
    let after = list(["[::1]:9;name=c", "/run/a.sock;name=a", "host:1;name=b"]);
    for (distribution, _) in CONSISTENT {
        let moved = ring(*distribution, &before).moved_fraction(&after);
        assert_eq!(moved, Ok(0.0), "{distribution}");
    }
}

#[test]
fn lists_that_cannot_be_are_refused() {
    let refused = |nodes: &[NodeSpec]| Ring::new(Distribution::Dense, nodes).expect_err("refused");
    assert_eq!(refused(&[]), RingError::Empty);
    let twice: Vec<NodeSpec> = ["a", "b;name=a:11211"]
        .map(|text| text.parse().expect("a node"))
        .into();
    assert_eq!(refused(&twice), RingError::Duplicate("a:11211".to_owned()));
    assert_eq!(refused(&nodes(&vec![1; 4097])), RingError::TooMany(4097));
    assert_eq!(
        refused(&nodes(&[65_535])),
        RingError::TooManyPoints(65_535 * 2560)
    );
    let nobodys = Distribution::LibmemcachedModula(KeyHash::Crc16);
    let said = Ring::new(nobodys, &nodes(&[1]))
        .expect_err("refused")
        .to_string();
    assert!(said.contains("has no hash `crc16`"), "{said}");
}

fn any_distribution() -> impl Strategy<Value = Distribution> {
    let presets = Distribution::PRESETS
        .iter()
        .map(|preset| preset.distribution);
    prop::sample::select(presets.collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any key of any bytes has a node, and always the same.
    #[test]
    fn every_key_has_its_node(
        distribution in any_distribution(),
        weights in prop::collection::vec(1u32..20, 1..12),
        keys in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..260), 1..20),
    ) {
        let nodes = nodes(&weights);
        let ring = ring(distribution, &nodes);
        let again = Ring::new(distribution, &nodes).expect("a ring");
        for key in &keys {
            let index = ring.node_for(key);
            prop_assert!(index < nodes.len());
            prop_assert_eq!(index, again.node_for(key));
            prop_assert_eq!(ring.label(index).map(str::to_owned), Some(nodes[index].label()));
        }
    }

    /// Where points depend on a node alone, a node that goes takes only its own keys with it.
    #[test]
    fn only_the_keys_of_a_node_that_goes_are_moved(
        dense in any::<bool>(),
        weights in prop::collection::vec(1u32..4, 2..8),
        gone in any::<prop::sample::Index>(),
    ) {
        let distribution = if dense { Distribution::Dense } else { Distribution::Rendezvous };
        let mut nodes = nodes(&weights);
        let before = ring(distribution, &nodes);
        let gone = nodes.remove(gone.index(nodes.len())).label();
        let after = ring(distribution, &nodes);
        for key in 0..500 {
            let key = format!("key:{key}");
            let was = before.label(before.node_for(key.as_bytes()));
            if was != Some(gone.as_str()) {
                prop_assert_eq!(was, after.label(after.node_for(key.as_bytes())));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// What would move is what lives elsewhere afterwards: tried with keys of another kind than the estimate is made of.
    #[test]
    fn what_would_move_is_what_lives_elsewhere(
        distribution in any_distribution(),
        before in prop::collection::btree_map(0u8..12, 1u32..4, 1..10),
        after in prop::collection::btree_map(0u8..12, 1u32..4, 1..10),
        seed in any::<u32>(),
    ) {
        let list = |nodes: &BTreeMap<u8, u32>| -> Vec<NodeSpec> {
            let node = |(name, weight)| format!("cache-{name}:11311;weight={weight}").parse();
            nodes.iter().map(|node_of| node(node_of).expect("a node")).collect()
        };
        let (before, after) = (list(&before), list(&after));
        let estimate = ring(distribution, &before).moved_fraction(&after);
        let home = |nodes: &[NodeSpec], ring: &Ring, key: &str| nodes[ring.node_for(key.as_bytes())].label();
        let (old, new) = (ring(distribution, &before), ring(distribution, &after));
        let keys = (0..KEYS).map(|number| format!("{:08x}", number.wrapping_add(seed).wrapping_mul(0x9e37_79b1)));
        let moved = keys.filter(|key| home(&before, &old, key) != home(&after, &new, key)).count();
        let moved = moved as f64 / f64::from(KEYS);
        let estimate = estimate.expect("a list");
        prop_assert!((estimate - moved).abs() < 0.02, "{distribution}: {estimate} for {moved}");
    }
}
