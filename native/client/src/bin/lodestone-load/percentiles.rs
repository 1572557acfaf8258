//! The latencies of a run as a file that the plotters of HdrHistogram read (`.hgrm`).

use std::fmt::Write;
use std::path::Path;

use hdrhistogram::Histogram;

/// Lines for each halving of the distance to 100 %.
const LINES_A_HALVING: u32 = 5;

/// Writes the distribution in microseconds.
pub(crate) fn write(file: &Path, histogram: &Histogram<u64>) -> Result<(), String> {
    std::fs::write(file, text(histogram)).map_err(|error| format!("cannot write {}: {error}", file.display()))
}

fn text(histogram: &Histogram<u64>) -> String {
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut counted = 0;
    for step in histogram.iter_quantiles(LINES_A_HALVING) {
        counted += step.count_since_last_iteration();
        let (value, quantile) = (us(step.value_iterated_to() as f64), step.quantile_iterated_to());
        // Writing to a string cannot fail.
        let _ = if quantile < 1.0 {
            writeln!(out, "{value:12.3} {quantile:14.12} {counted:10} {:14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(out, "{value:12.3} {quantile:14.12} {counted:10} {:>14}", "inf")
        };
    }
    let (mean, deviation, max) = (us(histogram.mean()), us(histogram.stdev()), us(histogram.max() as f64));
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {max:12.3}, Total count    = {:12}]", histogram.len());
    let _ = writeln!(out, "#[Unit    = microseconds, measured from when each move was due]");
    out
}

fn us(nanoseconds: f64) -> f64 {
    nanoseconds / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totals::{durations, record};

    #[test]
    fn every_value_is_counted_and_the_last_line_is_all_of_them() {
        let mut histogram = durations().unwrap();
        for us in 1..=1_000 {
            record(&mut histogram, std::time::Duration::from_micros(us));
        }
        let text = text(&histogram);
        let rows: Vec<Vec<&str>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect())
            .collect();
        let number = |row: &Vec<&str>, column: usize| row[column].parse::<f64>().unwrap();
        for pair in rows.windows(2) {
            assert!(number(&pair[0], 0) <= number(&pair[1], 0) && number(&pair[0], 2) <= number(&pair[1], 2), "{text}");
        }
        let half = rows.iter().find(|row| number(row, 1) >= 0.5).unwrap();
        assert!((number(half, 0) - 500.0).abs() < 2.0 && number(half, 2) >= 500.0, "{half:?}");
        let last = rows.last().unwrap();
        assert_eq!((number(last, 2), last[3]), (1_000.0, "inf"));
        assert!(text.contains("Total count    =         1000"), "{text}");
    }
}
