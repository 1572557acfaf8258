//! What was measured, by name.

use std::collections::BTreeMap;
use std::fmt::Write;

use hdrhistogram::Histogram;

/// Longest time that a histogram tells apart.
const LONGEST_NS: u64 = 60_000_000_000;

/// What is kept of a histogram: enough of its tail to draw it.
const PERCENTILES: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p999", 0.999),
    ("p9999", 0.9999),
    ("max", 1.0),
];

/// All figures: unit, and a value a round.
#[derive(Default)]
pub(crate) struct Figures(BTreeMap<String, (&'static str, Vec<f64>)>);

impl Figures {
    /// Adds the value of one round.
    pub(crate) fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        self.0
            .entry(name.to_owned())
            .or_insert_with(|| (unit, vec![]))
            .1
            .push(value);
    }

    /// Adds the percentiles of one round.
    pub(crate) fn add_percentiles(&mut self, name: &str, histogram: &Histogram<u64>) {
        for (percentile, share) in PERCENTILES {
            self.add(
                &format!("{name}.{percentile}"),
                "ns",
                histogram.value_at_quantile(share) as f64,
            );
        }
    }

    pub(crate) fn to_json(&self) -> String {
        let mut text = String::from("{\"metrics\": {");
        for (index, (name, (unit, values))) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let values: Vec<String> = values.iter().map(|value| format!("{value:.3}")).collect();
            // Writing into a String cannot fail.
            let _ = write!(
                text,
                "{comma}\n  \"{name}\": {{\"unit\": \"{unit}\", \"rounds\": [{}]}}",
                values.join(", ")
            );
        }
        text.push_str("\n}}");
        text
    }
}

/// An empty histogram of nanoseconds; its memory is taken here.
pub(crate) fn nanoseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("the bounds are constants and in order")
}

/// Counts a time.
pub(crate) fn record(histogram: &mut Histogram<u64>, nanoseconds: u64) {
    histogram.saturating_record(nanoseconds);
}
