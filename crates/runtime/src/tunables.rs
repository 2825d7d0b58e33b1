//! What `slabs`, `lru` and `lru_crawler` can change while the process runs.
//!
//! memcached's knobs, kept so that tools find what they have set in `stats settings`. Whether the crawler is on decides
//! whether it can be asked for a pass or a dump, and which rows `stats` has; the others turn nothing here, where eviction,
//! slab classes and the crawler's pace are other mechanisms.

/// The values in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tunables {
    /// Whether the crawler may be asked for something. What has expired is taken back in any case.
    pub lru_crawler: bool,
    /// Microseconds between two items of a crawl.
    pub lru_crawler_sleep_us: u32,
    /// Items of a class that one crawl looks at; 0 is all.
    pub lru_crawler_tocrawl: u32,
    /// Whether items move between hot, warm and cold.
    pub lru_segmented: bool,
    /// Percent of memory for hot items.
    pub hot_lru_pct: u32,
    /// Percent of memory for warm items.
    pub warm_lru_pct: u32,
    /// Age of hot items, as a part of the cold ones'.
    pub hot_max_factor: f64,
    /// Age of warm items.
    pub warm_max_factor: f64,
    /// Whether items that live shortly have a segment of their own.
    pub temp_lru: bool,
    /// How shortly, in seconds.
    pub temporary_ttl_s: u32,
    /// How eagerly pages move between classes, 0 to 2.
    pub slab_automove: u32,
    /// How much younger a class must be to be given a page.
    pub slab_automove_ratio: f64,
    /// Seconds over which that is judged.
    pub slab_automove_window_s: u32,
}

impl Default for Tunables {
    /// memcached 1.6.45's.
    fn default() -> Self {
        Self {
            lru_crawler: true,
            lru_crawler_sleep_us: 100,
            lru_crawler_tocrawl: 0,
            lru_segmented: true,
            hot_lru_pct: 20,
            warm_lru_pct: 40,
            hot_max_factor: 0.2,
            warm_max_factor: 2.0,
            temp_lru: false,
            temporary_ttl_s: 61,
            slab_automove: 1,
            slab_automove_ratio: 0.8,
            slab_automove_window_s: 10,
        }
    }
}
