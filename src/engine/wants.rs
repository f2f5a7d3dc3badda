//! What a module imports that is of no use without a grant. Read from the outside of a component, without compiling it;
//! what cannot be read is left to the validator.

use bytes::Bytes;
use tokio::task::spawn_blocking;
use wasmparser::{Parser, Payload};

use crate::model::grant::needs_grant;

/// The names of those imports, versions included. A core module has none: WASI's first version knows no such thing.
pub async fn wants(module: Bytes) -> Vec<String> {
    // Walks over tens of megabytes.
    let wants = spawn_blocking(move || read(&module)).await;
    wants.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

fn read(module: &[u8]) -> Vec<String> {
    if !Parser::is_component(module) {
        return Vec::new();
    }
    let (mut wants, mut depth) = (Vec::new(), 0_usize);
    for payload in Parser::new(0).parse_all(module).map_while(Result::ok) {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(imports) if depth == 0 => {
                let names = imports.into_iter().map_while(Result::ok).map(|import| import.name.name);
                wants.extend(names.filter(|name| needs_grant(name)).map(str::to_owned));
            }
            _ => (),
        }
    }
    wants
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_component_itself_imports_counts() {
        let component = wat::parse_str(
            r#"(component
                 (component (import "wasi:keyvalue/store@0.2.0-draft" (instance)))
                 (core module (func))
                 (import "wasi:http/outgoing-handler@0.2.4" (instance))
                 (import "wasi:cli/stdout@0.2.0" (instance)))"#,
        );
        assert_eq!(read(&component.unwrap()), ["wasi:http/outgoing-handler@0.2.4"]);
        assert_eq!(read(&wat::parse_str(r#"(module (import "wasi:keyvalue/store" "get" (func)))"#).unwrap()), [""; 0]);
        assert_eq!(read(b"nonsense"), [""; 0]);
    }
}
