//! Damaged files of every format are read or refused, and never panic.

use corpus::{ReadOptions, read_bytes};
use proptest::prelude::*;

use crate::chunks::keeps_its_promises;
use crate::fixtures;

/// One way to damage a file; places are shares of its length.
#[derive(Clone, Debug)]
enum Damage {
    Flip(u16, u8),
    Cut(u16, u16),
    Insert(u16, Vec<u8>),
    Repeat(u16, u16),
}

fn damage() -> impl Strategy<Value = Damage> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..12),
        prop::sample::select(vec![
            &b"<"[..],
            b"</p>",
            b"<table>",
            b"]]>",
            b"&#x110000;",
            b"\xff\xfe",
            b"\0",
            b"\"",
            b"\n",
            b"endobj",
            b"stream\n",
            b"<< ",
            b"---\n",
            b"{",
            b"[",
            b"9999999999",
            b"\xf0\x9f",
        ])
        .prop_map(<[u8]>::to_vec),
    ];
    prop_oneof![
        (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        (any::<u16>(), any::<u16>()).prop_map(|(from, to)| Damage::Cut(from, to)),
        (any::<u16>(), piece).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        (any::<u16>(), any::<u16>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ]
}

impl Damage {
    fn hit(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |share: u16| usize::from(share) * length / (usize::from(u16::MAX) + 1);
        let stretch = |from: u16, to: u16| {
            let (from, to) = (place(from), place(to));
            from.min(to)..from.max(to)
        };
        match self {
            Self::Flip(at, byte) => {
                if let Some(hit) = bytes.get_mut(place(*at)) {
                    *hit ^= byte;
                }
            }
            Self::Cut(from, to) => {
                bytes.drain(stretch(*from, *to));
            }
            Self::Insert(at, piece) => {
                let at = place(*at);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::Repeat(from, to) => {
                let range = stretch(*from, *to);
                let piece = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, piece);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(damages in prop::collection::vec(damage(), 1..4)) {
        for (name, mut bytes) in fixtures::all() {
            for damage in &damages {
                damage.hit(&mut bytes);
            }
            if let Ok(reading) = read_bytes(&bytes, name, name, &ReadOptions::default()) {
                for document in &reading.documents {
                    keeps_its_promises(document);
                }
            }
        }
    }
}

#[test]
fn undamaged_files_are_read() {
    for (name, bytes) in fixtures::all() {
        let reading = read_bytes(&bytes, name, name, &ReadOptions::default()).unwrap();
        assert!(!reading.documents.is_empty(), "{name}");
        for document in &reading.documents {
            keeps_its_promises(document);
        }
    }
}
