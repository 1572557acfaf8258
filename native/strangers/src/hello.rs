//! HELLO: what comes on a first stream, in any pieces, beside a reading of `docs/protocol.md`.

use lodestone_memory::Status;
use lodestone_transport::wire;

use crate::script::Script;

const HEADER_BYTES: usize = 16;

pub(crate) fn run(input: &[u8]) {
    let chunks = Script(input).chunks();
    let mut expected = Ok(None);
    let mut so_far = Vec::new();
    for chunk in &chunks {
        so_far.extend_from_slice(chunk);
        expected = by_the_page(&so_far);
        if expected != Ok(None) {
            break;
        }
    }
    let found = wire::hello(chunks).map_err(|(status, _)| status);
    assert_eq!(found, expected);
}

/// What the page says about these bytes: a token, that more is needed, or a refusal.
fn by_the_page(bytes: &[u8]) -> Result<Option<Vec<u8>>, Status> {
    if bytes.len() < HEADER_BYTES {
        return Ok(None);
    }
    let number = |at: usize| usize::from(bytes[at]) | usize::from(bytes[at + 1]) << 8;
    let good = bytes[0] == 1 && bytes[1] < 2 && (4..=1_028).contains(&number(2)) && bytes[4..16] == [0; 12];
    let end = HEADER_BYTES + number(2);
    if !good || bytes.len() > end {
        return Err(Status::Malformed);
    }
    if bytes.len() < end {
        return Ok(None);
    }
    if !(1..=3).contains(&number(HEADER_BYTES)) {
        return Err(Status::VersionUnsupported);
    }
    let token = &bytes[HEADER_BYTES + 4..];
    if number(HEADER_BYTES + 2) == token.len() { Ok(Some(token.to_vec())) } else { Err(Status::Malformed) }
}
