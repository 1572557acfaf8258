//! Handshakes for their own sake: each connection is greeted and closed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lodestone_client::command_line::{Object, Output};

use crate::figures::{Processor, durations, percentiles, record};
use crate::options::Options;
use crate::session::{Answer, Session};
use crate::tls::Tls;
use crate::transport::{Event, Transport};

/// Longest wait for one handshake.
const WAIT: Duration = Duration::from_secs(10);
/// With tickets: handshakes before the count begins, so that there are enough.
const TICKETS_FIRST: u64 = 200;

/// One connection on its way to WELCOME.
struct Opening {
    start: Instant,
    session: Session,
}

/// Opens and closes `count` connections, some at a time.
pub(crate) fn run(
    transport: &mut impl Transport,
    options: &Options,
    tls: &Tls,
    count: u64,
) -> Result<(), String> {
    let (mut handshake, mut welcome) = (durations()?, durations()?);
    if options.resume {
        pass(
            transport,
            options,
            TICKETS_FIRST,
            &mut handshake,
            &mut welcome,
        )?;
        handshake.reset();
        welcome.reset();
    }
    let full_before = tls.full_handshakes();
    let early_before = transport.early_data();
    let processor = Processor::now(options.server_pid);
    let began = Instant::now();
    pass(transport, options, count, &mut handshake, &mut welcome)?;
    let report = Object::new()
        .text("event", "handshakes")
        .text("transport", options.transport.name())
        .number("count", count)
        .number("at_once", options.handshakes_at_once as u64)
        .number(
            "resumed",
            count.saturating_sub(tls.full_handshakes() - full_before),
        )
        .number("early_data", transport.early_data() - early_before)
        .number("elapsed_ns", began.elapsed().as_nanos() as u64)
        .object("handshake_ns", &percentiles(&handshake))
        .object("welcome_ns", &percentiles(&welcome));
    Output::new().line(&processor.since(options.server_pid, report))
}

fn pass(
    transport: &mut impl Transport,
    options: &Options,
    count: u64,
    handshake: &mut hdrhistogram::Histogram<u64>,
    welcome: &mut hdrhistogram::Histogram<u64>,
) -> Result<(), String> {
    let mut opening: HashMap<usize, Opening> = HashMap::new();
    let (mut begun, mut done) = (0, 0);
    while done < count {
        while begun < count && opening.len() < options.handshakes_at_once {
            let start = Instant::now();
            let number = transport.open()?;
            opening.insert(
                number,
                Opening {
                    start,
                    session: Session::new(0, options.payload_bytes),
                },
            );
            begun += 1;
        }
        let (mut connected, mut welcomed, mut trouble) = (Vec::new(), Vec::new(), None);
        let waiting_since = Instant::now();
        transport.turn(waiting_since + WAIT, &mut |number, event| {
            let Some(one) = opening.get_mut(&number) else {
                return;
            };
            match event {
                Event::Connected => connected.push(number),
                Event::Lost(reason) => trouble = Some(format!("a handshake failed: {reason}")),
                Event::Datagram(_) => {}
                Event::Bytes(bytes) => {
                    let taken = one.session.take(
                        bytes,
                        |_| {},
                        |answer| {
                            if answer == Answer::Welcome {
                                welcomed.push(number);
                            }
                        },
                    );
                    trouble = trouble.take().or(taken.err());
                }
            }
        })?;
        let now = Instant::now();
        if let Some(reason) = trouble
            .or((now - waiting_since >= WAIT).then(|| "no handshake was completed".to_owned()))
        {
            return Err(reason);
        }
        for number in connected {
            if let Some(one) = opening.get_mut(&number) {
                record(handshake, now - one.start);
                one.session.hello(transport.out(number))?;
            }
        }
        for number in welcomed {
            if let Some(one) = opening.remove(&number) {
                record(welcome, now - one.start);
                transport.close(number);
                done += 1;
            }
        }
    }
    Ok(())
}
