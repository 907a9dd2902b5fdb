//! A hit in memory: entries of 4 KiB, all there, asked for in random order. The counterpart is
//! ../../cache/memory_hit.cc.
//!
//! All caches get the same hasher (foldhash, the default of the fastest of them), room for twice what they hold, so
//! that nothing goes, and sizes in bytes. What a hit returns keeps the value alive; its first word is read.

use std::hint::black_box;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::clock::{nanoseconds_since, pin_to_processor, shuffled};
use crate::key::{KeyStyle, NumberStyle, UUID, UuidStyle};

const WORDS: usize = 512;
const VALUE_BYTES: u64 = (WORDS * size_of::<u64>()) as u64;

/// Of a cache in which so many entries find room.
fn capacity(entries: u32) -> u64 {
    2 * u64::from(entries) * VALUE_BYTES
}

type Value = Arc<[u64; WORDS]>;

trait Subject<K: KeyStyle>: Send + Sync {
    fn insert(&self, key: K::Owned, value: Value);
    /// The first word of a value that is there.
    fn read(&self, key: K::Borrowed<'_>) -> u64;
    fn settle(&self) {}
}

struct Moka<K: KeyStyle>(moka::sync::Cache<K::Owned, Value, RandomState>);

impl<K: KeyStyle> Moka<K> {
    fn new(entries: u32) -> Self {
        let builder = moka::sync::Cache::builder().max_capacity(capacity(entries)).weigher(|_, _| VALUE_BYTES as u32);
        Self(builder.build_with_hasher(RandomState::default()))
    }
}

impl<K: KeyStyle> Subject<K> for Moka<K> {
    fn insert(&self, key: K::Owned, value: Value) {
        self.0.insert(key, value);
    }
    fn read(&self, key: K::Borrowed<'_>) -> u64 {
        self.0.get(&key).expect("an entry is missing")[0]
    }
    fn settle(&self) {
        self.0.run_pending_tasks();
    }
}

#[derive(Clone)]
struct ValueBytes;

impl<K> quick_cache::Weighter<K, Value> for ValueBytes {
    fn weight(&self, _: &K, _: &Value) -> u64 {
        VALUE_BYTES
    }
}

type Lifecycle<K> = quick_cache::sync::DefaultLifecycle<<K as KeyStyle>::Owned, Value>;
struct QuickCache<K: KeyStyle>(quick_cache::sync::Cache<K::Owned, Value, ValueBytes, RandomState, Lifecycle<K>>);

impl<K: KeyStyle> QuickCache<K> {
    fn new(entries: u32) -> Self {
        let lifecycle = Lifecycle::<K>::default();
        Self(quick_cache::sync::Cache::with(
            2 * entries as usize,
            capacity(entries),
            ValueBytes,
            RandomState::default(),
            lifecycle,
        ))
    }
}

impl<K: KeyStyle> Subject<K> for QuickCache<K> {
    fn insert(&self, key: K::Owned, value: Value) {
        self.0.insert(key, value);
    }
    fn read(&self, key: K::Borrowed<'_>) -> u64 {
        self.0.get(&key).expect("an entry is missing")[0]
    }
}

struct Foyer<K: KeyStyle>(foyer::Cache<K::Owned, Value, RandomState>);

impl<K: KeyStyle> Foyer<K> {
    fn new(entries: u32) -> Self {
        let builder = foyer::CacheBuilder::new(capacity(entries) as usize)
            .with_eviction_config(foyer::S3FifoConfig::default())
            .with_hash_builder(RandomState::default());
        Self(builder.with_weighter(|_, _| VALUE_BYTES as usize).build())
    }
}

impl<K: KeyStyle> Subject<K> for Foyer<K> {
    fn insert(&self, key: K::Owned, value: Value) {
        self.0.insert(key, value);
    }
    fn read(&self, key: K::Borrowed<'_>) -> u64 {
        self.0.get(&key).expect("an entry is missing").value()[0]
    }
}

/// Nanoseconds for one hit on one thread, while the others do the same.
fn read_all<K: KeyStyle, S: Subject<K>>(
    subject: &S,
    entries: u32,
    thread: usize,
    seconds: f64,
    start_line: &Barrier,
) -> f64 {
    pin_to_processor(thread);
    let order = shuffled(entries, thread as u64);
    let uuid = black_box(UUID);
    let mut sum = 0u64;
    let mut pass = || {
        for &partition in &order {
            sum = sum.wrapping_add(subject.read(K::borrow(uuid, partition)));
        }
    };
    pass();
    start_line.wait();
    let start = Instant::now();
    let mut hits = 0usize;
    while start.elapsed() < Duration::from_secs_f64(seconds) {
        pass();
        hits += order.len();
    }
    let nanoseconds = nanoseconds_since(start) / hits as f64;
    black_box(sum);
    nanoseconds
}

fn measure<K: KeyStyle, S: Subject<K>>(subject: S, entries: u32, threads: usize, seconds: f64) -> String {
    let uuid = Arc::from(UUID);
    // All values first: those of an index lie far apart from the cache's own records, since they are larger.
    let values: Vec<Value> = (0..entries).map(|partition| Arc::new([u64::from(partition); WORDS])).collect();
    for (partition, value) in (0..).zip(values) {
        subject.insert(K::own(&uuid, partition), value);
    }
    subject.settle();
    let start_line = Barrier::new(threads);
    let total: f64 = std::thread::scope(|scope| {
        let spawn = |thread| {
            let (subject, start_line) = (&subject, &start_line);
            scope.spawn(move || read_all::<K, S>(subject, entries, thread, seconds, start_line))
        };
        let running: Vec<_> = (0..threads).map(spawn).collect();
        running.into_iter().map(|thread| thread.join().expect("a thread failed")).sum()
    });
    format!("{{\"hit_ns\":{:.1}}}", total / threads as f64)
}

fn run_style<K: KeyStyle>(cache: &str, entries: u32, threads: usize, seconds: f64) -> Result<String, String> {
    match cache {
        "moka" => Ok(measure::<K, _>(Moka::<K>::new(entries), entries, threads, seconds)),
        "quick_cache" => Ok(measure::<K, _>(QuickCache::<K>::new(entries), entries, threads, seconds)),
        "foyer" => Ok(measure::<K, _>(Foyer::<K>::new(entries), entries, threads, seconds)),
        _ => Err(format!("{cache:?} is not a cache")),
    }
}

pub fn run(cache: &str, key: &str, entries: u32, threads: usize, seconds: f64) -> Result<String, String> {
    match key {
        "uuid" => run_style::<UuidStyle>(cache, entries, threads, seconds),
        "number" => run_style::<NumberStyle>(cache, entries, threads, seconds),
        _ => Err(format!("{key:?} is not a kind of key")),
    }
}
