//! How what was measured is told: to people as tables, to programs as JSON, one object a line.

use serde_json::Value;

use super::cases::Compared;
use crate::cli::output;
use crate::cli::units;

/// The cases, for people.
pub(super) fn table(cases: &[Compared]) -> String {
    let header = [
        "WORK", "CLIENTS", "PAYLOAD", "RATE", "LOG", "RATIO", "P50", "P99", "LOG P50", "LOG P99", "CPU", "LOG CPU",
        "RSS",
    ];
    output::table(header, cases.iter().map(row))
}

fn row(compared: &Compared) -> [String; 13] {
    let Compared { case, ours, log, max_rss_bytes } = compared;
    let us = |us: u64| format!("{us} us");
    let cpu = |us: f64| format!("{us:.1} us");
    [
        case.work.as_str().to_owned(),
        case.clients.to_string(),
        units::show_size(case.payload_bytes as u64),
        format!("{:.0}/s", ours.per_second),
        format!("{:.0}/s", log.per_second),
        output::or_dash(ours.ratio(log).map(|ratio| format!("{ratio:.2}"))),
        us(ours.p50_us),
        us(ours.p99_us),
        us(log.p50_us),
        us(log.p99_us),
        cpu(ours.cpu_us_per_op),
        cpu(log.cpu_us_per_op),
        output::or_dash(max_rss_bytes.map(units::show_size)),
    ]
}

/// An object for people: a name and a value a line, lists of objects indented below their name.
pub(super) fn pairs(value: &Value) -> String {
    let Some(fields) = value.as_object() else { return value.to_string() };
    let lines = fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
        let label = label(name);
        match value {
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let items: Vec<_> = items.iter().map(|item| format!("  {}", inline(item))).collect();
                format!("{label}:\n{}", items.join("\n"))
            }
            _ => format!("{label}: {}", shown(name, value)),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn inline(value: &Value) -> String {
    let fields = value.as_object().into_iter().flatten();
    fields.map(|(name, value)| format!("{} {}", label(name), shown(name, value))).collect::<Vec<_>>().join(", ")
}

/// A name without its unit, which [`shown`] writes behind the value.
fn label(name: &str) -> String {
    let units = ["_bytes_a_second", "_per_second", "_bytes", "_ms", "_us", "_s"];
    let bare = units.iter().find_map(|unit| name.strip_suffix(unit)).unwrap_or(name);
    (if bare.is_empty() || name == "per_second" { "rate" } else { bare }).replace('_', " ")
}

fn shown(name: &str, value: &Value) -> String {
    match value {
        Value::Object(_) => inline(value),
        Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        _ if name.ends_with("_bytes") => value.as_u64().map_or_else(|| value.to_string(), units::show_size),
        _ if name.ends_with("_bytes_a_second") => format!("{value} bytes/s"),
        _ if name.ends_with("per_second") => format!("{:.0}/s", value.as_f64().unwrap_or_default()),
        _ if name.ends_with("_ms") => format!("{value} ms"),
        _ if name.ends_with("_us") => format!("{value} us"),
        _ if name.ends_with("_s") => format!("{value} s"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::{Case, Summary};
    use super::*;
    use crate::cli::bench::load::Work;
    use serde_json::json;

    fn summary(per_second: f64) -> Summary {
        Summary { per_second, p50_us: 120, p99_us: 900, cpu_us_per_op: 12.345, rounds: vec![per_second] }
    }

    fn compared() -> Compared {
        let case = Case { work: Work::Cycle, clients: 16, payload_bytes: 4_096 };
        Compared { case, ours: summary(900.0), log: summary(1_000.0), max_rss_bytes: Some(64 << 20) }
    }

    #[test]
    fn people_get_a_table() {
        let expected = "\
WORK   CLIENTS  PAYLOAD  RATE   LOG     RATIO  P50     P99     LOG P50  LOG P99  CPU      LOG CPU  RSS
cycle  16       4 KiB    900/s  1000/s  0.90   120 us  900 us  120 us   900 us   12.3 us  12.3 us  64 MiB";
        assert_eq!(table(&[compared()]), expected);
    }

    #[test]
    fn programs_get_json_with_units_in_the_names() {
        let json = compared().json();
        assert_eq!((&json["per_second"], &json["ratio"]), (&json!(900.0), &json!(0.9)));
        assert_eq!((&json["p99_us"], &json["cpu_us_per_op"]), (&json!(900), &json!(12.3)));
    }

    #[test]
    fn an_object_is_shown_with_its_units_behind_the_values() {
        let tenths = json!([{"cycles": 5, "disk_bytes": 1_024}]);
        let object =
            json!({"open_ms": 7, "per_second": 12.6, "rss_bytes": 2_048, "cut_short_by": null, "tenths": tenths});
        let expected = "open: 7 ms\nrate: 13/s\nrss: 2 KiB\ntenths:\n  cycles 5, disk 1 KiB";
        assert_eq!(pairs(&object), expected);
    }
}
