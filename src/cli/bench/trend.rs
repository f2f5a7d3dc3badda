//! Whether values that were seen over time grow. Knows neither what they are nor who saw them.

use super::load::as_f64;

/// How steeply `points` rise: the slope of the line that fits best.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = as_f64(points.len() as u64);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let over: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let under: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if under > 0.0 { over / under } else { 0.0 }
}

/// Whether the later values do not go over the earlier ones by more than a tenth.
pub(super) fn is_flat(values: &[u64]) -> bool {
    let (earlier, later) = values.split_at(values.len() / 2);
    let most = |values: &[u64]| values.iter().copied().max().unwrap_or_default();
    most(later) <= most(earlier) + most(earlier) / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line_that_fits_best() {
        assert!((slope(&[(0.0, 5.0), (1.0, 7.0), (2.0, 9.0)]) - 2.0).abs() < 1e-9);
        assert!(slope(&[(1.0, 5.0)]).abs() < 1e-9);
        assert!(slope(&[]).abs() < 1e-9);
    }

    #[test]
    fn what_grows_by_a_tenth_or_less_is_flat() {
        assert!(is_flat(&[100, 90, 110, 95]));
        assert!(!is_flat(&[100, 90, 111, 95]));
        assert!(is_flat(&[]));
    }
}
