//! The Rust caches that fewter's is measured beside, one measurement a process. ../cache/measure.py runs it and says
//! what is compared.
//!
//!     fewter-peers memory moka|quick_cache|foyer uuid|number ENTRIES THREADS SECONDS
//!     fewter-peers foyer fill DIR VALUE_BYTES COUNT
//!     fewter-peers foyer hit DIR VALUE_BYTES COUNT SECONDS
//!     fewter-peers foyer reopen DIR VALUE_BYTES COUNT
//!
//! Prints one line of JSON.

mod clock;
mod disk;
mod key;
mod memory;

use std::process::ExitCode;

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not a number"))
}

fn run(arguments: &[&str]) -> Result<String, String> {
    match *arguments {
        ["memory", cache, key, entries, threads, seconds] => {
            memory::run(cache, key, number(entries)?, number(threads)?, number(seconds)?)
        }
        ["foyer", "fill", directory, bytes, count] => disk::fill(directory, number(bytes)?, number(count)?),
        ["foyer", "hit", directory, bytes, count, seconds] => {
            disk::hit(directory, number(bytes)?, number(count)?, number(seconds)?)
        }
        ["foyer", "reopen", directory, bytes, count] => disk::reopen(directory, number(bytes)?, number(count)?),
        _ => Err("usage: see src/main.rs".into()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("fewter-peers: {message}");
            ExitCode::FAILURE
        }
    }
}
