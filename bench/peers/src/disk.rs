//! foyer's hybrid cache where it answers from disk: a hit, the first one after opening, and opening itself. The
//! counterparts are ../../cache/disk_store.cc and rocksdb_store.cc, which do the same with the same bytes.
//!
//! The memory part admits nothing, so each get is one from disk, which is checked. foyer reads with pread into a buffer
//! of its own, compares the checksum and decodes from that: it does not keep bytes that it has seen, as ours and
//! RocksDB's block cache do, unless they fit its memory part, which is then a cache of copies (see memory.rs for that).
//! Buffered reads, so the page cache serves them; pread on tokio's blocking threads, foyer's default, which io_uring
//! did not beat here. The runtime is the calling thread's, which saves a hop to another.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use foyer::{
    BlockEngineConfig, Code, DeviceBuilder, FsDeviceBuilder, HybridCache, HybridCacheBuilder, HybridCacheEntry,
    HybridCachePolicy, RecoverMode, Source,
};

use crate::clock::{Random, median, nanoseconds_since, shuffled};
use crate::key::UUID;

type Bytes = Vec<u8>;
type Store = HybridCache<Key, Bytes>;

const MEBIBYTE: usize = 1 << 20;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    uuid: String,
    partition: u32,
}

impl Code for Key {
    fn encode(&self, writer: &mut impl std::io::Write) -> foyer::Result<()> {
        self.uuid.encode(writer)?;
        self.partition.encode(writer)
    }
    fn decode(reader: &mut impl std::io::Read) -> foyer::Result<Self> {
        Ok(Self { uuid: String::decode(reader)?, partition: u32::decode(reader)? })
    }
    fn estimated_size(&self) -> usize {
        self.uuid.estimated_size() + self.partition.estimated_size()
    }
}

fn key_of(entry: u32) -> Key {
    Key { uuid: UUID.into(), partition: entry }
}

/// The bytes of an entry, and their sum as 64-bit words.
fn value_of(entry: u32, bytes: usize) -> Bytes {
    let mut random = Random(u64::from(entry));
    (0..bytes / 8).flat_map(|_| random.next().to_le_bytes()).collect()
}

fn sum_of(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    words.fold(0, u64::wrapping_add)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime")
}

async fn open(directory: &str, value_bytes: usize, count: u32) -> foyer::Result<Store> {
    // A block holds whole entries; the largest of ours need more than the default of 16 MiB.
    let block = (value_bytes + 2 * MEBIBYTE).next_power_of_two().max(16 * MEBIBYTE);
    let entry = (value_bytes + 8192).next_multiple_of(4096);
    let per_block = (block / entry).max(1);
    let blocks = (count as usize).div_ceil(per_block) * 5 / 4 + 4;
    let device = FsDeviceBuilder::new(Path::new(directory)).with_capacity(blocks * block).build()?;
    let engine = BlockEngineConfig::new(device)
        .with_block_size(block)
        .with_buffer_pool_size(2 * block)
        .with_submit_queue_size_threshold(2 * block);
    HybridCacheBuilder::new()
        .with_policy(HybridCachePolicy::WriteOnInsertion)
        .with_flush_on_close(false)
        .memory(MEBIBYTE)
        .with_filter(|_, _| false)
        .storage()
        .with_engine_config(engine)
        .with_recover_mode(RecoverMode::Quiet)
        .build()
        .await
}

async fn get(store: &Store, entry: u32) -> HybridCacheEntry<Key, Bytes> {
    let found = store.get(&key_of(entry)).await.expect("a read failed").expect("an entry is missing");
    assert!(found.source() == Source::Disk, "an entry came from memory");
    found
}

pub fn fill(directory: &str, value_bytes: usize, count: u32) -> Result<String, String> {
    runtime().block_on(async {
        let store = open(directory, value_bytes, count).await.map_err(|e| e.to_string())?;
        let mut unwritten = 0;
        for entry in 0..count {
            store.insert(key_of(entry), value_of(entry, value_bytes));
            unwritten += value_bytes + 4096;
            // What does not fit the queue would be dropped.
            if unwritten > 8 * MEBIBYTE {
                store.storage().wait().await;
                unwritten = 0;
            }
        }
        store.storage().wait().await;
        store.close().await.map_err(|e| e.to_string())?;
        Ok(format!("{{\"entries\":{count}}}"))
    })
}

/// Nanoseconds for one of `order`, round and round.
async fn repeat(seconds: f64, order: &[u32], mut act: impl AsyncFnMut(u32)) -> f64 {
    let start = Instant::now();
    let mut done = 0usize;
    while start.elapsed() < Duration::from_secs_f64(seconds) {
        act(order[done % order.len()]).await;
        done += 1;
    }
    nanoseconds_since(start) / done as f64
}

pub fn hit(directory: &str, value_bytes: usize, count: u32, seconds: f64) -> Result<String, String> {
    let order = shuffled(count, 7);
    runtime().block_on(async {
        let store = open(directory, value_bytes, count).await.map_err(|e| e.to_string())?;
        let mut first = Vec::new();
        for &entry in &order {
            let start = Instant::now();
            let found = get(&store, entry).await;
            black_box(found.value()[0]);
            first.push(nanoseconds_since(start));
            assert!(sum_of(found.value()) == sum_of(&value_of(entry, value_bytes)), "other bytes than were written");
        }
        let touch = async |entry| _ = black_box(get(&store, entry).await.value()[0]);
        let read = async |entry| _ = black_box(sum_of(get(&store, entry).await.value()));
        let hit_ns = repeat(seconds, &order, touch).await;
        let sum_ns = repeat(seconds, &order, read).await;
        Ok(format!("{{\"first_ns\":{:.1},\"hit_ns\":{hit_ns:.1},\"sum_ns\":{sum_ns:.1}}}", median(&mut first)))
    })
}

pub fn reopen(directory: &str, value_bytes: usize, count: u32) -> Result<String, String> {
    runtime().block_on(async {
        let start = Instant::now();
        let store = open(directory, value_bytes, count).await.map_err(|e| e.to_string())?;
        let open_ns = nanoseconds_since(start);
        black_box(get(&store, count / 2).await.value()[0]);
        let usable_ns = nanoseconds_since(start);
        Ok(format!("{{\"open_ms\":{:.3},\"usable_ms\":{:.3}}}", open_ns / 1e6, usable_ns / 1e6))
    })
}
