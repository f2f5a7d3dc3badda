//! The REST paths of this dialect, as the services in `proto/` have them: which method and path stands for which call. Answers
//! nothing.

use std::sync::LazyLock;

use axum::http::Method;
use form_urlencoded::parse;
use prost_reflect::MethodDescriptor;

use super::proto::POOL;

/// A path that stands for a call.
pub(super) struct Route {
    pub(super) method: Method,
    /// The parts between slashes.
    segments: Vec<Segment>,
    pub(super) call: MethodDescriptor,
}

/// A part of a path: a literal, or a field of the request with what stands behind it (`{function_id}:setTag`).
enum Segment {
    Field { name: String, behind: String },
    Literal(String),
}

/// What a request's path turned out to be.
pub(super) enum Found {
    /// This call, with fields from the path.
    Call(&'static Route, Vec<(String, String)>),
    /// A path that is there, for other methods.
    OtherMethods(Vec<&'static str>),
    /// Nothing.
    Nothing,
}

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    let methods = POOL.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods.filter_map(Route::of).collect()
});

/// The call that a request stands for.
pub(super) fn find(method: &Method, path: &str) -> Found {
    let segments: Vec<_> = path.trim_start_matches('/').split('/').map(decoded).collect();
    let mut others = Vec::new();
    for route in ROUTES.iter() {
        if let Some(fields) = route.fields(&segments) {
            if route.method == *method {
                return Found::Call(route, fields);
            }
            others.push(route.method.as_str());
        }
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others) }
}

impl Route {
    fn of(call: MethodDescriptor) -> Option<Self> {
        let extension = POOL.get_extension_by_name("tidemill.rest")?;
        let options = call.options();
        let rest = options.get_extension(&extension).as_str()?.to_owned();
        let (method, path) = rest.split_once(' ')?;
        let segments = path.trim_start_matches('/').split('/').map(Segment::of).collect();
        Some(Self { method: method.parse().ok()?, segments, call })
    }

    /// The path of the call in gRPC.
    pub(super) fn path(&self) -> String {
        format!("/{}/{}", self.call.parent_service().full_name(), self.call.name())
    }

    /// Fields from the path, if it is this one.
    fn fields(&self, path: &[String]) -> Option<Vec<(String, String)>> {
        if path.len() != self.segments.len() {
            return None;
        }
        let mut fields = Vec::new();
        for (segment, text) in self.segments.iter().zip(path) {
            match segment {
                Segment::Literal(literal) => (literal == text).then_some(())?,
                Segment::Field { name, behind } => {
                    let value = text.strip_suffix(behind.as_str())?;
                    // What has a verb behind it is another path.
                    (!value.is_empty() && !value.contains(':')).then_some(())?;
                    fields.push((name.clone(), value.to_owned()));
                }
            }
        }
        Some(fields)
    }
}

impl Segment {
    fn of(text: &str) -> Self {
        let field = text.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        field.map_or_else(
            || Self::Literal(text.to_owned()),
            |(name, behind)| Self::Field { name: name.to_owned(), behind: behind.to_owned() },
        )
    }
}

/// Takes escapes out of a part of a path. A `+` there is one.
fn decoded(segment: &str) -> String {
    let text = segment.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    parse(text.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: &str) {
        let told = match find(&method.parse().unwrap(), path) {
            Found::Call(route, fields) => {
                let fields: Vec<_> = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                format!("{}{}", route.path().rsplit('.').next().unwrap(), fields.concat())
            }
            Found::OtherMethods(others) => others.join(","),
            Found::Nothing => String::new(),
        };
        assert_eq!(told, expected, "{method} {path}");
    }

    #[test]
    fn a_path_stands_for_the_call_that_the_services_say() {
        check("GET", "/functions/v1/functions", "FunctionService/List");
        check("POST", "/functions/v1/functions", "FunctionService/Create");
        check("GET", "/functions/v1/functions/f-1", "FunctionService/Get function_id=f-1");
        check("GET", "/functions/v1/functions/f-1:tagHistory", "FunctionService/ListTagHistory function_id=f-1");
        check("GET", "/functions/v1/functions/f-1/operations", "FunctionService/ListOperations function_id=f-1");
        check("GET", "/functions/v1/versions:byTag", "FunctionService/GetVersionByTag");
        check("POST", "/functions/v1/versions/f-1:setTag", "FunctionService/SetTag function_version_id=f-1");
        check("GET", "/operations/o%3Ad", "");
        check("GET", "/operations/o%20d", "OperationService/Get operation_id=o d");
        check("GET", "/operations/o:cancel", "OperationService/Cancel operation_id=o");
        check("POST", "/containers/v1/revisions:deploy", "ContainerService/DeployRevision");
        check("GET", "/endpoints", "ApiEndpointService/List");
    }

    #[test]
    fn other_methods_are_told_and_other_paths_are_nothing() {
        check("PUT", "/functions/v1/functions", "GET,POST");
        check("GET", "/functions/v1/functions/", "");
        check("GET", "/functions/v1/nothing", "");
        check("GET", "/functions/v1/functions/f:unknown", "");
    }
}
