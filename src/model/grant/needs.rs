//! Which imports of a module are of no use without a grant, and which grant that is.
//!
//! What a grant only adds to has no line here: directories and configuration are there in any case, and empty.

use super::Grants;

/// An interface that answers nothing but refusals where it is not granted.
struct Need {
    /// Its name, without its version; with `/` at its end, every interface of a package.
    import: &'static str,
    /// How it is granted, as a flag of `deploy`.
    flag: &'static str,
    is_met: fn(&Grants) -> bool,
}

const NEEDS: [Need; 4] = [
    Need {
        import: "tidemill:function/invoke",
        flag: "--allow-function",
        is_met: |grants| !grants.functions.is_empty(),
    },
    Need { import: "wasi:http/client", flag: "--allow-http", is_met: |grants| !grants.http.is_empty() },
    Need { import: "wasi:http/outgoing-handler", flag: "--allow-http", is_met: |grants| !grants.http.is_empty() },
    Need { import: "wasi:keyvalue/", flag: "--allow-store", is_met: |grants| !grants.key_value.is_empty() },
];

/// An import, and the flag of `deploy` that grants what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MissingGrant<'a> {
    /// The import, version included.
    pub import: &'a str,
    /// The flag.
    pub needs: &'static str,
}

fn need_of(import: &str) -> Option<&'static Need> {
    let name = import.split_once('@').map_or(import, |(name, _version)| name);
    let is_meant = |need: &&Need| name == need.import || (need.import.ends_with('/') && name.starts_with(need.import));
    NEEDS.iter().find(is_meant)
}

/// Whether an import is of no use without a grant.
#[must_use]
pub fn needs_grant(import: &str) -> bool {
    need_of(import).is_some()
}

impl Grants {
    /// Those of `imports` that need a grant which is not among these.
    pub fn missing<'a>(&self, imports: impl IntoIterator<Item = &'a String>) -> Vec<MissingGrant<'a>> {
        let missing = |import: &'a String| {
            let need = need_of(import).filter(|need| !(need.is_met)(self))?;
            Some(MissingGrant { import, needs: need.flag })
        };
        imports.into_iter().filter_map(missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_missing_its_grant_until_there_is_one_of_that_kind() {
        let imports = [
            "wasi:http/outgoing-handler@0.2.4",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:keyvalue/atomics@0.2.0-draft",
            "tidemill:function/invoke@1.0.0",
            "wasi:cli/stdout@0.2.0",
        ]
        .map(str::to_owned);
        let mut grants = Grants::default();
        let missing = |grants: &Grants| -> Vec<_> {
            grants.missing(&imports).iter().map(|missing| (missing.import.to_owned(), missing.needs)).collect()
        };
        let all = ["--allow-http", "--allow-store", "--allow-store", "--allow-function"];
        let expected: Vec<_> = imports.iter().cloned().zip(all).collect();
        assert_eq!(missing(&grants), expected);
        grants.http.push("https://a.example".parse().unwrap());
        assert_eq!(missing(&grants), expected[1..]);
        grants.key_value.push("cart".parse().unwrap());
        assert_eq!(missing(&grants), expected[3..]);
    }

    #[test]
    fn a_name_that_only_begins_alike_needs_nothing() {
        assert!(!needs_grant("wasi:http/outgoing-handler-of-mine@1.0.0"));
        assert!(!needs_grant("wasi:keyvalue-of-mine/store"));
    }
}
