use super::*;

const SESSION: u32 = 7;

/// A small generator with a printed seed; the tests need repeatable noise, not quality.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

fn frame(kind: u8, flags: u8, session: u32, counter: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend_from_slice(&(body.len() as u16).to_le_bytes());
    bytes.extend_from_slice(&session.to_le_bytes());
    bytes.extend_from_slice(&counter.to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// What a decoder made of some bytes: the frames as (kind, counter, bytes), and the fault that ended it.
type Decoded = (Vec<(FrameKind, u64, Vec<u8>)>, Option<Fault>);

/// Decodes `bytes` cut at `cuts`, judging the header of every frame as a stream of its own would.
fn decode(bytes: &[u8], cuts: &[usize]) -> Decoded {
    let mut decoder = FrameDecoder::new();
    let (mut frames, mut counter, mut start) = (Vec::new(), 0, 0);
    for &end in cuts.iter().chain([&bytes.len()]) {
        let mut rest = &bytes[start..end];
        start = end;
        loop {
            match decoder.next(&mut rest, Expected { session: SESSION, counter, version: PROTOCOL_VERSION_LATEST }) {
                Ok(Some(frame)) => {
                    frames.push((frame.head.kind, frame.head.counter, frame.bytes.to_vec()));
                    counter += 1;
                    if frame.head.kind == FrameKind::Close {
                        return (frames, None);
                    }
                }
                Ok(None) => break,
                Err(fault) => return (frames, Some(fault)),
            }
        }
        assert!(rest.is_empty(), "a chunk is always used up");
    }
    (frames, None)
}

fn random_stream(noise: &mut Noise) -> Vec<u8> {
    let mut bytes = Vec::new();
    for counter in 0..noise.below(12) as u64 {
        let (kind, length) = match noise.below(8) {
            0 => (TYPE_RELEASE, 8),
            1 => (TYPE_READ, 8),
            2 => (TYPE_ROUTE, 8),
            3 => (TYPE_SUBSCRIBE, 4 + 4 * noise.below(64)),
            _ => (TYPE_MOVE, 56 + noise.below(233)),
        };
        let body: Vec<u8> = (0..length).map(|_| noise.next() as u8).collect();
        bytes.extend(frame(kind, noise.below(2) as u8, SESSION, counter, &body));
    }
    match noise.below(4) {
        0 => bytes.extend((0..noise.below(400)).map(|_| noise.next() as u8)),
        1 => bytes.truncate(noise.below(bytes.len() + 1)),
        2 if !bytes.is_empty() => {
            let at = noise.below(bytes.len());
            bytes[at] ^= 1 << noise.below(8);
        }
        _ => {}
    }
    bytes
}

#[test]
fn any_cut_of_any_bytes_decodes_to_the_same() {
    for seed in 0..4000 {
        let mut noise = Noise(seed);
        let bytes = random_stream(&mut noise);
        let whole = decode(&bytes, &[]);
        let mut cuts: Vec<usize> = (0..noise.below(20)).map(|_| noise.below(bytes.len() + 1)).collect();
        cuts.sort_unstable();
        assert_eq!(decode(&bytes, &cuts), whole, "seed {seed}, cuts {cuts:?}");
        let everywhere: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(decode(&bytes, &everywhere), whole, "seed {seed}, byte by byte");
    }
}

#[test]
fn random_bytes_never_panic() {
    for seed in 0..20_000 {
        let mut noise = Noise(seed);
        let mut bytes: Vec<u8> = (0..noise.below(700)).map(|_| noise.next() as u8).collect();
        if bytes.len() > 16 && seed % 2 == 0 {
            // Get past the type and length more often.
            bytes[0] = [TYPE_MOVE, TYPE_READ, TYPE_CLOSE, TYPE_HELLO][noise.below(4)];
            bytes[3] = 0;
            bytes[4..8].copy_from_slice(&SESSION.to_le_bytes());
            bytes[8..16].fill(0);
        }
        let (frames, _) = decode(&bytes, &[]);
        assert!(frames.iter().map(|frame| frame.2.len()).sum::<usize>() <= bytes.len(), "seed {seed}");
        if let Ok(frame) = Frame::of_datagram(&bytes, SESSION) {
            let _ = (frame.packet(), frame.digest_matches(), frame.node());
        }
    }
}

#[test]
fn each_header_fault_is_found_at_its_sixteenth_byte() {
    let body = [0; 8];
    let faults = [
        (frame(0x99, 0, SESSION, 0, &body), "unknown type"),
        (frame(TYPE_ACK, 0, SESSION, 0, &body), "only the server"),
        (frame(TYPE_WELCOME, 0, SESSION, 0, &body), "only the server"),
        (frame(TYPE_REJECT, 0, SESSION, 0, &body), "only the server"),
        (frame(TYPE_PATH, 0, SESSION, 0, &body), "only the server"),
        (frame(TYPE_STATE, 0, SESSION, 0, &body), "only the server"),
        (frame(TYPE_READ, 0, SESSION, 0, &[0; 9]), "length"),
        (frame(TYPE_SUBSCRIBE, 0, SESSION, 0, &[]), "length"),
        (frame(TYPE_SUBSCRIBE, 0, SESSION, 0, &[0; 6]), "length"),
        (frame(TYPE_SUBSCRIBE, 0, SESSION, 0, &[0; 260]), "length"),
        (frame(TYPE_UNSUBSCRIBE, 0, SESSION, 0, &[0; 5]), "length"),
        (frame(TYPE_MOVE, 0, SESSION, 0, &[0; 55]), "length"),
        (frame(TYPE_MOVE, 0, SESSION, 0, &[0; 289]), "length"),
        (frame(TYPE_CLOSE, 0, SESSION, 0, &[0; 3]), "length"),
        (frame(TYPE_CLOSE, 0, SESSION, 0, &[0; 1029]), "length"),
        (frame(TYPE_READ, 2, SESSION, 0, &body), "flag"),
        (frame(TYPE_READ, 0x80, SESSION, 0, &body), "flag"),
        (frame(TYPE_READ, 0, SESSION + 1, 0, &body), "session"),
        (frame(TYPE_READ, 0, 0, 0, &body), "session"),
        (frame(TYPE_READ, 0, SESSION, 1, &body), "counter"),
        (frame(TYPE_HELLO, 0, 0, 0, &body), "second HELLO"),
    ];
    for (bytes, part) in faults {
        for cut in 0..16 {
            let (frames, fault) = decode(&bytes[..16], &[cut]);
            assert!(frames.is_empty());
            let Fault(text) = fault.expect("the header alone is enough");
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(decode(&bytes[..15], &[]), (vec![], None), "15 bytes are no header");
    }
}

#[test]
fn a_close_is_known_before_its_text_is_there() {
    let mut body = 13_u16.to_le_bytes().to_vec();
    body.extend_from_slice(&1000_u16.to_le_bytes());
    body.extend_from_slice(&[b'x'; 1000]);
    let bytes = frame(TYPE_CLOSE, 0, SESSION, 0, &body);
    for end in [20, 21, 600, bytes.len()] {
        let (frames, fault) = decode(&bytes[..end], &[7, 17]);
        assert_eq!(fault, None);
        assert_eq!(frames.len(), 1, "{end} bytes");
        assert_eq!(u16_at(&frames[0].2, HEADER_BYTES), 13);
    }
}

#[test]
fn the_digest_covers_header_and_packet() {
    let packet: Vec<u8> = (0..100).collect();
    let mut bytes = frame(TYPE_MOVE, 1, SESSION, 0, &[0; 32 + 100]);
    bytes[48..].copy_from_slice(&packet);
    let digest = Sha256::new().chain_update(&bytes[..16]).chain_update(&packet).finalize();
    bytes[16..48].copy_from_slice(&digest);
    assert!(Frame::of_datagram(&bytes, SESSION).unwrap().digest_matches());
    assert_eq!(Frame::of_datagram(&bytes, SESSION).unwrap().packet(), packet);
    // The counter, the digest itself, the packet: any changed bit is seen.
    for at in (8..bytes.len()).step_by(5) {
        let mut changed = bytes.clone();
        changed[at] ^= 4;
        assert!(!Frame::of_datagram(&changed, SESSION).unwrap().digest_matches(), "byte {at}");
    }
}

#[test]
fn a_datagram_is_exactly_one_whole_allowed_frame() {
    let good = frame(TYPE_READ, 0, SESSION, 5, &[0; 8]);
    assert!(Frame::of_datagram(&good, SESSION).is_ok());
    let longer = [good.clone(), good.clone()].concat();
    let bad = [
        (vec![], "shorter"),
        (good[..15].to_vec(), "shorter"),
        (good[..23].to_vec(), "exactly one"),
        (longer, "exactly one"),
        (frame(TYPE_READ, 0, SESSION + 1, 5, &[0; 8]), "session"),
        (frame(TYPE_READ, 4, SESSION, 5, &[0; 8]), "flag"),
        (frame(TYPE_ROUTE, 0, SESSION, 5, &[0; 8]), "not allowed"),
        (frame(TYPE_SUBSCRIBE, 0, SESSION, 5, &[0; 8]), "not allowed"),
        (frame(TYPE_HELLO, 0, 0, 0, &[0; 8]), "not allowed"),
        (frame(TYPE_CLOSE, 0, SESSION, 5, &[0; 8]), "not allowed"),
        (frame(TYPE_ACK, 0, SESSION, 5, &[0; 8]), "only the server"),
        (frame(0, 0, SESSION, 5, &[0; 8]), "unknown"),
    ];
    for (bytes, part) in bad {
        let Fault(text) = Frame::of_datagram(&bytes, SESSION).unwrap_err();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn frames_of_the_server_have_the_bytes_of_the_contract() {
    let mut out = Vec::new();
    put_ack(&mut out, 0x0403_0201, 0x0807_0605_0403_0201, 9);
    assert_eq!(out, [0x11, 0, 8, 0, 1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(out.len(), ACK_FRAME_BYTES);

    out.clear();
    put_reject(&mut out, 1, 2, Status::Forbidden, 0x0102_0304);
    assert_eq!(out, [0x12, 0, 8, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 4, 3, 2, 1]);
    assert_eq!(out.len(), REJECT_FRAME_BYTES);

    out.clear();
    put_state(&mut out, 1, 2, 3, &[5; 256]);
    assert_eq!((out.len(), out[0], u16_at(&out, 2), u64_at(&out, 16)), (STATE_FRAME_BYTES, 0x29, 264, 3));

    out.clear();
    let nodes: Vec<u32> = (0..9000).collect();
    put_path(&mut out, 1, 2, &PathAnswer { revision: 3, rollbacks: 0, distance: 4, nodes_total: 9000, nodes: &nodes });
    assert_eq!((out.len(), usize::from(u16_at(&out, 2))), (PATH_FRAME_BYTES_MAX, 24 + 4 * 8192));
    assert_eq!((u64_at(&out, 16), u64_at(&out, 24), u32_at(&out, 32), u32_at(&out, 36)), (3, 4, 9000, 0));
    assert_eq!(u32_at(&out, out.len() - 4), 8191);

    out.clear();
    put_welcome(
        &mut out,
        Welcome { version: 1, session: 6, status: Status::Ok, streams_max: 128, revision: 8, nodes_max: 9 },
    );
    assert_eq!(out.len(), HEADER_BYTES + 24);
    assert_eq!((u16_at(&out, 16), u16_at(&out, 18), u32_at(&out, 20)), (1, 0, 128));
    assert_eq!((u64_at(&out, 24), u32_at(&out, 32), u16_at(&out, 36), u16_at(&out, 38)), (8, 9, 256, 0));

    out.clear();
    put_subscribed(&mut out, 1, 2, 3, 4);
    assert_eq!((out.len(), out[0], u16_at(&out, 2)), (SUBSCRIBED_FRAME_BYTES, 0x31, 16));
    assert_eq!((u64_at(&out, 16), u32_at(&out, 24), u32_at(&out, 28)), (3, 4, 0));

    out.clear();
    put_close(&mut out, 6, Status::Malformed, &"ä".repeat(600));
    assert_eq!(
        (u16_at(&out, 16), u16_at(&out, 18)),
        (1, 1024),
        "cut at 1,024 bytes, a whole number of two-byte letters"
    );
    assert_eq!(out.len(), 20 + 1024);
}

#[test]
fn an_update_carries_of_its_slot_what_is_in_use() {
    let mut slot = [7; 256];
    let state = |slot: [u8; 256]| NodeState { revision: 3, rollbacks: 4, version: 5, sequence: 0, slot };
    for (active, payload_bytes, used) in [(1, 0, 24), (1, 9, 33), (1, 232, 256), (1, u16::MAX, 256), (0, 9, 0)] {
        slot[13] = active;
        slot[14..16].copy_from_slice(&payload_bytes.to_le_bytes());
        let mut out = Vec::new();
        put_update(&mut out, &Update { session: 1, counter: 2, node: 6, state: &state(slot), order: 0x0a0b });
        assert_eq!((out[0], usize::from(u16_at(&out, 2)), u64_at(&out, 8)), (0x38, 32 + used, 2));
        assert_eq!([16, 24, 32].map(|at| u64_at(&out, at)), [3, 4, 5]);
        assert_eq!((u32_at(&out, 40), u32_at(&out, 44), &out[48..]), (6, 0x0a0b, &slot[..used]));
        assert!(out.len() <= UPDATE_FRAME_BYTES_MAX);
        let update = std::mem::take(&mut out);
        let latest = Update { session: 1, counter: 2, node: 6, state: &state(slot), order: 0x0a0b };
        assert_eq!((put_latest(&mut out, &latest), out[0], &out[1..]), (update.len(), 0x39, &update[1..]));
    }
}

#[test]
fn an_empty_list_of_nodes_names_no_node() {
    let bytes = frame(TYPE_UNSUBSCRIBE, 0, SESSION, 0, &[]);
    let mut decoder = FrameDecoder::new();
    let expected = Expected { session: SESSION, counter: 0, version: PROTOCOL_VERSION_LATEST };
    let unsubscribe = decoder.next(&mut bytes.as_slice(), expected).unwrap().unwrap();
    assert_eq!((unsubscribe.node(), unsubscribe.packet()), (0, &[][..]));
}

#[test]
fn a_client_knows_the_frames_of_its_version() {
    for (kind, known_from) in [(TYPE_SUBSCRIBE, 2), (TYPE_UNSUBSCRIBE, 2), (TYPE_SUBSCRIBE_LATEST, 3)] {
        let bytes = frame(kind, 0, SESSION, 0, &[0; 4]);
        for version in PROTOCOL_VERSION..=PROTOCOL_VERSION_LATEST {
            let expected = Expected { session: SESSION, counter: 0, version };
            let seen = FrameDecoder::new().next(&mut bytes.as_slice(), expected).map(|frame| frame.is_some());
            let known = if version < known_from { Err(UNKNOWN_TYPE) } else { Ok(true) };
            assert_eq!(seen, known, "type {kind:#x} in version {version}");
        }
    }
}
