//! What the document has, compared with the routes as they stand in the source: the router itself cannot be asked.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
/// Routes of which no client is to know.
const UNTOLD: [&str; 1] = ["bench.rs"];

fn document() -> Value {
    serde_json::from_str(super::text()).unwrap()
}

#[test]
fn every_route_is_in_the_document_and_nothing_else_is() {
    let mut routed = BTreeSet::new();
    let sources = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/native")).unwrap();
    for source in sources.map(|source| source.unwrap().path()).filter(|path| path.is_file()) {
        if !UNTOLD.iter().any(|untold| source.ends_with(untold)) {
            routed.extend(routes(&fs::read_to_string(source).unwrap()));
        }
    }
    let told: BTreeSet<_> = told(&document()).into_iter().map(|(method, path, _)| (method, path)).collect();
    assert!(routed.len() > 50, "{routed:?}");
    let (missing, extra): (Vec<_>, Vec<_>) = (routed.difference(&told).collect(), told.difference(&routed).collect());
    assert!(missing.is_empty() && extra.is_empty(), "not in the document: {missing:?}\nnot routed: {extra:?}");
}

#[test]
fn routes_are_found_however_they_are_laid_out() {
    let check = |source: &str, expected: &[(&str, &str)]| {
        let expected = expected.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
        assert_eq!(routes(source), expected.collect::<Vec<_>>(), "{source}");
    };
    check(r#".route("/a", get(a::get))"#, &[("get", "/a")]);
    check(
        ".route(\n  \"/a/{*b}\",\n  get(a::show)\n    .delete(a::delete),\n)",
        &[("get", "/a/{b}"), ("delete", "/a/{b}")],
    );
    check(
        r#".route("/a", any(call)).route("/b", post(b))"#,
        &METHODS.map(|m| (m, "/a")).into_iter().chain([("post", "/b")]).collect::<Vec<_>>(),
    );
}

#[test]
fn each_operation_has_a_name_of_its_own_a_summary_and_how_it_is_refused() {
    let operations = told(&document());
    let ids: BTreeSet<_> =
        operations.iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len());
    for (method, path, operation) in &operations {
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{method} {path}");
        let answers = operation["responses"].as_object().unwrap();
        let good = answers.keys().any(|status| status.starts_with('2') || status == "default");
        assert!(good && answers.contains_key("500"), "{method} {path}: {answers:?}");
        for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            assert!(answer["content"]["application/problem+json"].is_object(), "{method} {path} {status}");
            assert!(answer["x-codes"].as_array().is_some_and(|codes| !codes.is_empty()), "{method} {path} {status}");
        }
    }
}

#[test]
fn what_an_operation_refers_to_is_there() {
    let document = document();
    let operations = told(&document);
    let ids: BTreeSet<_> =
        operations.iter().map(|(_, _, operation)| operation["operationId"].as_str().unwrap()).collect();
    let mut seen = (0, 0);
    visit(&document, &mut |name, value| match (name, value.as_str()) {
        ("$ref", Some(reference)) => {
            seen.0 += 1;
            assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
        ("operationId", Some(id)) => {
            seen.1 += 1;
            assert!(ids.contains(id), "{id}");
        }
        _ => (),
    });
    assert!(seen.0 > 100 && seen.1 > operations.len(), "{seen:?}");
}

#[test]
fn every_time_is_said_to_be_one() {
    let mut seen = 0;
    visit(&document(), &mut |name, schema| {
        if (name == "at" || name.ends_with("_at")) && schema.get("type").is_some() {
            seen += 1;
            assert_eq!(schema["format"], "date-time", "{name}: {schema}");
        }
    });
    assert!(seen > 30, "{seen}");
}

#[test]
fn a_value_that_is_one_of_a_few_or_in_a_range_is_said_to_be() {
    let document = document();
    let schemas = &document["components"]["schemas"];
    let formats = serde_json::json!(["record", "payload", "cloudevent", "cloudevent-binary", null]);
    assert_eq!(schemas["Destination"]["properties"]["format"]["enum"], formats);
    let expires = &schemas["CredentialToMake"]["properties"]["expires_s"];
    assert_eq!((&expires["minimum"], &expires["maximum"]), (&1.into(), &315_360_000.into()));
}

/// Calls `each` with every member of every object.
fn visit(value: &Value, each: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            each(name, value);
            visit(value, each);
        }),
        Value::Array(items) => items.iter().for_each(|item| visit(item, each)),
        _ => (),
    }
}

/// Method, path and operation of each in the document.
fn told(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let operations: Vec<_> =
            item.as_object().unwrap().iter().map(|(method, it)| (method.clone(), path.clone(), it.clone())).collect();
        operations
    };
    paths.iter().flat_map(of_path).collect()
}

/// Method and path of each route that a source declares.
fn routes(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for route in source.split(".route(").skip(1) {
        let mut parts = route.splitn(3, '"');
        let (Some(before), Some(path), Some(handlers)) = (parts.next(), parts.next(), parts.next()) else { continue };
        assert!(before.trim().is_empty(), "a route whose path is no text: {route}");
        let path = path.replace("{*", "{");
        for method in methods(&handlers[..closing(handlers)]) {
            found.push((method.to_owned(), path.clone()));
        }
    }
    found
}

/// The methods that are called on a router, in order.
fn methods(handlers: &str) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (start, _) in handlers.match_indices('(') {
        let before = &handlers[..start];
        let name = &before[before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1)..];
        match name {
            "any" => found.extend(METHODS),
            _ => found.extend(METHODS.iter().find(|method| **method == name)),
        }
    }
    found
}

/// Where the parenthesis ends that `text` is within.
fn closing(text: &str) -> usize {
    let mut open = 1;
    let end = text.char_indices().find(|(_, c)| {
        open += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        open == 0
    });
    end.map_or(text.len(), |(at, _)| at)
}
