//! What the fuzzers check holds for the seeds, for all that they ever found, for mutated seeds, and for random bytes.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{
    env, fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use actr_lite_fuzz_targets::{TARGETS, Target};
use proptest::{collection::vec, prelude::*, sample::Index};

/// How many inputs of each sort a target gets: all tests together take about a second.
const CASES: u32 = 2_000;

/// The folder of the fuzz targets, in the checkout whose tests run.
fn fuzz() -> PathBuf {
    Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../../fuzz")
}

/// The files of `fuzz/<kind>/<target>`; empty if there is no such directory.
fn files(kind: &str, target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = fuzz().join(kind).join(target);
    let Ok(entries) = fs::read_dir(&directory) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn run(target: Target, bytes: &[u8]) -> Result<(), TestCaseError> {
    catch_unwind(AssertUnwindSafe(|| (target.check)(bytes)))
        .map_err(|_| TestCaseError::fail(format!("the panic above; the bytes are {}", bytes.escape_ascii())))
}

#[test]
fn every_target_has_seeds_and_holds_for_them() {
    for target in TARGETS.iter().copied() {
        let seeds = files("seeds", target.name);
        assert!(!seeds.is_empty(), "fuzz/seeds/{} is empty", target.name);
        for (path, bytes) in seeds {
            assert!(run(target, &bytes).is_ok(), "{}", path.display());
        }
    }
}

#[test]
fn every_target_is_run_by_libfuzzer() {
    let fuzz = fuzz();
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        let path = format!("fuzz_targets/{name}.rs");
        let body = fs::read_to_string(fuzz.join(&path)).unwrap();
        assert!(body.contains(&format!("run(\"{name}\",")), "{path}");
        assert!(
            manifest.contains(&format!("path = \"{path}\"")),
            "Cargo.toml has no {path}"
        );
    }
}

#[test]
fn what_was_found_once_stays_mended() {
    for target in TARGETS.iter().copied() {
        for (path, bytes) in files("regressions", target.name) {
            assert!(run(target, &bytes).is_ok(), "{}", path.display());
        }
    }
}

/// What is done to a seed.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
    Append(Index),
}

impl Mutation {
    fn apply(self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let piece = |at: Index, len: usize| {
            let start = at.index(bytes.len() + 1);
            start..bytes.len().min(start + len)
        };
        match self {
            Self::Set(at, byte) => {
                let range = piece(at, 1);
                bytes[range].fill(byte);
            }
            Self::Insert(at, inserted) => {
                let at = piece(at, 0);
                bytes.splice(at, inserted);
            }
            Self::Remove(at, len) => {
                let range = piece(at, len);
                bytes.drain(range);
            }
            Self::Repeat(at, len) => {
                let range = piece(at, len);
                bytes.extend_from_within(range);
            }
            Self::Cut(at) => bytes.truncate(piece(at, 0).start),
            Self::Append(seed) => bytes.extend_from_slice(seed.get::<Vec<u8>>(seeds)),
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<Index>;
    let byte = prop_oneof![
        any::<u8>(),
        0..8u8,
        0x70..0x88u8,
        prop::sample::select(&b"=.:/@+'\"[]{}\n"[..])
    ];
    prop_oneof![
        6 => (at(), byte.clone()).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        2 => (at(), vec(byte, 1..6)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        2 => (at(), 1..6usize).prop_map(|(at, len)| Mutation::Remove(at, len)),
        1 => (at(), 1..40usize).prop_map(|(at, len)| Mutation::Repeat(at, len)),
        1 => at().prop_map(Mutation::Cut),
        1 => at().prop_map(Mutation::Append),
    ]
}

fn holds(name: &str, inputs: impl Strategy<Value = Vec<u8>>) {
    let target = Target::named(name).unwrap();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(CASES)
    });
    if let Err(error) = runner.run(&inputs, |bytes| run(target, &bytes)) {
        panic!("{name}: {error}");
    }
}

fn holds_for_mutated_seeds(name: &str) {
    let seeds: Vec<_> = files("seeds", name).into_iter().map(|(_, bytes)| bytes).collect();
    let mutated = (any::<Index>(), vec(mutation(), 1..5)).prop_map(move |(seed, mutations)| {
        let mut bytes = seed.get(&seeds).clone();
        mutations
            .into_iter()
            .for_each(|mutation| mutation.apply(&mut bytes, &seeds));
        bytes
    });
    holds(name, mutated);
}

fn holds_for_random_bytes(name: &str) {
    holds(
        name,
        prop_oneof![
            vec(any::<u8>(), 0..100),
            vec(0..32u8, 0..30),
            ".{0,40}".prop_map(String::into_bytes)
        ],
    );
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            mod $name {
                #[test]
                fn holds_for_mutated_seeds() {
                    super::holds_for_mutated_seeds(stringify!($name));
                }

                #[test]
                fn holds_for_random_bytes() {
                    super::holds_for_random_bytes(stringify!($name));
                }
            }
        )*

        #[test]
        fn no_target_is_left_out() {
            let mut names = vec![$(stringify!($name)),*];
            names.extend(cfg!(feature = "webrtc").then_some("webrtc_peer"));
            assert_eq!(names, TARGETS.iter().map(|target| target.name).collect::<Vec<_>>());
        }
    };
}

targets! { record websocket envelope signaling session registry_session actr_toml identity data_channel }

#[cfg(feature = "webrtc")]
mod webrtc_peer {
    #[test]
    fn holds_for_mutated_seeds() {
        super::holds_for_mutated_seeds("webrtc_peer");
    }

    #[test]
    fn holds_for_random_bytes() {
        super::holds_for_random_bytes("webrtc_peer");
    }
}
