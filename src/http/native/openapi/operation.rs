//! One operation of the API as the tables describe it: what goes in, what comes out, and how it is refused. What every
//! operation has in common is added here, so an entry says only what is its own.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, Ref, RefOr, Required};

use super::parameters::Parameter;
use super::values;

/// The media type of errors.
const PROBLEM: &str = "application/problem+json";
/// The name of their schema.
pub(super) const PROBLEM_SCHEMA: &str = "Problem";
/// The names of the ways to say who asks.
pub(super) const BEARER: &str = "bearer";
/// See [`BEARER`].
pub(super) const SIGNATURE: &str = "signature";
/// The name of a header that they have.
pub(super) const FAULT_HEADER: &str = "Tidemill-Fault";
/// Which codes a refusal can have, beside its description.
const CODES: &str = "x-codes";

/// A method of a path.
pub(super) struct Operation {
    pub(super) path: &'static str,
    pub(super) method: HttpMethod,
    built: OperationBuilder,
    body: Option<RequestBodyBuilder>,
    answers: BTreeMap<u16, ResponseBuilder>,
    refusals: BTreeMap<u16, BTreeSet<&'static str>>,
    any_answer: Option<ResponseBuilder>,
    pub(super) schemas: Vec<(String, RefOr<Schema>)>,
}

/// `GET` of a path. `id` names the operation for programs, `summary` for people.
pub(super) fn get(path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(HttpMethod::Get, path, id, summary)
}

/// `PUT` of a path.
pub(super) fn put(path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(HttpMethod::Put, path, id, summary).changes()
}

/// `POST` to a path.
pub(super) fn post(path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(HttpMethod::Post, path, id, summary).changes()
}

/// `DELETE` of a path.
pub(super) fn delete(path: &'static str, id: &str, summary: &str) -> Operation {
    Operation::new(HttpMethod::Delete, path, id, summary).changes()
}

impl Operation {
    pub(super) fn new(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Self {
        let built = OperationBuilder::new().operation_id(Some(id)).summary(Some(summary));
        let (answers, refusals) = (BTreeMap::new(), BTreeMap::new());
        Self { path, method, built, body: None, answers, refusals, any_answer: None, schemas: Vec::new() }
            .refuses(401, &["unauthenticated"])
            .refuses(403, &["access_denied", "foreign_origin"])
            .refuses(500, &["bug", "store_damaged"])
            .refuses(503, &["store_busy", "store_stopped", "store_unknown"])
    }

    /// What anybody may ask, without saying who it is.
    pub(super) fn open(mut self) -> Self {
        self.refusals.remove(&401);
        self.refusals.insert(403, BTreeSet::from(["foreign_origin"]));
        self.built = self.built.security(SecurityRequirement::default());
        self
    }

    fn changes(self) -> Self {
        self.refuses(503, &["interrupted", "shutting_down"]).refuses(507, &["store_full"])
    }

    /// More than the summary says.
    pub(super) fn told(mut self, description: &str) -> Self {
        self.built = self.built.description(Some(description));
        self
    }

    pub(super) fn tag(mut self, tag: &str) -> Self {
        self.built = self.built.tag(tag);
        self
    }

    /// What stands in the path, the query and the headers.
    pub(super) fn takes(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        for Parameter { built, refusals } in parameters {
            let built = built.build();
            if built.parameter_in == utoipa::openapi::path::ParameterIn::Query {
                self = self.refuses(400, &["bad_query"]);
            }
            self = self.refuses(400, refusals);
            self.built = self.built.parameter(built);
        }
        self
    }

    /// A JSON body.
    pub(super) fn body<T: ToSchema>(mut self, description: &str, example: Value) -> Self {
        let reference = self.reference::<T>();
        let content = utoipa::openapi::ContentBuilder::new().schema(Some(reference)).example(Some(example)).build();
        self.bodies(description, Required::True, [("application/json", content)]).refuses(400, &["bad_json"])
    }

    /// A body of any bytes, of one of these media types.
    pub(super) fn bytes<'a>(self, description: &str, media_types: impl IntoIterator<Item = &'a str>) -> Self {
        let content = |media_type| (media_type, Content::new(Some(binary())));
        self.bodies(description, Required::False, media_types.into_iter().map(content))
    }

    /// A body in one of several forms.
    pub(super) fn bodies<'a>(
        mut self,
        description: &str,
        required: Required,
        contents: impl IntoIterator<Item = (&'a str, Content)>,
    ) -> Self {
        let body = RequestBodyBuilder::new().description(Some(description)).required(Some(required));
        let body = contents.into_iter().fold(body, |body, (media_type, content)| body.content(media_type, content));
        self.body = Some(body);
        self.refuses(400, &["body_broken"])
            .refuses(408, &["body_timeout"])
            .refuses(413, &["body_too_large"])
            .refuses(429, &["overloaded"])
    }

    /// Lets the body be left out.
    pub(super) fn optional_body(mut self) -> Self {
        self.body = self.body.map(|body| body.required(Some(Required::False)));
        self
    }

    /// Answers with JSON.
    pub(super) fn answers<T: ToSchema>(mut self, status: u16, description: &str) -> Self {
        let content = Content::new(Some(self.reference::<T>()));
        self.answers_with(status, ResponseBuilder::new().description(description).content("application/json", content))
    }

    /// Answers with nothing but the status.
    pub(super) fn answers_nothing(self, description: &str) -> Self {
        self.answers_with(204, ResponseBuilder::new().description(description))
    }

    /// Answers with text.
    pub(super) fn answers_text(self, description: &str) -> Self {
        let content = Content::new(Some(values::any_text()));
        self.answers_with(200, ResponseBuilder::new().description(description).content("text/plain", content))
    }

    /// Answers with bytes, of whatever media type they are.
    pub(super) fn answers_bytes(self, description: &str) -> Self {
        self.answers_with(
            200,
            ResponseBuilder::new().description(description).content("*/*", Content::new(Some(binary()))),
        )
    }

    /// Answers in a way of its own.
    pub(super) fn answers_with(mut self, status: u16, answer: ResponseBuilder) -> Self {
        self.answers.insert(status, answer);
        self
    }

    /// May answer with any status, which a function decides.
    pub(super) fn answers_anything(mut self, description: &str) -> Self {
        let content = Content::new(Some(binary()));
        self.any_answer = Some(ResponseBuilder::new().description(description).content("*/*", content));
        self
    }

    /// Says with each answer of `status` in which operations its `id` can be used.
    pub(super) fn leads_to(mut self, status: u16, operations: &[&str]) -> Self {
        if let Some(answer) = self.answers.remove(&status) {
            let link = |id: &str| LinkBuilder::new().operation_id(id).parameter("id", "$response.body#/id");
            let linked = operations.iter().fold(answer, |answer, id| answer.link(*id, link(id).build()));
            self.answers.insert(status, linked);
        }
        self
    }

    /// Can be refused with this status, and one of these codes.
    pub(super) fn refuses(mut self, status: u16, codes: &[&'static str]) -> Self {
        if !codes.is_empty() {
            self.refusals.entry(status).or_default().extend(codes);
        }
        self
    }

    /// A reference to the schema of `T`, which is kept for the document with those that it refers to.
    pub(super) fn reference<T: ToSchema>(&mut self) -> Ref {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        Ref::from_schema_name(T::name())
    }

    pub(super) fn build(self) -> utoipa::openapi::path::Operation {
        let Self { built, body, answers, refusals, any_answer, .. } = self;
        let built = built.request_body(body.map(RequestBodyBuilder::build));
        let answers = answers.into_iter().map(|(status, answer)| (status.to_string(), answer.build()));
        let refusals = refusals.iter().map(|(status, codes)| {
            let refusal = refusal(codes);
            // A function can answer with the same status, and whatever it likes.
            let refusal =
                if any_answer.is_some() { refusal.content("*/*", Content::new(Some(binary()))) } else { refusal };
            (status.to_string(), refusal.build())
        });
        let built = answers.chain(refusals).fold(built, |built, (status, answer)| built.response(status, answer));
        any_answer.into_iter().fold(built, |built, answer| built.response("default", answer.build())).build()
    }
}

/// Bytes that have no form.
pub(super) fn binary() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
}

/// A header of an answer.
pub(super) fn header(description: &str, schema: impl Into<RefOr<Schema>>) -> Header {
    HeaderBuilder::new().description(Some(description)).schema(Some(schema)).build()
}

/// An answer that is a problem with one of these codes.
fn refusal(codes: &BTreeSet<&'static str>) -> ResponseBuilder {
    let listed = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    ResponseBuilder::new()
        .description(listed)
        .content(PROBLEM, Content::new(Some(Ref::from_schema_name(PROBLEM_SCHEMA))))
        .header_ref(FAULT_HEADER, Ref::new(format!("#/components/headers/{FAULT_HEADER}")))
        .extensions(Some(ExtensionsBuilder::new().add(CODES, json!(codes)).build()))
}

/// The header that all problems have.
pub(super) fn fault() -> Header {
    header("Whose fault it was, as `fault` says", values::one_of(FAULTS))
}

const FAULTS: [&str; 3] = ["caller", "function", "platform"];

/// The one schema of all problems.
pub(super) fn problem() -> ObjectBuilder {
    let required = ["type", "title", "status", "detail", "code", "effect", "fault"];
    let problem = ObjectBuilder::new()
        .description(Some("What went wrong (RFC 9457). Some kinds of problem have members of their own besides"))
        .property("type", values::any_text().description(Some("`urn:tidemill:problem:` and the code")))
        .property("title", values::any_text().description(Some("The name of the status")))
        .property("status", values::number(&(400_u32..=599)).description(Some("The status")))
        .property("detail", values::any_text().description(Some("What was wrong, with the value, and what to do")))
        .property("code", values::any_text().description(Some("The kind of problem, for programs; it never changes")))
        .property(
            "effect",
            values::one_of(["none", "unknown"])
                .description(Some("Whether anything happened: `none` can be sent again")),
        )
        .property("fault", values::one_of(FAULTS).description(Some("Whose fault it was")))
        .property(
            "path",
            ArrayBuilder::new().items(values::any_text()).description(Some("`cycle`: the way it would go")),
        )
        .property(
            "pointer",
            values::any_text()
                .description(Some("`payload_misfit`: the place in the payload, as a JSON Pointer (RFC 6901)")),
        );
    required.into_iter().fold(problem, ObjectBuilder::required)
}
