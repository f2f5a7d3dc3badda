//! A server's own figures, as its `/metrics` tells them: names, labels, values. Knows the text and no meaning.

use reqwest::Method;

use crate::cli::client::Client;
use crate::cli::error::Error;

/// What was told at one instant.
#[derive(Clone, Debug)]
pub(super) struct Metrics(String);

impl Metrics {
    /// Asks for them.
    pub(super) async fn read(client: &Client) -> Result<Self, Error> {
        let response = client.send(client.outside(Method::GET, &["metrics"])).await?;
        Ok(Self(response.text().await.map_err(|error| client.lost(&error))?))
    }

    /// The largest value of `family`; 0 where there is none.
    pub(super) fn most(&self, family: &str) -> f64 {
        self.values(family, "").fold(0.0, f64::max)
    }

    /// The sum of the whole numbers of `family`; 0 where there are none.
    pub(super) fn count(&self, family: &str) -> u64 {
        self.count_with(family, "")
    }

    /// The same of those with a label, which is written as `name="value"`.
    pub(super) fn count_with(&self, family: &str, label: &str) -> u64 {
        whole(self.values(family, label).sum())
    }

    fn values(&self, family: &str, label: &str) -> impl Iterator<Item = f64> {
        self.0.lines().filter_map(move |line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            (name == family && labels.contains(label)).then(|| value.parse().ok())?
        })
    }
}

/// Counts are told as whole numbers far below 2^52, and above nothing.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "said above")]
const fn whole(value: f64) -> u64 {
    value as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_summed_over_its_series_or_over_those_with_a_label() {
        let text = "\
# HELP live Those that live 7
live{namespace=\"default\",function=\"a\"} 3
live{namespace=\"default\",function=\"b\"} 4
live_bytes{namespace=\"default\",function=\"a\"} 100
heat 1.5
";
        let metrics = Metrics(text.to_owned());
        assert_eq!((metrics.count("live"), metrics.count_with("live", "function=\"b\"")), (7, 4));
        assert_eq!((metrics.count("heat"), metrics.count("cold")), (1, 0));
        assert!((metrics.most("heat") - 1.5).abs() < 1e-9 && metrics.most("cold").abs() < 1e-9);
    }
}
