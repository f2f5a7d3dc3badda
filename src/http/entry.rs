//! Handlers as the clouds write them: `FILE.ENTRY`. A module is no file with functions in it, so ENTRY alone counts. Knows
//! nothing of modules.

/// ENTRY of a handler. What stands before the last dot may be a path of packages; the name of an interface has dots of its own,
/// and may stand there alone.
pub(super) fn of(handler: &str) -> &str {
    let Some((file, rest)) = handler.split_once('.') else { return handler };
    match rest.rsplit_once('.') {
        _ if file.contains([':', '#']) => handler,
        Some((_, entry)) if !rest.contains([':', '#']) => entry,
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_what_stands_behind_the_file_or_the_packages() {
        for (handler, entry) in [
            ("index.handler", "handler"),
            ("com.example.Main.run", "run"),
            ("handler", "handler"),
            ("-", "-"),
            ("index.shop:orders/total@1.0.0#total", "shop:orders/total@1.0.0#total"),
            ("shop:orders/total@1.0.0#total", "shop:orders/total@1.0.0#total"),
            ("typed:a:b/c@1.0.0#d", "typed:a:b/c@1.0.0#d"),
        ] {
            assert_eq!(of(handler), entry, "{handler}");
        }
    }
}
